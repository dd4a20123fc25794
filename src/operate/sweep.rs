//! `photorelay sweep`: one sweep, watched by a person; and `--first`, which forecasts what the first fill of a tenant
//! takes and does the work itself, beside whoever else does it.
//!
//! It can be stopped at any time and goes on where it was: what is done is done, and the cursor says how far that is.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::storage::Storage;
use tokio_util::sync::CancellationToken;

use super::sweep_display::{Display, duration};
use crate::jobs::sweep::{Forecast, Run, Sweep, SweepError, SweepReport};

/// How often the display is brought up to date.
const REFRESH: Duration = Duration::from_millis(200);
/// Between two looks whether another sweep has ended.
const ANOTHERS_PAUSE: Duration = Duration::from_secs(1);

/// Sweeps to the end, or until stopped. Waits for a sweep that is under way elsewhere.
pub async fn sweep(sweep: &Sweep, stop: CancellationToken) -> Result<SweepReport> {
    let mut told = false;
    loop {
        let run = Run { stop: stop.clone(), ..Run::default() };
        match watched(sweep, &run).await {
            Err(SweepError::UnderWay { .. }) if !stop.is_cancelled() => {
                if !told {
                    eprintln!("another sweep is under way: this one begins when that one has ended");
                    told = true;
                }
                tokio::select! {
                    () = tokio::time::sleep(ANOTHERS_PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
            result => return Ok(result?),
        }
    }
}

async fn watched(sweep: &Sweep, run: &Run) -> Result<SweepReport, SweepError> {
    let mut display = Display::new("people");
    let mut refresh = tokio::time::interval(REFRESH);
    let mut sweeping = std::pin::pin!(sweep.run(run));
    let result = loop {
        tokio::select! {
            result = &mut sweeping => break result,
            _ = refresh.tick() => display.show(&run.progress.borrow()),
        }
    };
    display.end();
    result
}

/// What a first fill came to.
#[derive(Debug)]
pub struct FirstFill {
    pub report: SweepReport,
    /// Whether everything that was asked for has been looked at too.
    pub is_complete: bool,
    pub took: Duration,
}

impl fmt::Display for FirstFill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        if self.is_complete {
            write!(f, "\nfilled          every check was worked off in {}", duration(self.took))
        } else {
            write!(f, "\npaused: the same command goes on from here, and so do the timer and the function app")
        }
    }
}

/// Forecasts, sweeps, and has everybody looked at by `helping`, which goes on until `no_more` is cancelled and nothing
/// is left.
pub async fn first<E>(
    steps: &Sweep,
    storage: &Storage,
    helping: impl Future<Output = Result<(), E>>,
    no_more: CancellationToken,
    stop: CancellationToken,
) -> Result<FirstFill>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let forecast = steps.forecast().await.context("nothing can be forecast")?;
    println!("{}", describe(&forecast));
    let started = Instant::now();
    let sweeping = async {
        // Whatever came of it, nobody sends more.
        let _told = no_more.clone().drop_guard();
        let report = sweep(steps, stop.clone()).await?;
        Ok::<_, anyhow::Error>(report)
    };
    let helping = async { helping.await.context("the checks cannot be worked off") };
    let filling = async { tokio::try_join!(sweeping, watched_queue(storage, &no_more, &stop, helping)) };
    let (report, ()) = filling.await?;
    Ok(FirstFill { is_complete: report.is_complete && !stop.is_cancelled(), report, took: started.elapsed() })
}

/// Shows how many checks are waiting, once they are all that is left to do.
async fn watched_queue(
    storage: &Storage,
    no_more: &CancellationToken,
    stop: &CancellationToken,
    helping: impl Future<Output = Result<()>>,
) -> Result<()> {
    let mut helping = std::pin::pin!(helping);
    tokio::select! {
        done = &mut helping => return done,
        () = no_more.cancelled() => {}
    }
    if stop.is_cancelled() {
        return helping.await;
    }
    let mut display = Display::new("checks");
    let all = storage.queues.count(CHECKS_QUEUE).await?;
    let mut refresh = tokio::time::interval(REFRESH * 5);
    let result = loop {
        tokio::select! {
            done = &mut helping => break done,
            _ = refresh.tick() => display.show_left(all, storage.queues.count(CHECKS_QUEUE).await?),
        }
    };
    display.end();
    result
}

fn describe(forecast: &Forecast) -> String {
    let Forecast { people, remaining, photos, requests, takes, .. } = forecast;
    let resumed = match people - remaining {
        0 => String::new(),
        done => format!(", {done} of them done before"),
    };
    let takes = duration(*takes);
    format!(
        "forecast        {people} people{resumed}; about {photos} photos to fetch, {requests} requests, {takes}\n                \
         (Ctrl-C pauses; the same command goes on)"
    )
}
