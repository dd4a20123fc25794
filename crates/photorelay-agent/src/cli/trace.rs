//! `trace`: the way of a photo, as the storage tells it, and what the target shows now.

use anyhow::Result;
use clap::Args;
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::hops::{self, TracedEntries};
use photorelay_core::process::{Audience, CommandOutcome, Process};
use serde_json::json;

use super::start::{AgentUserArg, Started};

#[derive(Args)]
pub(super) struct AgentTraceArgs {
    #[command(flatten)]
    user: AgentUserArg,
    /// Print JSON, with times in UTC.
    #[arg(long)]
    json: bool,
}

impl AgentTraceArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let started = Started::new(process, Audience::Operator)?;
        let user = started.user(&self.user.user).await?;
        let target = started.config.identity.target.name.as_str();
        let blobs = &*started.storage.blobs;
        let traced = hops::of_user(blobs, user, TracedEntries::Newest, |_| vec![target]).await?;
        let plan = started.dry_run()?.plan(user).await?;
        if self.json {
            let now = plan.as_ref().map(|plan| {
                json!({ "target": target, "object": plan.object, "shows": plan.shows, "wants": plan.wants, "would": plan.would })
            });
            print_json(&mut CommandAnswer, &json!({ "entries": traced, "now": now }))?;
            return Ok(CommandOutcome::Success);
        }
        for entry in &traced {
            answer!("{entry}")?;
        }
        match plan {
            Some(plan) => answer!("now in {target}:\n{plan}")?,
            None => answer!("now in {target}: not read, because no entry concerns targets")?,
        }
        Ok(CommandOutcome::Success)
    }
}
