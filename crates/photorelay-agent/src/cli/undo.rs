//! `undo`: says what it will do to how many users, asks, and does it.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, ensure};
use clap::Args;
use photorelay_agent::operate::undo::UndoSurvey;
use photorelay_agent::quota::{QuotaLimits, WriteQuota};
use photorelay_core::answer;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::process::{Audience, CommandOutcome, Process};

use super::approvals::{AgentSignatureArgs, UserSelection};
use super::start::Started;

#[derive(Args)]
pub(super) struct UndoArgs {
    #[command(flatten)]
    users: UserSelection,
    #[command(flatten)]
    signature: AgentSignatureArgs,
    /// Show what would be put back or cleared, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
    /// Clear so many photos, as the dry run counted them; needed beyond the deletion threshold.
    #[arg(long, value_name = "COUNT")]
    clear: Option<u32>,
}

impl UndoArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let signature = self.signature.of(process)?;
        let started = Started::new(process, Audience::Operator)?;
        let reconciler = if self.dry_run { started.dry_run()? } else { started.reconciler()? };
        // At the agent's pace, but without its daily limit: an operator wants the earlier state back now.
        let (limits, identity) = (QuotaLimits { per_day: None, ..started.config.quota }, &started.config.identity);
        let quota = WriteQuota::new(&started.storage, limits, &identity.target.name, &identity.name);
        let reconciler = reconciler.with_quota(quota);

        let survey = UndoSurvey::of(&reconciler, self.users.find(&started).await?).await?;
        if self.dry_run {
            survey.list(&mut CommandAnswer)?;
        }
        answer!("{survey}")?;
        if self.dry_run || survey.is_empty() {
            return Ok(CommandOutcome::Success);
        }
        let clearing = survey.clearing(&reconciler, self.clear).await?;
        ensure!(self.yes || confirmed()?, "nothing was changed: confirm with --yes");
        survey.carry_out(&reconciler, &signature, clearing, &mut CommandAnswer).await?;
        Ok(CommandOutcome::Success)
    }
}

/// Asks at a terminal; elsewhere the answer is no.
fn confirmed() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Do this? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
