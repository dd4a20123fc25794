//! `preview`: what would be written, before anything is.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use photorelay_agent::operate::preview::{PreviewPublisher, PreviewSource};
use photorelay_agent::operate::report::{ReportedUsers, preview_report};
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::process::{Audience, CommandOutcome, Process};
use photorelay_core::progress::ProgressLine;
use photorelay_core::wording::counted;

use super::start::Started;

#[derive(Args)]
pub(super) struct PreviewArgs {
    /// Write a report with the pictures to this folder: pages that need nothing else.
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
    /// Publish it in the storage, where `photorelay console` shows it.
    #[arg(long)]
    publish: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl PreviewArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        let (identity, limits) = (&started.config.identity, started.config.quota);
        let publisher =
            self.publish.then(|| PreviewPublisher::new(&started.storage.blobs, &identity.target.name, &identity.name));
        let (reconciler, folder) = (started.dry_run()?, self.html.as_deref());
        let source = PreviewSource { reconciler: &reconciler, storage: &started.storage, serving: &identity.target };
        let progress = ProgressLine::default();
        let work = preview_report(source, ReportedUsers::All, folder, publisher, limits, &progress);
        let (totals, index) = progress.beside(work, compared).await?;
        if self.json {
            print_json(&mut CommandAnswer, &totals.as_json(&identity.target.name, limits, index.as_deref()))?;
            return Ok(CommandOutcome::Success);
        }
        for (label, text) in totals.lines(limits) {
            answer!("{label:<22} {text}")?;
        }
        if let Some(index) = index {
            answer!("{:<22} {}", "report", index.display())?;
        }
        Ok(CommandOutcome::Success)
    }
}

/// How far a command has come that compares every user with the target.
pub(super) fn compared(people: u64) -> String {
    format!("{} compared", counted(people, "person", "people"))
}
