//! `poison`: the messages that could not be handled.

use anyhow::Result;
use clap::Args;
use photorelay::config;
use photorelay::operate::poison::{self, PoisonedQueue};
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::process::{CommandOutcome, Process};

use super::start;

#[derive(Args)]
pub(super) struct PoisonArgs {
    /// Delete the messages. The blobs that keep them with their reasons stay.
    #[arg(long)]
    clear: bool,
    /// Print JSON, for monitoring.
    #[arg(long)]
    json: bool,
}

impl PoisonArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let targets = config::read_targets(process.environment())?;
        let storage = start::storage(process).await?;
        let mut found = poison::inspect(&storage, &targets).await?;
        if self.clear {
            poison::clear(&*storage.queues, &mut found).await?;
        }
        match self.json {
            true => print_json(&mut CommandAnswer, &found)?,
            false => found.iter().try_for_each(|queue| answer!("{queue}"))?,
        }
        Ok(CommandOutcome::healthy_if(found.iter().all(PoisonedQueue::is_empty)))
    }
}
