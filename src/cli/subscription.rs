//! `subscribe`, `unsubscribe` and `probe`: whether Graph notifies this deployment.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use photorelay::config::ConfigPurpose;
use photorelay::operate;
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::process::{CommandOutcome, Process, stop_on_signal};
use uuid::Uuid;

use super::start;

#[derive(Args)]
pub(super) struct SubscribeArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl SubscribeArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app_for(process, ConfigPurpose::Notifications).await?;
        answer::print(&mut CommandAnswer, &app.subscribe.sync().await?, self.json)?;
        Ok(CommandOutcome::Success)
    }
}

#[derive(Args)]
pub(super) struct UnsubscribeArgs {
    /// Delete only this subscription of the application, even if it is for another URL.
    #[arg(long)]
    id: Option<Uuid>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl UnsubscribeArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app(process).await?;
        answer::print(&mut CommandAnswer, &app.subscribe.end(self.id).await?, self.json)?;
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
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl ProbeArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let (_, app) = start::app(process).await?;
        let user = operate::check::find(&app.graph, &self.user).await?;
        let (wait, stop) = (Duration::from_secs(self.wait), stop_on_signal()?);
        let (mut shown, mut silent) = (CommandAnswer, std::io::sink());
        let says: &mut dyn Write = if self.json { &mut silent } else { &mut shown };
        let report = operate::probe::probe(&app.graph, &app.storage, user, wait, stop, says).await?;
        match self.json {
            true => print_json(&mut CommandAnswer, &report.as_json())?,
            false => answer!("{report}")?,
        }
        Ok(CommandOutcome::healthy_if(report.is_notified()))
    }
}
