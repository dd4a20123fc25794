//! `subscribe`, `unsubscribe` and `probe`: whether Graph notifies this deployment.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use photorelay::config::ConfigPurpose;
use photorelay::operate;
use photorelay_core::answer;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::process::{CommandOutcome, Process, stop_on_signal};
use uuid::Uuid;

use super::start;

pub(super) async fn subscribe(process: &mut Process) -> Result<CommandOutcome> {
    let (_, app) = start::app_for(process, ConfigPurpose::Notifications).await?;
    answer!("{}", app.subscribe.sync().await?)?;
    Ok(CommandOutcome::Success)
}

#[derive(Args)]
pub(super) struct UnsubscribeArgs {
    /// Delete only this subscription of the application, even if it is for another URL.
    #[arg(long)]
    id: Option<Uuid>,
}

impl UnsubscribeArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app(process).await?;
        answer!("{}", app.subscribe.end(self.id).await?)?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct ProbeArgs {
    /// Object ID or user principal name of an unused account: every target shows the test picture for a while.
    user: String,
    /// How long to wait for the notification, in seconds.
    #[arg(long, default_value_t = 900)]
    wait: u64,
}

impl ProbeArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app(process).await?;
        let user = operate::check::find(&app.graph, &self.user).await?;
        let (wait, stop) = (Duration::from_secs(self.wait), stop_on_signal()?);
        let notified = operate::probe::probe(&app.graph, &app.storage, user, wait, stop, &mut CommandAnswer).await?;
        Ok(CommandOutcome::healthy_if(notified))
    }
}
