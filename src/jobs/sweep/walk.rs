//! The walk of a sweep: stretch after stretch of users, in the order of ids, with the cursor written in between.
//!
//! The cursor must pass a user only after everything that follows from comparing them was sent.

use std::collections::HashMap;
use std::time::Instant;

use photorelay_core::contract::{FetchPolicy, SweepCursor, SweepUnderWay};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::trace::TraceContext;
use tokio::sync::mpsc;

use super::adaptive_concurrency::AdaptiveConcurrency;
use super::checks::PendingChecks;
use super::compare::Comparison;
use super::error::SweepError;
use super::observation::Observation;
use super::report::SweepReport;
use super::run::Run;
use super::settings::SweepSettings;
use super::user_merge::{SweptUser, UserMerge};
use super::window::Window;
use super::{cursor, population};
use crate::graph::{Graph, GraphError};
use crate::jobs::decode_markers;
use crate::jobs::unreadable;

/// What a walk reads and writes, and how far it has come.
struct Walk<'a> {
    graph: &'a Graph,
    comparison: Comparison<'a>,
    run: &'a Run,
    trace: &'a TraceContext,
    concurrency: AdaptiveConcurrency,
    report: SweepReport,
}

/// Walks from the cursor to the end, or until the run is stopped or out of time.
pub(super) async fn walk(
    graph: &Graph,
    storage: &Storage,
    settings: &SweepSettings,
    run: &Run,
    trace: &TraceContext,
) -> Result<SweepReport, SweepError> {
    let (blobs, started) = (&*storage.blobs, Instant::now());
    let cursor = cursor::read(blobs).await?;
    let resumed = cursor::resumable(&cursor, run.now);
    let began_at = resumed.as_ref().map_or(run.now, |current| current.began_at);
    let mut done_to = resumed.and_then(|current| current.done_to);
    let deadline = run.time_limit.map(|limit| started + limit);
    let must_end = || run.stop.is_cancelled() || is_past(deadline);
    let Some(population) = population::refresh(graph, &settings.scope, blobs, run.now, &must_end, None).await? else {
        // What continues the sweep has to find it under way.
        cursor::write(blobs, &SweepCursor { current: Some(SweepUnderWay { began_at, done_to }), ..cursor }).await?;
        return Ok(SweepReport { is_listing: true, took: started.elapsed(), ..SweepReport::default() });
    };
    let members = &population.members;
    let done = members.partition_point(|member| Some(*member) <= done_to);
    run.progress.send_modify(|progress| (progress.of, progress.done) = (members.len(), done));
    let listing = Instant::now();
    let mut users = UserMerge::begin(blobs, &settings.targets, members, done_to, run.now).await?;
    // Otherwise a run that goes on far behind would get no further.
    let deadline = deadline.map(|deadline| deadline + listing.elapsed());
    let unreadable = unreadable::list(blobs).await?;
    let tried_again = decode_markers::all_due(blobs, run.now).await?;
    let window = Window { previous: cursor.previous, now: began_at };
    let mut walk = Walk {
        graph,
        comparison: Comparison { storage, settings, window, unreadable: &unreadable, tried_again: &tried_again },
        run,
        trace,
        concurrency: AdaptiveConcurrency::new(settings.batches_at_once, settings.longest_wait),
        report: SweepReport::of_population(&population, done_to.is_some()),
    };
    let mut is_cut = false;
    while !is_cut && !run.stop.is_cancelled() {
        let stretch = users.take(settings.people_per_stretch).await?;
        if stretch.is_empty() {
            break;
        }
        let swept = tokio::select! {
            swept = walk.sweep_stretch(stretch, deadline) => swept?,
            // What is given up here is done again by the next run.
            () = run.stop.cancelled() => break,
        };
        done_to = swept.done_to.or(done_to);
        is_cut = !swept.is_whole || (is_past(deadline) && !users.is_at_end().await?);
        let is_over = !is_cut && users.is_at_end().await?;
        if done_to.is_some() && !is_over {
            let current = Some(SweepUnderWay { began_at, done_to });
            cursor::write(blobs, &SweepCursor { current, ..cursor.clone() }).await?;
            walk.log_progress();
        }
        if let Some(error) = swept.failure {
            return Err(error.into());
        }
    }
    let is_complete = !is_cut && !run.stop.is_cancelled() && users.is_at_end().await?;
    if is_complete {
        forget_who_left(blobs, unreadable.keys(), members).await?;
        cursor::write(blobs, &SweepCursor { previous: Some(began_at), ..SweepCursor::default() }).await?;
    }
    // What fails here fails again when the watchdog lists, which reports it. A run that is cut hands over first.
    let listed = if is_complete { users.end().await.ok().map(Box::new) } else { None };
    let Walk { concurrency: AdaptiveConcurrency { requests, throttled, .. }, report, .. } = walk;
    Ok(SweepReport { is_complete, requests, throttled, took: started.elapsed(), listed, ..report })
}

fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// Users who are members no more are not asked about again.
async fn forget_who_left(
    blobs: &dyn BlobStore,
    unreadable: impl Iterator<Item = &UserId>,
    members: &[UserId],
) -> Result<(), StoreError> {
    for user in unreadable.filter(|user| members.binary_search(user).is_err()) {
        unreadable::delete(blobs, *user).await?;
    }
    Ok(())
}

/// How far a stretch was compared.
struct SweptStretch {
    /// All users up to this one were; none: not even the first.
    done_to: Option<UserId>,
    /// All users were.
    is_whole: bool,
    /// Why Graph ended it.
    failure: Option<GraphError>,
}

impl Walk<'_> {
    /// Compares the users of a stretch, each as soon as Graph has answered about them, and sends what follows from it.
    /// At the deadline, or when Graph fails, it ends with what was answered.
    async fn sweep_stretch(
        &mut self,
        stretch: Vec<SweptUser>,
        deadline: Option<Instant>,
    ) -> Result<SweptStretch, SweepError> {
        let Self { graph, comparison, run, trace, concurrency, report } = self;
        let queues = &*comparison.storage.queues;
        let order: Vec<UserId> = stretch.iter().map(|user| user.user).collect();
        let (members, others): (Vec<SweptUser>, Vec<SweptUser>) =
            stretch.into_iter().partition(|user| user.is_member && !user.record.is_forgotten());
        let is_checked = |user: &SweptUser| run.checked.binary_search(&user.user).is_ok();
        let leaves = |user: &SweptUser| is_checked(user) || (run.checks_unknown && comparison.knows_nothing_of(user));
        let (unknown, members): (Vec<SweptUser>, Vec<SweptUser>) = members.into_iter().partition(leaves);
        let ids: Vec<UserId> = members.iter().map(|user| user.user).collect();
        let mut members: HashMap<UserId, SweptUser> = members.into_iter().map(|user| (user.user, user)).collect();
        let (observed, mut observations) = mpsc::unbounded_channel();
        let read = Box::pin(concurrency.read(graph, &ids, deadline, observed, &run.progress));
        let compare = async {
            let mut checks = PendingChecks::default();
            report.count_unknown(unknown.len());
            let unsent = unknown.iter().filter(|user| !is_checked(user));
            unsent.for_each(|user| checks.add(user.user, FetchPolicy::IfChanged));
            run.progress.send_modify(|progress| {
                (progress.done, progress.checks) = (progress.done + unknown.len(), report.checks);
            });
            checks.send_full(queues, trace).await?;
            comparison.compare_all(others.into_iter().map(|user| (user, None)), &mut checks, report).await?;
            while let Some(batch) = observations.recv().await {
                let with_photo = batch.iter().filter(|(_, observation)| Observation::is_photo(observation)).count();
                let users: Vec<_> = batch
                    .into_iter()
                    .filter_map(|(user, observation)| Some((members.remove(&user)?, Some(observation))))
                    .collect();
                report.people += users.len();
                report.with_photo += with_photo;
                comparison.compare_all(users.into_iter(), &mut checks, report).await?;
                run.progress.send_modify(|progress| {
                    progress.with_photo += with_photo;
                    progress.checks = report.checks;
                });
                checks.send_full(queues, trace).await?;
            }
            Ok::<_, SweepError>(checks.send_all(queues, trace).await?)
        };
        let (read, compared) = tokio::join!(read, Box::pin(compare));
        compared?;
        let first_left = members.into_keys().min();
        let done = order.partition_point(|user| first_left.is_none_or(|left| *user < left));
        let done_to = order[..done].last().copied();
        Ok(SweptStretch { done_to, is_whole: first_left.is_none(), failure: read.err() })
    }

    fn log_progress(&self) {
        tracing::info!(
            people = self.report.people,
            of = self.report.population,
            checks = self.report.checks,
            requests = self.concurrency.requests,
            throttled = self.concurrency.throttled,
            "sweeping"
        );
    }
}
