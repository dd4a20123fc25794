//! The sweep: compares every user, so that no photo is missed, whatever was lost, killed or throttled before.
//!
//! Reads the ETags of all users and compares them with bulk listings of heads, trails and receipts. It only ever asks
//! for a check or announces an entry again: it must never commit, fetch or write back by itself. Two sweeps at once
//! cost requests and nothing else. It owns the failure "a notification, a message or a head was lost".

mod adaptive_concurrency;
mod announcing;
mod checks;
mod compare;
mod cursor;
mod decide;
mod early_checks;
mod error;
mod forecast;
mod lease;
mod observation;
mod population;
mod population_round;
mod report;
mod run;
mod settings;
mod user_group;
mod user_merge;
mod walk;
mod window;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::{self, ContinueSweep, SweepCursor, V1};
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::Outgoing;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::telemetry;
use photorelay_core::trace::TraceContext;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use error::SweepError;
pub use forecast::{Forecast, ForecastFill};
pub use report::SweepReport;
pub use run::{Progress, Run};
pub use settings::{DEFAULT_TIME_LIMIT, SweepSettings};

use lease::Lease;

use crate::graph::Graph;
use crate::jobs::state_listing::StateListing;

/// If Graph asks to wait longer, the timer is soon enough.
const LONGEST_HANDED_OVER: Duration = Duration::from_secs(30 * 60);

#[derive(Debug, Clone)]
pub struct Sweep {
    graph: Arc<Graph>,
    storage: Storage,
    settings: Arc<SweepSettings>,
}

impl Sweep {
    pub fn new(graph: Arc<Graph>, storage: Storage, settings: SweepSettings) -> Self {
        Self { graph, storage, settings: Arc::new(settings) }
    }

    /// Whether there was a sweep before. The first one is large and must not begin just because a program started.
    pub async fn has_swept(&self) -> Result<bool, StoreError> {
        Ok(cursor::read(&*self.storage.blobs).await? != SweepCursor::default())
    }

    /// Sweeps once, or continues a sweep that was cut off.
    pub async fn run(&self, run: &Run) -> Result<SweepReport, SweepError> {
        let span = tracing::info_span!("sweep", trace.id = tracing::field::Empty);
        let trace = telemetry::step(&span, None);
        let result = Box::pin(self.run_leased(run, &trace)).instrument(span).await;
        match &result {
            Ok(report) => tracing::info!(
                people = report.people,
                differing = report.differing,
                checks = report.checks,
                announced_again = report.announced_again,
                is_complete = report.is_complete,
                requests = report.requests,
                throttled = report.throttled,
                took_ms = report.took.as_millis() as u64,
                %trace,
                "swept"
            ),
            Err(error @ (SweepError::UnderWay { .. } | SweepError::TakenOver)) => {
                tracing::warn!(%error, %trace, "not swept")
            }
            Err(error) => tracing::error!(%error, %trace, "the sweep was cut off"),
        }
        result
    }

    /// The same for a function, which the host kills when it takes too long: a message in the queue of checks continues
    /// what is left.
    pub async fn run_within_limit(&self, now: Timestamp) -> Result<SweepReport, SweepError> {
        let run = Run { now, time_limit: Some(self.settings.time_limit), ..Run::default() };
        let result = self.run(&run).await;
        let wait = match &result {
            Ok(report) if !report.is_complete => Some(Duration::ZERO),
            Err(SweepError::Graph(error)) => error.retry_after().filter(|wait| *wait <= LONGEST_HANDED_OVER),
            _ => None,
        };
        if let (Some(wait), Some(current)) = (wait, cursor::read(&*self.storage.blobs).await?.current) {
            let message = contract::to_bytes(&ContinueSweep { v: V1, continue_sweep: current.began_at });
            self.storage.queues.send(CHECKS_QUEUE, vec![Outgoing::after(wait, message)]).await?;
            tracing::info!(wait_seconds = wait.as_secs(), "a message continues the rest of the sweep");
        }
        result
    }

    /// Continues the sweep of the message, if it is still the one under way.
    pub async fn go_on(&self, message: &ContinueSweep) -> Result<Option<SweepReport>, SweepError> {
        let current = cursor::read(&*self.storage.blobs).await?.current;
        if current.is_none_or(|current| current.began_at != message.continue_sweep) {
            return Ok(None);
        }
        match self.run_within_limit(Timestamp::now()).await {
            Ok(report) => Ok(Some(report)),
            // The sweep that holds the lease hands over by itself; otherwise the timer continues.
            Err(SweepError::UnderWay { .. } | SweepError::TakenOver | SweepError::Graph(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Compares a sample and estimates what a complete sweep, with the checks that it asks for, will take. In an empty
    /// store it also sends a check of every user that it lists. None if it was stopped before all were listed.
    pub async fn forecast(&self, stop: &CancellationToken) -> Result<Option<ForecastFill>, SweepError> {
        let span = tracing::info_span!("forecast", trace.id = tracing::field::Empty);
        let trace = telemetry::step(&span, None);
        forecast::forecast(&self.graph, &self.storage, &self.settings, stop, &trace).instrument(span).await
    }

    /// How many users have shown a photo, as their heads say.
    pub async fn with_photo(&self) -> Result<usize, StoreError> {
        let mut listing = StateListing::open(&*self.storage.blobs);
        let mut with_photo = 0;
        while let Some(user) = listing.peek().await? {
            let record = listing.take(user).await?;
            with_photo += usize::from(record.head.is_some_and(|head| head.etag.is_some()));
        }
        Ok(with_photo)
    }

    async fn run_leased(&self, run: &Run, trace: &TraceContext) -> Result<SweepReport, SweepError> {
        let lease = Lease::take(&*self.storage.blobs, self.settings.lease).await?;
        let result = tokio::select! {
            result = Box::pin(walk::walk(&self.graph, &self.storage, &self.settings, run, trace)) => result,
            taken_over = lease.keep() => return Err(taken_over),
        };
        lease.release().await;
        result
    }
}
