//! `stop` and `resume`: the switch for every agent of a target.

use anyhow::Result;
use clap::Args;
use photorelay_agent::stop_switch;
use photorelay_core::process::{CommandOutcome, Process};

use super::start::StartedDecision;

#[derive(Args)]
pub(super) struct StopArgs {
    /// Shown in the agents' heartbeats.
    #[arg(long)]
    reason: Option<String>,
}

impl StopArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = StartedDecision::new(process)?;
        let target = &started.target.name;
        stop_switch::check_target(&started.storage, target).await?;
        stop_switch::stop(&started.storage, target, self.reason).await?;
        eprintln!("the agents of {target} take no items until `photorelay-agent resume`");
        Ok(CommandOutcome::Success)
    }
}

pub(super) async fn resume(process: &mut Process) -> Result<CommandOutcome> {
    let started = StartedDecision::new(process)?;
    let target = &started.target.name;
    stop_switch::check_target(&started.storage, target).await?;
    stop_switch::resume(&started.storage, target).await?;
    eprintln!("the agents of {target} go on");
    Ok(CommandOutcome::Success)
}
