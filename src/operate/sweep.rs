//! `photorelay sweep`: one sweep with its progress; and `--first`, which forecasts what the first fill of a tenant takes
//! and handles the checks itself, beside every other worker.
//!
//! It can be stopped at any time and continues from the cursor. The display must never hold up the work.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::storage::Storage;
use photorelay_core::wording::counted;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::sweep_display::{Display, duration};
use crate::jobs::sweep::{Forecast, ForecastFill, Run, Sweep, SweepError, SweepReport};

/// How often the display is updated.
const REFRESH: Duration = Duration::from_millis(200);
/// Between two attempts while another sweep is under way.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Sweeps to the end, or until stopped. Waits for a sweep that is under way elsewhere.
pub async fn sweep(sweep: &Sweep, stop: CancellationToken) -> Result<SweepReport> {
    sweep_as(sweep, Run { stop, ..Run::default() }).await
}

async fn sweep_as(sweep: &Sweep, run: Run) -> Result<SweepReport> {
    let stop = &run.stop;
    let mut is_announced = false;
    loop {
        let run = Run { now: Timestamp::now(), ..run.clone() };
        match watched(sweep, &run).await {
            Err(SweepError::UnderWay { .. }) if !stop.is_cancelled() => {
                if !is_announced {
                    eprintln!("another sweep is under way: this one begins when it has ended");
                    is_announced = true;
                }
                tokio::select! {
                    () = tokio::time::sleep(RETRY_PAUSE) => {}
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
    drop(display);
    result
}

/// What a first fill came to.
#[derive(Debug)]
pub struct FirstFill {
    /// None if it was stopped before all users were listed.
    pub swept: Option<(Forecast, SweepReport)>,
    /// Whether all checks are done too.
    pub is_complete: bool,
    pub took: Duration,
}

impl FirstFill {
    /// docs/commands.md names these members.
    pub fn as_json(&self) -> Value {
        json!({
            "forecast": self.swept.as_ref().map(|(forecast, _)| forecast),
            "sweep": self.swept.as_ref().map(|(_, report)| report),
            "isFilled": self.is_complete,
            "tookMs": self.took.as_millis() as u64,
        })
    }
}

impl fmt::Display for FirstFill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, report)) = &self.swept {
            writeln!(f, "{report}")?;
        }
        if self.is_complete {
            write!(f, "filled          every check was done in {}", duration(self.took))
        } else {
            write!(f, "paused: the same command goes on from here, and so do the timer and the function app")
        }
    }
}

/// Forecasts, shows the forecast, sweeps, and meanwhile handles the checks with `helping`, which ends once `no_more` is
/// cancelled and the queue is empty.
pub async fn first<E>(
    job: &Sweep,
    storage: &Storage,
    show: impl FnOnce(&Forecast) -> std::io::Result<()>,
    helping: impl Future<Output = Result<(), E>>,
    no_more: CancellationToken,
    stop: CancellationToken,
) -> Result<FirstFill>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let started = Instant::now();
    let sweeping = async {
        // However the sweep ends, it sends no more checks.
        let _guard = no_more.clone().drop_guard();
        let forecast = job.forecast(&stop).await.context("the sweep could not be forecast")?;
        let Some(ForecastFill { forecast, checked }) = forecast else { return Ok(None) };
        show(&forecast)?;
        let run = Run { stop: stop.clone(), checks_unknown: true, checked, ..Run::default() };
        Ok::<_, anyhow::Error>(Some((forecast, sweep_as(job, run).await?)))
    };
    let helping = async { helping.await.context("the checks could not be handled") };
    let count = async || Ok(storage.queues.count(CHECKS_QUEUE).await?);
    let filling = async { tokio::try_join!(sweeping, watched_queue(count, &no_more, &stop, helping)) };
    let (swept, ()) = filling.await?;
    let Some((forecast, report)) = swept else {
        return Ok(FirstFill { swept: None, is_complete: false, took: started.elapsed() });
    };
    let mut report = report.without_listing();
    // The checks have found out what the sweep did not ask.
    report.with_photo = job.with_photo().await.context("the photos could not be counted")?;
    let is_complete = report.is_complete && !stop.is_cancelled();
    Ok(FirstFill { swept: Some((forecast, report)), is_complete, took: started.elapsed() })
}

/// Shows how many checks are waiting, once they are all that is left to do. Counting runs beside the work.
async fn watched_queue(
    count: impl AsyncFn() -> Result<u64>,
    no_more: &CancellationToken,
    stop: &CancellationToken,
    helping: impl Future<Output = Result<()>>,
) -> Result<()> {
    let showing = async {
        no_more.cancelled().await;
        if stop.is_cancelled() {
            return std::future::pending().await;
        }
        let mut display = Display::new("checks");
        let all = count().await?;
        let mut refresh = tokio::time::interval(REFRESH * 5);
        loop {
            refresh.tick().await;
            display.show_left(all, count().await?);
        }
    };
    tokio::select! {
        done = helping => done,
        failed = showing => failed,
    }
}

/// The forecast as people read it.
pub fn describe(forecast: &Forecast) -> String {
    let Forecast { people, remaining, photos, requests, takes, .. } = forecast;
    let resumed = match people - remaining {
        0 => String::new(),
        done => format!(", {done} of them done before"),
    };
    let takes = duration(*takes);
    let people = counted(*people as u64, "person", "people");
    let (photos, requests) =
        (counted(*photos as u64, "photo", "photos"), counted(*requests as u64, "request", "requests"));
    format!(
        "forecast        {people}{resumed}; about {photos} to fetch, {requests}, {takes}\n                \
         (Ctrl-C pauses; the same command goes on)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_count_that_never_returns_does_not_hold_up_the_work() {
        let (no_more, stop) = (CancellationToken::new(), CancellationToken::new());
        no_more.cancel();
        let never = async || std::future::pending().await;
        let helping = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        };
        let watched = watched_queue(never, &no_more, &stop, helping);
        tokio::time::timeout(Duration::from_secs(5), watched).await.expect("the work ends").unwrap();
    }
}
