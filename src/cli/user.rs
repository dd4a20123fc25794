//! `check`, `export`, `history`, `restore` and `forget`: what operators do for one user.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use photorelay::operate;
use photorelay::operate::restore::Restore;
use photorelay_core::process::{CommandOutcome, Process};

use super::start::{self, UserArg};

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    user: UserArg,
}

impl CheckArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app(process).await?;
        let user = self.user.find(&app).await?;
        operate::check::check(&app.propagate, user, &mut std::io::stdout()).await?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    user: UserArg,
    /// Where to write the photo.
    file: PathBuf,
}

impl ExportArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (storage, user) = self.user.find_in_storage(process).await?;
        println!("{}", operate::export::export(&storage, user, &self.file).await?);
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    user: UserArg,
}

impl HistoryArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (storage, user) = self.user.find_in_storage(process).await?;
        operate::history::history(&storage, user, &mut std::io::stdout()).await?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    user: UserArg,
    /// The entry whose photo is restored, as `history` numbers it.
    seq: u32,
    /// Why, for example a ticket number; recorded in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

impl RestoreArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (config, app) = start::app(process).await?;
        let user = self.user.find(&app).await?;
        let wanted = Restore { tenant: config.graph.tenant_id, user, seq: self.seq, reason: self.reason };
        operate::restore::restore(&app.storage, &config.targets, wanted, &mut std::io::stdout()).await?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct ForgetArgs {
    #[command(flatten)]
    user: UserArg,
    /// Delete; without this option, only show what would be deleted.
    #[arg(long)]
    yes: bool,
}

impl ForgetArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (config, app) = start::app(process).await?;
        let user = self.user.find(&app).await?;
        operate::forget::forget(&app.storage, config.graph.tenant_id, user, self.yes, &mut std::io::stdout()).await?;
        Ok(CommandOutcome::Success)
    }
}
