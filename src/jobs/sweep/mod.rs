//! The sweep: looks at everybody, so that no photo is missed, whatever was lost, killed or throttled before.
//!
//! Reads everybody's ETag and compares it with bulk listings of heads, trail and receipts. It only ever asks others to
//! look (a check) or to write (an announcement): it must never commit, fetch or write back by itself. Running twice at
//! once costs requests and nothing else. It owns the failure "somebody's hint, message or head was lost".

mod adaptive_concurrency;
mod announcing;
mod cursor;
mod decide;
mod forecast;
mod lease;
mod population;
mod report;
mod run;
pub(super) mod state_listing;
mod user_merge;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use photorelay_core::audit::{self, AuditError, Committed};
use photorelay_core::contract::{
    self, CauseKind, ContinueSweep, FetchPolicy, MAX_PEOPLE_PER_CHECK, SweepCursor, SweepUnderWay, V1,
};
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::Outgoing;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::target::Targets;
use photorelay_core::telemetry;
use photorelay_core::trace::TraceContext;
use tokio::sync::mpsc;
use tracing::Instrument;

pub use forecast::Forecast;
pub use report::SweepReport;
pub use run::{Progress, Run};

use super::notify::checks;
use super::scope::Scope;
use crate::graph::{Graph, GraphError};
use adaptive_concurrency::{AdaptiveConcurrency, Observation};
use decide::{Need, Why};
use lease::Lease;
use state_listing::StateListing;
use user_merge::{SweptUser, UserMerge};

/// How the sweep goes about it.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    pub targets: Targets,
    pub scope: Scope,
    /// UserMerge's bytes are looked at again once in this time, whatever the ETag says.
    pub bytes_every: Duration,
    /// An entry without a receipt is announced again at this age, and then whenever its age has doubled.
    pub announce_after: Duration,
    /// The most `$batch` requests at once; throttling makes them fewer.
    pub batches_at_once: usize,
    /// After so many people the cursor is written.
    pub people_per_stretch: usize,
    /// A longer wait that Graph asks for ends this run; the next one goes on from the cursor.
    pub longest_wait: Duration,
    /// A function's run stops after this time and is continued by a message.
    pub time_limit: Duration,
    /// A sweep whose process died is missed after this time.
    pub lease: Duration,
}

impl SweepSettings {
    pub fn new(targets: Targets) -> Self {
        Self {
            targets,
            scope: Scope::default(),
            bytes_every: Duration::from_secs(30 * 24 * 3600),
            announce_after: Duration::from_secs(10 * 60),
            batches_at_once: 12,
            people_per_stretch: 2_000,
            longest_wait: Duration::from_secs(60),
            time_limit: Duration::from_secs(8 * 60),
            lease: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("{0}; the next sweep goes on from where this one came to")]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the list of users does not come to an end")]
    EndlessPopulation,
    #[error("another sweep is under way; should it have died, the next one can begin at {until}")]
    UnderWay { until: Timestamp },
    #[error("this sweep stood still for too long, and another one went on in its place")]
    TakenOver,
}

#[derive(Debug, Clone)]
pub struct Sweep {
    graph: Arc<Graph>,
    storage: Storage,
    settings: Arc<SweepSettings>,
}

/// What came of comparing one person.
#[derive(Default)]
struct Compared {
    check: Option<(Why, FetchPolicy)>,
    announced: bool,
}

impl Sweep {
    pub fn new(graph: Arc<Graph>, storage: Storage, settings: SweepSettings) -> Self {
        Self { graph, storage, settings: Arc::new(settings) }
    }

    /// Whether there was a sweep before. The first one is large, and nobody wants it just because a program started.
    pub async fn has_swept(&self) -> Result<bool, StoreError> {
        Ok(cursor::read(&*self.storage.blobs).await? != SweepCursor::default())
    }

    /// Sweeps once, or goes on with a sweep that was cut off.
    pub async fn run(&self, run: &Run) -> Result<SweepReport, SweepError> {
        let span = tracing::info_span!("sweep", trace.id = tracing::field::Empty);
        let trace = telemetry::step(&span, None);
        let result = Box::pin(self.leased(run, &trace)).instrument(span).await;
        match &result {
            Ok(report) => tracing::info!(
                people = report.people,
                differing = report.differing,
                checks = report.checks,
                announced_again = report.announced_again,
                is_complete = report.is_complete,
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

    /// The same for a function, which the host kills when it takes too long: what is left is handed over to a message
    /// that whoever works on checks will find.
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
            tracing::info!(wait_seconds = wait.as_secs(), "the rest of the sweep is handed over");
        }
        result
    }

    /// Goes on with the sweep of the message, if it is still the one under way.
    pub async fn go_on(&self, message: &ContinueSweep) -> Result<Option<SweepReport>, SweepError> {
        let current = cursor::read(&*self.storage.blobs).await?.current;
        if current.is_none_or(|current| current.began_at != message.continue_sweep) {
            return Ok(None);
        }
        match self.run_within_limit(Timestamp::now()).await {
            Ok(report) => Ok(Some(report)),
            // Whoever sweeps hands over by itself, and otherwise the timer goes on.
            Err(SweepError::UnderWay { .. } | SweepError::TakenOver | SweepError::Graph(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn leased(&self, run: &Run, trace: &TraceContext) -> Result<SweepReport, SweepError> {
        let lease = Lease::take(&*self.storage.blobs, self.settings.lease).await?;
        let result = tokio::select! {
            result = Box::pin(self.swept(run, trace)) => result,
            taken_over = lease.kept() => return Err(taken_over),
        };
        lease.release().await;
        result
    }

    async fn swept(&self, run: &Run, trace: &TraceContext) -> Result<SweepReport, SweepError> {
        let started = Instant::now();
        let blobs = &*self.storage.blobs;
        let cursor = cursor::read(blobs).await?;
        let resumed = cursor::resumable(&cursor, run.now);
        let began_at = resumed.as_ref().map_or(run.now, |current| current.began_at);
        let done_to = resumed.map(|current| current.done_to);
        let kept = population::keep(&self.graph, &self.settings.scope, blobs, run.now).await?;
        let mut report = SweepReport {
            population: kept.members.len(),
            joined: kept.joined,
            left: kept.left,
            is_full_list: kept.is_full_list,
            is_resumed: done_to.is_some(),
            ..SweepReport::default()
        };
        let done = kept.members.partition_point(|member| Some(*member) <= done_to);
        run.progress.send_modify(|progress| (progress.of, progress.done) = (kept.members.len(), done));
        let mut people = UserMerge::after(done_to, &kept.members, StateListing::open(blobs));
        let mut concurrency = AdaptiveConcurrency::new(self.settings.batches_at_once, self.settings.longest_wait);
        let window = Window { previous: cursor.previous, now: began_at };
        loop {
            let stretch = people.take(self.settings.people_per_stretch).await?;
            let Some(last) = stretch.last().map(|person| person.user) else { break };
            tokio::select! {
                swept = self.sweep_stretch(stretch, window, &mut concurrency, &mut report, run, trace) => swept?,
                // What is given up here is done again by the next run.
                () = run.stop.cancelled() => break,
            }
            let out_of_time = run.time_limit.is_some_and(|limit| started.elapsed() >= limit);
            if out_of_time || !people.is_at_end().await? {
                let current = Some(SweepUnderWay { began_at, done_to: last });
                cursor::write(blobs, &SweepCursor { current, ..cursor.clone() }).await?;
                tracing::info!(
                    people = report.people,
                    of = report.population,
                    checks = report.checks,
                    requests = concurrency.requests,
                    throttled = concurrency.throttled,
                    "sweeping"
                );
            }
            if out_of_time {
                break;
            }
        }
        report.requests = concurrency.requests;
        report.throttled = concurrency.throttled;
        report.is_complete = !run.stop.is_cancelled() && people.is_at_end().await?;
        if report.is_complete {
            cursor::write(blobs, &SweepCursor { previous: Some(began_at), ..SweepCursor::default() }).await?;
        }
        report.took = started.elapsed();
        Ok(report)
    }

    /// Compares some people, each as soon as Graph has told about them, and sends what follows from it. Only after all
    /// of it the cursor may pass them.
    async fn sweep_stretch(
        &self,
        stretch: Vec<SweptUser>,
        window: Window,
        concurrency: &mut AdaptiveConcurrency,
        report: &mut SweepReport,
        run: &Run,
        trace: &TraceContext,
    ) -> Result<(), SweepError> {
        let (asked, others): (Vec<SweptUser>, Vec<SweptUser>) =
            stretch.into_iter().partition(|person| person.is_member && !person.record.is_forgotten());
        let users: Vec<UserId> = asked.iter().map(|person| person.user).collect();
        let (told, mut answers) = mpsc::unbounded_channel();
        let read = async { Ok(Box::pin(concurrency.read(&self.graph, &users, told, &run.progress)).await?) };
        let compared = async {
            let mut asked: HashMap<UserId, SweptUser> = asked.into_iter().map(|person| (person.user, person)).collect();
            let mut checks = Checks::default();
            self.compare_all(others.into_iter().map(|person| (person, None)), window, &mut checks, report).await?;
            while let Some(sights) = answers.recv().await {
                let people = sights.into_iter().filter_map(|(user, sight)| Some((asked.remove(&user)?, Some(sight))));
                let people: Vec<_> = people.collect();
                report.people += people.len();
                let with_photo =
                    people.iter().filter(|(_, sight)| sight.as_ref().is_some_and(Observation::is_photo)).count();
                report.with_photo += with_photo;
                self.compare_all(people.into_iter(), window, &mut checks, report).await?;
                run.progress.send_modify(|progress| {
                    progress.with_photo += with_photo;
                    progress.checks = report.checks;
                });
                self.send(&mut checks, MAX_PEOPLE_PER_CHECK, trace).await?;
            }
            self.send(&mut checks, 1, trace).await
        };
        let ((), ()) = tokio::try_join!(read, Box::pin(compared))?;
        Ok(())
    }

    async fn compare_all(
        &self,
        people: impl Iterator<Item = (SweptUser, Option<Observation>)>,
        window: Window,
        checks: &mut Checks,
        report: &mut SweepReport,
    ) -> Result<(), SweepError> {
        let mut compared = stream::iter(people)
            .map(|(person, sight)| async move {
                let compared = Box::pin(self.compare(&person, sight.as_ref(), window)).await?;
                Ok::<_, SweepError>((person.user, compared))
            })
            .buffer_unordered(READS_AT_ONCE);
        while let Some((user, compared)) = compared.try_next().await? {
            report.announced_again += usize::from(compared.announced);
            let Some((why, look)) = compared.check else { continue };
            report.count(why);
            report.checks += 1;
            match look {
                FetchPolicy::IfChanged => checks.if_changed.push(user),
                FetchPolicy::Always => checks.always.push(user),
            }
        }
        Ok(())
    }

    /// Sends the checks that fill messages of at least so many people.
    async fn send(&self, waiting: &mut Checks, at_least: usize, trace: &TraceContext) -> Result<(), SweepError> {
        let mut messages = Vec::new();
        for (users, look) in
            [(&mut waiting.if_changed, FetchPolicy::IfChanged), (&mut waiting.always, FetchPolicy::Always)]
        {
            let whole = if at_least == 1 { users.len() } else { users.len() - users.len() % at_least };
            let users: Vec<UserId> = users.drain(..whole).collect();
            messages.extend(checks(&users, CauseKind::Sweep, look, trace));
        }
        for some in messages.chunks(MESSAGES_AT_ONCE) {
            self.storage.queues.send(CHECKS_QUEUE, some.to_vec()).await?;
        }
        Ok(())
    }

    async fn compare(
        &self,
        person: &SweptUser,
        sight: Option<&Observation>,
        window: Window,
    ) -> Result<Compared, SweepError> {
        let record = &person.record;
        let bytes_due = decide::bytes_due(person.user, self.settings.bytes_every, window);
        let need = decide::need(record, sight, bytes_due);
        let is_covered = self.settings.targets.all().iter().all(|target| record.receipt(&target.name) >= record.trail);
        if need != Need::PhotoIfExpected && is_covered {
            return Ok(Compared { check: need.check(), announced: false });
        }
        let newest = match self.newest(person.user, record.trail).await {
            Ok(newest) => newest,
            Err(AuditError::Store(error)) => return Err(error.into()),
            // Never repaired, and no reason to leave the others alone.
            Err(error) => {
                tracing::error!(user.id = %person.user, %error, "the trail has to be looked at: photorelay audit verify");
                return Ok(Compared { check: need.check(), announced: false });
            }
        };
        let shows_photo = newest.as_ref().is_some_and(|n| n.entry.expects_photo());
        let check = match need {
            Need::PhotoIfExpected if shows_photo => Some((Why::Missing, FetchPolicy::IfChanged)),
            need => need.check(),
        };
        let announced = match newest {
            Some(newest) => announcing::announce_again(&self.storage, &self.settings, record, &newest, window).await?,
            None => false,
        };
        Ok(Compared { check, announced })
    }

    /// What targets should show.
    async fn newest(&self, user: UserId, trail: u32) -> Result<Option<Committed>, AuditError> {
        let all: Vec<u32> = (1..=trail).collect();
        audit::newest_not_refused(&*self.storage.blobs, user, &all).await
    }
}

/// People who have to be looked at and whose message is not sent yet.
#[derive(Default)]
struct Checks {
    if_changed: Vec<UserId>,
    always: Vec<UserId>,
}

/// If Graph asks to wait longer, the timer is soon enough.
const LONGEST_HANDED_OVER: Duration = Duration::from_secs(30 * 60);
/// Blobs that are read side by side.
const READS_AT_ONCE: usize = 8;
/// Messages that are sent by one call.
const MESSAGES_AT_ONCE: usize = 32;

/// The time that this sweep answers for: since the last one that came to its end began, until this one began.
#[derive(Debug, Clone, Copy)]
struct Window {
    previous: Option<Timestamp>,
    now: Timestamp,
}
