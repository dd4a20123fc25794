//! `audit verify`: whether the audit trail is intact.

use anyhow::Result;
use clap::{Args, Subcommand};
use photorelay::operate;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::id::UserId;
use photorelay_core::process::{CommandOutcome, Process};

use super::start;

#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// Verify the hash chain and report every broken link; exits with 2 if there is one.
    #[command(after_help = "Example: photorelay audit verify --json")]
    Verify(VerifyArgs),
}

#[derive(Args)]
pub(super) struct VerifyArgs {
    /// Verify only this user, by object ID.
    #[arg(long)]
    user: Option<UserId>,
    /// Print JSON, for monitoring.
    #[arg(long)]
    json: bool,
}

impl AuditCommand {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let Self::Verify(args) = self;
        let storage = start::storage(process).await?;
        let report = operate::audit::verify(&storage, args.user, args.json, &mut CommandAnswer).await?;
        Ok(CommandOutcome::healthy_if(report.findings.is_empty()))
    }
}
