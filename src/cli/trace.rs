//! `trace`: where a photo is, and how long each hop took.

use anyhow::Result;
use clap::Args;
use photorelay::config;
use photorelay::operate;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::hops::TracedEntries;
use photorelay_core::process::{CommandOutcome, Process};

use super::start::UserArg;

#[derive(Args)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    user: UserArg,
    /// Trace this entry, as `history` numbers it; by default the newest one.
    #[arg(long, value_name = "SEQ")]
    entry: Option<u32>,
    /// Trace every entry of the user.
    #[arg(long, conflicts_with = "entry")]
    all: bool,
    /// Print JSON, with times in UTC.
    #[arg(long)]
    json: bool,
}

impl TraceArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let targets = config::read_targets(process.environment())?;
        let (storage, user) = self.user.find_in_storage(process).await?;
        let which = match (self.entry, self.all) {
            (Some(seq), _) => TracedEntries::One(seq),
            (None, true) => TracedEntries::All,
            (None, false) => TracedEntries::Newest,
        };
        operate::trace::trace(&storage, &targets, user, which, self.json, &mut CommandAnswer).await?;
        Ok(CommandOutcome::Success)
    }
}
