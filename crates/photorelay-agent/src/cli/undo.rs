//! `undo`: says what it will do to how many users, asks, and does it.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Result, ensure};
use clap::Args;
use photorelay_agent::operate::undo::{UndoSurvey, UndoneUser};
use photorelay_agent::quota::{QuotaLimits, WriteQuota};
use photorelay_agent::writeback::{ClearingLimit, Reconciler};
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::process::{Audience, CommandOutcome, Process};
use photorelay_core::progress::ProgressLine;
use photorelay_core::wording::counted;
use serde_json::json;

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
    /// Print JSON once all is done.
    #[arg(long)]
    json: bool,
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

        let (user, progress) = (self.users.find(async |name| started.user(name).await).await?, ProgressLine::default());
        let surveying = UndoSurvey::of(&reconciler, user, &progress);
        let survey = progress.beside(surveying, |people| format!("{} looked at", counted_people(people))).await?;
        if self.dry_run || survey.is_empty() {
            self.print_list(&survey)?;
            return Ok(CommandOutcome::Success);
        }
        match self.json {
            true => eprintln!("{survey}"),
            false => answer!("{survey}")?,
        }
        let clearing = survey.clearing(&reconciler, self.clear).await?;
        ensure!(self.yes || confirmed()?, "nothing was changed: confirm with --yes");
        self.carry_out(&survey, &reconciler, &signature, clearing).await
    }

    /// What would become of each user. Without a dry run, how many of them is enough.
    fn print_list(&self, survey: &UndoSurvey) -> Result<()> {
        if self.json {
            return print_answer(survey, survey.list().collect());
        }
        if self.dry_run {
            survey.list().try_for_each(|user| answer!("{user}"))?;
        }
        Ok(answer!("{survey}")?)
    }

    async fn carry_out(
        &self,
        survey: &UndoSurvey,
        reconciler: &Reconciler,
        signature: &OperatorSignature,
        clearing: ClearingLimit,
    ) -> Result<CommandOutcome> {
        let (progress, mut out) = (ProgressLine::default(), CommandAnswer);
        let mut above = progress.above(&mut out);
        let mut people: Vec<UndoneUser> = survey.left().collect();
        let each = |user: UndoneUser| -> io::Result<()> {
            progress.advance();
            match self.json {
                true => people.push(user),
                false => writeln!(above, "{user}")?,
            }
            Ok(())
        };
        let undoing = survey.carry_out(reconciler, signature, clearing, each);
        let says = |people| format!("{people} of {} undone", counted_people(survey.changes().into()));
        let failed = progress.beside(undoing, says).await?;
        drop(above);
        if self.json {
            print_answer(survey, people)?;
        }
        ensure!(failed == 0, "{} could not be undone", counted(failed, "user", "users"));
        Ok(CommandOutcome::Success)
    }
}

/// docs/commands.md names these members.
fn print_answer(survey: &UndoSurvey, people: Vec<UndoneUser>) -> Result<()> {
    Ok(print_json(&mut CommandAnswer, &json!({ "survey": survey, "people": people }))?)
}

fn counted_people(people: u64) -> String {
    counted(people, "person", "people")
}

/// Asks at a terminal; elsewhere the answer is no.
pub(super) fn confirmed() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("Do this? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
