//! `check`, `export`, `history`, `restore` and `forget`: what operators do for one user.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use clap::error::ErrorKind;
use photorelay::operate;
use photorelay::operate::forget::Forget;
use photorelay::operate::restore::Restore;
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::operator::{OperatorName, OperatorReason, OperatorSignature};
use photorelay_core::process::{CommandOutcome, Process};

use super::start::{self, UserArg};

#[derive(Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    user: UserArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl CheckArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app(process).await?;
        let user = self.user.find(&app).await?;
        operate::check::check(&app.propagate, user, self.json, &mut CommandAnswer).await?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    user: UserArg,
    /// Where to write the photo; `-` for stdout.
    file: PathBuf,
    /// Print JSON. Not where the photo goes to stdout.
    #[arg(long)]
    json: bool,
}

impl ExportArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let is_stdout = self.file == Path::new("-");
        if self.json && is_stdout {
            clap::Error::raw(ErrorKind::ArgumentConflict, "the argument '--json' cannot be used with '-'\n").exit();
        }
        let (storage, user) = self.user.find_in_storage(process).await?;
        let exported = operate::export::export(&storage, user, &self.file).await?;
        match is_stdout {
            true => eprintln!("{exported}"),
            false => answer::print(&mut CommandAnswer, &exported, self.json)?,
        }
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    user: UserArg,
    /// Print one JSON object: `events` in the order of time, and what each of `targets` showed last.
    #[arg(long)]
    json: bool,
}

impl HistoryArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (storage, user) = self.user.find_in_storage(process).await?;
        let mut out = CommandAnswer;
        match self.json {
            true => operate::history::history_json(&storage, user, &mut out).await?,
            false => operate::history::history(&storage, user, &mut out).await?,
        }
        Ok(CommandOutcome::Success)
    }
}

/// The operator who acts, and why: recorded in the audit trail.
#[derive(Args)]
pub(super) struct SignatureArgs {
    /// Why, for example a ticket number; recorded in the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<OperatorReason>,
    /// Who decides; the account that runs this command by default.
    #[arg(long, value_name = "NAME")]
    by: Option<OperatorName>,
}

impl SignatureArgs {
    fn of(self, process: &Process) -> Result<OperatorSignature> {
        Ok(process.signature(self.by, self.reason)?)
    }
}

#[derive(Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    user: UserArg,
    /// The entry whose photo is restored, as `history` numbers it.
    seq: u32,
    #[command(flatten)]
    signature: SignatureArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl RestoreArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let signature = self.signature.of(process)?;
        let access = start::access(process).await?;
        let user = self.user.find_with(&access).await?;
        let wanted = Restore { user, seq: self.seq, after: None, signature };
        let restored = operate::restore::restore(&access.storage, &access.targets, wanted).await?;
        answer::print(&mut CommandAnswer, &restored, self.json)?;
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
    #[command(flatten)]
    signature: SignatureArgs,
    /// Print JSON, also of what would be deleted.
    #[arg(long)]
    json: bool,
}

impl ForgetArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        if !self.yes {
            let (storage, user) = self.user.find_in_storage(process).await?;
            let preview = operate::forget::preview(&storage, user).await?;
            if self.json {
                print_json(&mut CommandAnswer, &preview)?;
            }
            bail!(preview);
        }
        let signature = self.signature.of(process)?;
        let access = start::access(process).await?;
        let user = self.user.find_with(&access).await?;
        let wanted = Forget { tenant: access.tenant, user, signature };
        let forgotten = operate::forget::forget(&access.storage, &access.targets, wanted).await?;
        answer::print(&mut CommandAnswer, &forgotten, self.json)?;
        forgotten.complete()?;
        Ok(CommandOutcome::Success)
    }
}
