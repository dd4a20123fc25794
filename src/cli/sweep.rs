//! `sweep`: one sweep now; with `--first`, the whole first fill of a tenant.

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use photorelay::jobs::sweep::Forecast;
use photorelay::operate;
use photorelay_core::answer;
use photorelay_core::answer::{CommandAnswer, print_json};
use photorelay_core::process::{CommandOutcome, Process, stop_on_signal};
use tokio_util::sync::CancellationToken;

use super::start;

#[derive(Args)]
pub(super) struct SweepArgs {
    /// Fill a new tenant: estimate the effort, then fetch the photos in this process, beside the function app.
    #[arg(long)]
    first: bool,
    /// Print JSON, with the forecast of --first as its own member.
    #[arg(long)]
    json: bool,
}

impl SweepArgs {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        let app = if self.first { start::first_app(process).await? } else { start::app(process).await?.1 };
        let stop = stop_on_signal()?;
        if self.first {
            let no_more = CancellationToken::new();
            let helping = app.pump.help(&no_more, &stop);
            let show = |forecast: &Forecast| match self.json {
                true => Ok(()),
                false => answer!("{}", operate::sweep::describe(forecast)),
            };
            let filling = operate::sweep::first(&app.sweep, &app.storage, show, helping, no_more.clone(), stop.clone());
            let filled = filling.await?;
            if let Some((_, report)) = &filled.swept {
                app.watch.after_sweep(report, Timestamp::now()).await;
            }
            match self.json {
                true => print_json(&mut CommandAnswer, &filled.as_json())?,
                false => answer!("{filled}")?,
            }
        } else {
            let report = operate::sweep::sweep(&app.sweep, stop).await?;
            app.watch.after_sweep(&report, Timestamp::now()).await;
            answer::print(&mut CommandAnswer, &report, self.json)?;
        }
        Ok(CommandOutcome::Success)
    }
}
