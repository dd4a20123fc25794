//! A check message in, photos and audit entries and write-back messages out.
//!
//! This file handles the message: parses it, splits it on redelivery, asks Graph for all of its users together, and sends
//! those that failed back to the queue. `steps` reconciles one user. Every message may come twice, late, or beside a
//! copy of itself. It owns the failures "a message that cannot be read" and "a photo that kills its worker".

mod absence;
mod announce;
mod commit;
mod compare;
mod confirm;
mod context;
mod daily_limit;
mod echo;
mod examine;
mod failure;
mod fetch;
mod journal;
mod lost_photo;
mod membership;
mod outcome;
mod photo;
mod photo_room;
mod read_trail;
mod settings;
mod shared_reads;
mod steps;
mod store;
mod user_batch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use jiff::Timestamp;
use photorelay_core::contract::{self, CauseKind, CheckMessage, MAX_PEOPLE_PER_CHECK};
use photorelay_core::dead_letter::dead_letter;
use photorelay_core::id::UserId;
use photorelay_core::names::{CHECKS_QUEUE, Container};
use photorelay_core::queue::Outgoing;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::telemetry::{self, metrics};
use tracing::Instrument;

pub use journal::Journal;
pub use outcome::{ReconcileError, ReconcileOutcome};
pub use settings::PropagateSettings;

use context::{Reconciliation, Seats};
use failure::{NextCheck, common_delay, next_check};
use photo_room::PhotoRoom;
use shared_reads::{Meeting, SharedReadTerms};
use user_batch::UserBatch;

use crate::graph::{Graph, GraphError, MAX_BATCH, MAX_PHOTOS_IN_BATCH, PROMPT_STATES, PhotoState, Priority};
use crate::jobs::notification_activity::ActivityRecorder;
use crate::jobs::unreadable;

/// Photos of users who come to the fetch at about the same time share a request.
const FETCHING: SharedReadTerms = SharedReadTerms { most: MAX_PHOTOS_IN_BATCH, patience: Duration::from_millis(50) };
/// By then everything is announced, and only the head waits.
const CONFIRMING: SharedReadTerms = SharedReadTerms { most: PROMPT_STATES, patience: Duration::from_secs(1) };
/// Users who failed together this often are checked in ever smaller messages, because one of them may be the reason.
const TOGETHER_UNTIL: u32 = 4;

#[derive(Debug, Clone)]
pub struct Propagate {
    graph: Arc<Graph>,
    storage: Storage,
    settings: Arc<PropagateSettings>,
    activity: Arc<ActivityRecorder>,
    room: PhotoRoom,
}

/// What became of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handled {
    pub people: usize,
    pub captured: usize,
    pub failed: usize,
}

/// A message whose users are being reconciled.
struct Check<'a> {
    message: &'a CheckMessage,
    batch: &'a UserBatch,
    begun_at: Timestamp,
    /// As [`Reconciliation::is_redelivered`].
    is_redelivered: bool,
}

type PhotoStates = Vec<(UserId, Result<PhotoState, GraphError>)>;

/// A user whose check has to be repeated.
struct FailedCheck {
    user: UserId,
    delay: Duration,
    reason: String,
}

impl Propagate {
    pub fn new(graph: Arc<Graph>, storage: Storage, settings: PropagateSettings) -> Self {
        let room = PhotoRoom::new(&settings);
        Self { graph, storage, settings: Arc::new(settings), activity: Arc::default(), room }
    }

    /// Handles one message. An `Err` means that its outcome could not even be sent to the queue: the message has to be
    /// delivered again.
    pub async fn handle(&self, body: &[u8], dequeue_count: u32) -> Result<Handled, StoreError> {
        let mut message: CheckMessage = match contract::parse(body) {
            Ok(message) => message,
            Err(error) => {
                self.dead_letter(body, &format!("not a check message: {error}")).await?;
                return Ok(Handled::default());
            }
        };
        // Graph refuses a batch that names a user twice.
        let mut named = BTreeSet::new();
        message.users.retain(|user| named.insert(*user));
        if dequeue_count > 1 {
            // Its worker failed or died, perhaps after it had recorded that another check waits: this one.
            message.attempt = message.attempt.max(1);
        }
        if message.cause.kind == CauseKind::Notification {
            self.activity.note(&*self.storage.blobs, Timestamp::now()).await;
        }
        if dequeue_count > 1 && message.users.len() > 1 {
            self.split(&message).await?;
            return Ok(Handled::default());
        }
        self.reconcile_all(&message, dequeue_count > 1).await
    }

    /// Reconciles one user now and records every step. What `photorelay check` does.
    pub async fn check(
        &self,
        user: UserId,
        message: &CheckMessage,
        journal: &mut Journal,
    ) -> Result<ReconcileOutcome, ReconcileError> {
        let begun_at = Timestamp::now();
        let state = self.graph.photo_state(user).await?;
        let batch = UserBatch::of(&[user], Priority::Normal);
        let check = Check { message, batch: &batch, begun_at, is_redelivered: false };
        self.reconcile(&check, user, state, Seats::none(), journal).await
    }

    /// A message that was delivered before has failed its worker. One message each, so that one deadly photo cannot
    /// take the others with it.
    async fn split(&self, message: &CheckMessage) -> Result<(), StoreError> {
        let alone = message.users.iter().map(|user| {
            let message = CheckMessage { users: vec![*user], ..message.clone() };
            Outgoing::now(Bytes::from(contract::to_bytes(&message)))
        });
        tracing::info!(people = message.users.len(), "a message was redelivered and is split into one for each user");
        self.storage.queues.send(CHECKS_QUEUE, alone.collect()).await
    }

    async fn reconcile_all(&self, message: &CheckMessage, is_redelivered: bool) -> Result<Handled, StoreError> {
        let priority = if is_of_sweep(message) { Priority::Low } else { Priority::Normal };
        let batch = UserBatch::of(&message.users, priority);
        let mut work = Box::pin(self.reconcile_with(message, &batch, priority, is_redelivered));
        // A user who needs the properties waits for them; no other does.
        tokio::select! {
            handled = &mut work => return handled,
            () = self.expect_changes(message, &batch) => {}
        }
        work.await
    }

    async fn reconcile_with(
        &self,
        message: &CheckMessage,
        batch: &UserBatch,
        priority: Priority,
        is_redelivered: bool,
    ) -> Result<Handled, StoreError> {
        let begun_at = Timestamp::now();
        let states = match self.states(message, priority).await {
            Ok(states) => states,
            Err(error) if message.users.len() > 1 || !error.is_about_the_user() => {
                let people = message.users.len();
                tracing::warn!(%error, people, "Graph does not answer; the users go back to the queue");
                let error = ReconcileError::from(error);
                let (delay, reason) = (common_delay(&error, message.attempt), error.to_string());
                let failed = |user: &UserId| FailedCheck { user: *user, delay, reason: reason.clone() };
                self.send_back(message, message.users.iter().map(failed).collect()).await?;
                return Ok(Handled { people, captured: 0, failed: people });
            }
            Err(error) => {
                let failed = message.users.iter().map(|user| (*user, Err(error.clone().into())));
                return self.settle(message, failed.collect()).await;
            }
        };
        let check = &Check { message, batch, begun_at, is_redelivered };
        let (photos, photo_seats) = Meeting::of(states.len(), FETCHING);
        let (confirmations, state_seats) = Meeting::of(states.len(), CONFIRMING);
        let seats = photo_seats.into_iter().zip(state_seats).map(|(photo, state)| Seats { photo, state });
        let reconciled = states.into_iter().zip(seats).map(|((user, state), seats)| async move {
            (user, self.reconcile_silently(check, user, state, seats).await)
        });
        let graph = &*self.graph;
        let fetch = |users: Vec<UserId>| async move { graph.photos(&users, priority).await };
        let read_again = |users: Vec<UserId>| async move { graph.photo_states_again(&users, priority).await };
        let (results, (), ()) =
            tokio::join!(join_all(reconciled), photos.serve(fetch), confirmations.serve(read_again));
        self.settle(message, results).await
    }

    /// What Graph says about the photos of all users: in one request, or sooner in several if a sweep found that they
    /// differ.
    async fn states(&self, message: &CheckMessage, priority: Priority) -> Result<PhotoStates, GraphError> {
        let together = if is_of_sweep(message) { PROMPT_STATES } else { MAX_BATCH };
        let parts = message.users.chunks(together).map(|users| async move {
            let states = self.graph.photo_states(users, priority).await;
            states.map_err(|error| (users, error))
        });
        let answers = join_all(parts).await;
        let mut states = Vec::with_capacity(message.users.len());
        let is_any_answered = answers.iter().any(Result::is_ok);
        for answer in answers {
            match answer {
                Ok(of_part) => states.extend(of_part),
                // The others of the message are not to wait for these.
                Err((users, error)) if is_any_answered => {
                    states.extend(users.iter().map(|user| (*user, Err(error.clone()))));
                }
                Err((_, error)) => return Err(error),
            }
        }
        Ok(states)
    }

    /// A sweep found that these users differ: their properties will be needed, and are requested at once.
    async fn expect_changes(&self, message: &CheckMessage, batch: &UserBatch) {
        if is_of_sweep(message) {
            batch.prefetch(&self.graph).await;
        }
    }

    /// Counts the outcomes, and sends the users that failed back to the queue or to the dead letters.
    async fn settle(
        &self,
        message: &CheckMessage,
        results: Vec<(UserId, Result<ReconcileOutcome, ReconcileError>)>,
    ) -> Result<Handled, StoreError> {
        let mut handled = Handled { people: results.len(), ..Handled::default() };
        let blobs = &*self.storage.blobs;
        let mut failed = Vec::new();
        for (user, result) in results {
            let error = match result {
                Ok(outcome) => {
                    handled.captured += usize::from(matches!(outcome, ReconcileOutcome::Captured { .. }));
                    tracing::info!(user.id = %user, found = %outcome, trace = message.traceparent, "looked");
                    if message.attempt > 0 {
                        unreadable::delete(blobs, user).await?;
                    }
                    continue;
                }
                Err(error) => error,
            };
            handled.failed += 1;
            match next_check(blobs, user, message.attempt, &error, Timestamp::now()).await? {
                NextCheck::Queued { delay } => failed.push(FailedCheck { user, delay, reason: error.to_string() }),
                NextCheck::NotQueued => {}
                NextCheck::DeadLettered => {
                    let alone = CheckMessage { users: vec![user], ..message.clone() };
                    self.dead_letter(&contract::to_bytes(&alone), &error.to_string()).await?;
                }
            }
        }
        self.send_back(message, failed).await?;
        Ok(handled)
    }

    async fn reconcile_silently(
        &self,
        check: &Check<'_>,
        user: UserId,
        state: Result<PhotoState, GraphError>,
        seats: Seats,
    ) -> Result<ReconcileOutcome, ReconcileError> {
        // Boxed: the future of all eight steps is large, and most reconciliations end after one storage read.
        Box::pin(self.reconcile(check, user, state?, seats, &mut Journal::silent())).await
    }

    async fn reconcile(
        &self,
        check: &Check<'_>,
        user: UserId,
        state: PhotoState,
        seats: Seats,
        journal: &mut Journal,
    ) -> Result<ReconcileOutcome, ReconcileError> {
        let started = Instant::now();
        let span = tracing::info_span!("look", user.id = %user, trace.id = tracing::field::Empty);
        let trace = telemetry::step(&span, check.message.traceparent.as_deref());
        let mut cx = Reconciliation {
            graph: &self.graph,
            storage: &self.storage,
            settings: &self.settings,
            message: check.message,
            user,
            batch: check.batch,
            seats,
            room: &self.room,
            begun_at: check.begun_at,
            is_redelivered: check.is_redelivered,
            trace,
            journal,
        };
        let result = steps::reconcile(&mut cx, state).instrument(span).await;
        metrics::looked(result.as_ref().map_or("failed", ReconcileOutcome::word), started.elapsed());
        result
    }

    /// Users that failed come back in new messages: those who asked for a longer delay than the others by themselves.
    async fn send_back(&self, message: &CheckMessage, failed: Vec<FailedCheck>) -> Result<(), StoreError> {
        let attempt = message.attempt.saturating_add(1);
        let mut by_delay: BTreeMap<Duration, Vec<FailedCheck>> = BTreeMap::new();
        for one in failed {
            by_delay.entry(one.delay).or_default().push(one);
        }
        let mut outgoing = Vec::new();
        for (delay, together) in by_delay {
            for some in together.chunks(people_in_message(attempt)) {
                let users = some.iter().map(|one| one.user).collect();
                let again = contract::to_bytes(&CheckMessage { users, attempt, ..message.clone() });
                if attempt < self.settings.max_attempts {
                    outgoing.push(Outgoing::after(delay, again));
                    continue;
                }
                let last = some.last().map_or("", |one| &one.reason);
                let reason = format!("failed {attempt} times; the sweep will check again. The last failure: {last}");
                self.dead_letter(&again, &reason).await?;
            }
        }
        if outgoing.is_empty() {
            return Ok(());
        }
        self.storage.queues.send(CHECKS_QUEUE, outgoing).await
    }

    async fn dead_letter(&self, body: &[u8], reason: &str) -> Result<(), StoreError> {
        dead_letter(&self.storage, Container::State, CHECKS_QUEUE, body, reason).await
    }
}

fn is_of_sweep(message: &CheckMessage) -> bool {
    message.cause.kind == CauseKind::Sweep
}

/// How many users who failed are checked in one message at this attempt: half as many each time.
fn people_in_message(attempt: u32) -> usize {
    let halvings = attempt.saturating_sub(TOGETHER_UNTIL).min(MAX_PEOPLE_PER_CHECK.ilog2() + 1);
    (MAX_PEOPLE_PER_CHECK >> halvings).max(1)
}
