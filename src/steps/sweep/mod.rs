//! The sweep: looks at everybody, so that no photo is missed, whatever was lost, killed or throttled before.
//!
//! Reads everybody's ETag and compares it with bulk listings of heads, trail and receipts. It only ever asks others to
//! look (a check) or to write (an announcement): it must never commit, fetch or write back by itself. Running twice at
//! once costs requests and nothing else. It owns the failure "somebody's hint, message or head was lost".

mod announcing;
mod cursor;
mod decide;
mod ledger;
mod pace;
mod population;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use photorelay_core::audit::{self, AuditError, Committed};
use photorelay_core::contract::{CauseKind, Kind, Look, SweepCursor, SweepUnderWay};
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::target::Targets;
use photorelay_core::telemetry;
use photorelay_core::trace::TraceContext;
use tracing::Instrument;

pub use report::SweepReport;

use super::notify::checks;
use crate::graph::{Graph, GraphError};
use decide::{Need, Why};
use ledger::{Ledger, Record};
use pace::{Pace, Sight};

/// How the sweep goes about it.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    pub targets: Targets,
    /// Everybody's bytes are looked at again once in this time, whatever the ETag says.
    pub bytes_every: Duration,
    /// An entry without a receipt is announced again at this age, and then whenever its age has doubled.
    pub announce_after: Duration,
    /// The most `$batch` requests at once; throttling makes them fewer.
    pub batches_at_once: usize,
    /// After so many people the cursor is written.
    pub people_per_stretch: usize,
    /// A longer wait that Graph asks for ends this run; the next one goes on from the cursor.
    pub longest_wait: Duration,
    /// A run stops after this time; the next one goes on from the cursor.
    pub time_limit: Duration,
}

impl SweepSettings {
    pub fn new(targets: Targets) -> Self {
        Self {
            targets,
            bytes_every: Duration::from_secs(30 * 24 * 3600),
            announce_after: Duration::from_secs(10 * 60),
            batches_at_once: 8,
            people_per_stretch: 2_000,
            longest_wait: Duration::from_secs(60),
            // Well inside the ten minutes that host.json gives a function.
            time_limit: Duration::from_secs(8 * 60),
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
}

#[derive(Debug, Clone)]
pub struct Sweep {
    graph: Arc<Graph>,
    storage: Storage,
    settings: Arc<SweepSettings>,
}

/// Somebody to compare.
struct Person {
    user: UserId,
    /// Whether the ETag is read; the others only have a past.
    is_member: bool,
    record: Record,
}

/// What came of comparing one person.
#[derive(Default)]
struct Compared {
    check: Option<(Why, Look)>,
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
    pub async fn run(&self) -> Result<SweepReport, SweepError> {
        self.run_at(Timestamp::now()).await
    }

    /// The same at a given time, which decides what is due.
    pub async fn run_at(&self, now: Timestamp) -> Result<SweepReport, SweepError> {
        let span = tracing::info_span!("sweep", trace.id = tracing::field::Empty);
        let trace = telemetry::step(&span, None);
        let result = Box::pin(self.swept(now, &trace)).instrument(span).await;
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
            Err(error) => tracing::error!(%error, %trace, "the sweep was cut off"),
        }
        result
    }

    async fn swept(&self, now: Timestamp, trace: &TraceContext) -> Result<SweepReport, SweepError> {
        let started = Instant::now();
        let blobs = &*self.storage.blobs;
        let cursor = cursor::read(blobs).await?;
        let resumed = cursor::resumable(&cursor, now);
        let began_at = resumed.as_ref().map_or(now, |current| current.began_at);
        let done_to = resumed.map(|current| current.done_to);
        let kept = population::keep(&self.graph, blobs, now).await?;
        let mut report = SweepReport {
            population: kept.members.len(),
            joined: kept.joined,
            left: kept.left,
            is_full_list: kept.is_full_list,
            is_resumed: done_to.is_some(),
            ..SweepReport::default()
        };
        let mut people = Everybody::after(done_to, &kept.members, Ledger::open(blobs));
        let mut pace = Pace::new(self.settings.batches_at_once, self.settings.longest_wait);
        let window = Window { previous: cursor.previous, now: began_at };
        loop {
            let stretch = people.take(self.settings.people_per_stretch).await?;
            let Some(last) = stretch.last().map(|person| person.user) else { break };
            self.sweep_stretch(stretch, window, &mut pace, &mut report, trace).await?;
            let out_of_time = started.elapsed() >= self.settings.time_limit;
            if out_of_time || !people.is_at_end().await? {
                let current = Some(SweepUnderWay { began_at, done_to: last });
                cursor::write(blobs, &SweepCursor { current, ..cursor.clone() }).await?;
                tracing::info!(people = report.people, of = report.population, checks = report.checks, "sweeping");
            }
            if out_of_time {
                break;
            }
        }
        report.requests = pace.requests;
        report.throttled = pace.throttled;
        report.is_complete = people.is_at_end().await?;
        if report.is_complete {
            cursor::write(blobs, &SweepCursor { previous: Some(began_at), ..SweepCursor::default() }).await?;
        }
        report.took = started.elapsed();
        Ok(report)
    }

    /// Compares some people and sends what follows from it. Only then the cursor may pass them.
    async fn sweep_stretch(
        &self,
        stretch: Vec<Person>,
        window: Window,
        pace: &mut Pace,
        report: &mut SweepReport,
        trace: &TraceContext,
    ) -> Result<(), SweepError> {
        let asked = stretch.iter().filter(|person| person.is_member && !person.record.is_forgotten());
        let asked: Vec<UserId> = asked.map(|person| person.user).collect();
        let sights = Box::pin(pace.read(&self.graph, &asked)).await?;
        report.people += asked.len();
        report.with_photo += sights.values().filter(|sight| sight.is_photo()).count();
        let compared: Vec<(UserId, Compared)> = stream::iter(stretch)
            .map(|person| {
                let sight = sights.get(&person.user);
                async move {
                    let compared = Box::pin(self.compare(&person, sight, window)).await?;
                    Ok::<_, SweepError>((person.user, compared))
                }
            })
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        let (mut if_changed, mut always) = (Vec::new(), Vec::new());
        for (user, compared) in compared {
            report.announced_again += usize::from(compared.announced);
            let Some((why, look)) = compared.check else { continue };
            report.count(why);
            match look {
                Look::IfChanged => if_changed.push(user),
                Look::Always => always.push(user),
            }
        }
        report.checks += if_changed.len() + always.len();
        let mut messages = checks(&if_changed, CauseKind::Sweep, Look::IfChanged, trace);
        messages.extend(checks(&always, CauseKind::Sweep, Look::Always, trace));
        for some in messages.chunks(MESSAGES_AT_ONCE) {
            self.storage.queues.send(CHECKS_QUEUE, some.to_vec()).await?;
        }
        Ok(())
    }

    async fn compare(&self, person: &Person, sight: Option<&Sight>, window: Window) -> Result<Compared, SweepError> {
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
        let shows_photo = newest.as_ref().is_some_and(|n| matches!(n.entry.kind, Kind::Captured | Kind::Restored));
        let check = match need {
            Need::PhotoIfExpected if shows_photo => Some((Why::Missing, Look::IfChanged)),
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

/// The population and everybody who has a past, in the order of ids.
struct Everybody<'a> {
    members: std::iter::Peekable<std::slice::Iter<'a, UserId>>,
    ledger: Ledger<'a>,
    after: Option<UserId>,
}

impl<'a> Everybody<'a> {
    fn after(after: Option<UserId>, members: &'a [UserId], ledger: Ledger<'a>) -> Self {
        let start = members.partition_point(|member| Some(*member) <= after);
        Self { members: members[start..].iter().peekable(), ledger, after }
    }

    async fn take(&mut self, most: usize) -> Result<Vec<Person>, StoreError> {
        let mut people = Vec::new();
        while people.len() < most {
            let Some(person) = self.next().await? else { break };
            people.push(person);
        }
        Ok(people)
    }

    async fn next(&mut self) -> Result<Option<Person>, StoreError> {
        self.skip_done().await?;
        let member = self.members.peek().map(|member| **member);
        let recorded = self.ledger.peek().await?;
        let Some(user) = member.into_iter().chain(recorded).min() else { return Ok(None) };
        let is_member = member == Some(user);
        if is_member {
            self.members.next();
        }
        let record = if recorded == Some(user) { self.ledger.take(user).await? } else { Record::default() };
        Ok(Some(Person { user, is_member, record }))
    }

    async fn is_at_end(&mut self) -> Result<bool, StoreError> {
        self.skip_done().await?;
        Ok(self.members.peek().is_none() && self.ledger.peek().await?.is_none())
    }

    async fn skip_done(&mut self) -> Result<(), StoreError> {
        while let Some(done) = self.ledger.peek().await?.filter(|user| Some(*user) <= self.after) {
            self.ledger.take(done).await?;
        }
        Ok(())
    }
}
