//! A check message in, photos and audit entries and write-back messages out.
//!
//! This file handles the message: reads it, splits it, asks Graph once for everybody in it, and sends those who failed
//! back to the queue. What happens for one person is in `look`. Every message may come twice, late, or beside itself.

mod absence;
mod capture;
mod echo;
mod journal;
mod outcome;
mod reconciliation;
mod user_batch;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use photorelay_core::contract::{self, CauseKind, CheckMessage};
use photorelay_core::dead_letter::dead_letter;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::{CHECKS_QUEUE, Container};
use photorelay_core::photo::{PhotoLimits, RenditionSpec};
use photorelay_core::queue::Outgoing;
use photorelay_core::retry;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::target::Targets;

pub use journal::Journal;
pub use outcome::{ReconcileError, ReconcileOutcome};
use user_batch::UserBatch;

use crate::graph::{Graph, PhotoState, Priority};
use crate::jobs::notification_activity::ActivityRecorder;
use crate::jobs::scope::Scope;

/// How people are looked at.
#[derive(Debug, Clone)]
pub struct PropagateSettings {
    pub tenant: TenantId,
    pub targets: Targets,
    pub scope: Scope,
    pub renditions: Vec<RenditionSpec>,
    pub limits: PhotoLimits,
    /// How long a photo must be gone, and an ETag unchanged, before it is believed.
    pub hold: Duration,
    /// Captures per person within 24 hours; more than that is a loop or a game.
    pub captures_per_day: u32,
    /// How often the host delivers a message before it gives up.
    pub max_dequeue_count: u32,
    /// Users of one message who are looked at side by side.
    pub people_at_once: usize,
    /// How often people who fail come back before their message is dead-lettered. The sweep finds them again.
    pub max_attempts: u32,
}

#[derive(Debug, Clone)]
pub struct Propagate {
    graph: Arc<Graph>,
    storage: Storage,
    settings: Arc<PropagateSettings>,
    notified: Arc<ActivityRecorder>,
}

/// What became of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handled {
    pub people: usize,
    pub captured: usize,
    pub failed: usize,
}

impl Propagate {
    pub fn new(graph: Arc<Graph>, storage: Storage, settings: PropagateSettings) -> Self {
        Self { graph, storage, settings: Arc::new(settings), notified: Arc::default() }
    }

    /// Handles one message. An `Err` means that nothing could be said about it, not even to the queue: it has to be
    /// delivered again.
    pub async fn handle(&self, body: &[u8], dequeue_count: u32) -> Result<Handled, StoreError> {
        let message: CheckMessage = match contract::parse(body) {
            Ok(message) => message,
            Err(error) => {
                dead_letter(
                    &self.storage,
                    Container::State,
                    CHECKS_QUEUE,
                    body,
                    &format!("not a check message: {error}"),
                )
                .await?;
                return Ok(Handled::default());
            }
        };
        if message.cause.kind == CauseKind::Notification {
            self.notified.note(&*self.storage.blobs, Timestamp::now()).await;
        }
        if dequeue_count > 1 && message.users.len() > 1 {
            self.split(&message).await?;
            return Ok(Handled::default());
        }
        let refuse_undecoded = dequeue_count >= self.settings.max_dequeue_count;
        self.look_at_all(message, refuse_undecoded).await
    }

    /// Looks at one person now and writes down every step. What `photorelay check` does.
    pub async fn look_at(
        &self,
        user: UserId,
        message: &CheckMessage,
        journal: &mut Journal,
    ) -> Result<ReconcileOutcome, ReconcileError> {
        let state = self.graph.photo_state(user).await?;
        let people = UserBatch::of(&[user], Priority::Normal);
        reconciliation::Reconciliation::new(self, message, user, &people, false).run(state, journal).await
    }

    /// A message that was delivered before has failed its worker. One message each, so that one deadly photo cannot
    /// take the others with it.
    async fn split(&self, message: &CheckMessage) -> Result<(), StoreError> {
        let alone = message.users.iter().map(|user| {
            let message = CheckMessage { users: vec![*user], ..message.clone() };
            Outgoing::now(Bytes::from(contract::to_bytes(&message)))
        });
        tracing::info!(people = message.users.len(), "a message came back and is split into one for each person");
        self.storage.queues.send(CHECKS_QUEUE, alone.collect()).await
    }

    async fn look_at_all(&self, message: CheckMessage, refuse_undecoded: bool) -> Result<Handled, StoreError> {
        let priority = match message.cause.kind {
            CauseKind::Sweep => Priority::Low,
            CauseKind::Notification | CauseKind::Operator => Priority::Normal,
        };
        let states = match self.graph.photo_states(&message.users, priority).await {
            Ok(states) => states,
            Err(error) => {
                let failed: Vec<_> = message.users.iter().map(|user| (*user, error.retry_after())).collect();
                tracing::warn!(%error, people = failed.len(), "Graph does not answer; they go back to the queue");
                self.send_back(&message, &failed).await?;
                return Ok(Handled { people: failed.len(), captured: 0, failed: failed.len() });
            }
        };
        let message = &message;
        let people = &UserBatch::of(&message.users, priority);
        let results: Vec<(UserId, Result<ReconcileOutcome, ReconcileError>)> = stream::iter(states)
            .map(|(user, state)| async move {
                (user, self.look_at_one(message, user, people, state, refuse_undecoded).await)
            })
            .buffer_unordered(self.settings.people_at_once.max(1))
            .collect()
            .await;

        let mut handled = Handled { people: results.len(), ..Handled::default() };
        let mut failed = Vec::new();
        for (user, result) in results {
            match result {
                Ok(found) => {
                    handled.captured += usize::from(matches!(found, ReconcileOutcome::Captured { .. }));
                    tracing::info!(user.id = %user, found = %found, trace = message.traceparent, "looked");
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(user.id = %user, %error, attempt = message.attempt, "goes back to the queue");
                    failed.push((user, error.retry_after()));
                }
                Err(error) => {
                    let alone = CheckMessage { users: vec![user], ..message.clone() };
                    dead_letter(
                        &self.storage,
                        Container::State,
                        CHECKS_QUEUE,
                        &contract::to_bytes(&alone),
                        &error.to_string(),
                    )
                    .await?;
                    handled.failed += 1;
                }
            }
        }
        handled.failed += failed.len();
        self.send_back(message, &failed).await?;
        Ok(handled)
    }

    async fn look_at_one(
        &self,
        message: &CheckMessage,
        user: UserId,
        people: &UserBatch,
        state: Result<PhotoState, crate::graph::GraphError>,
        refuse_undecoded: bool,
    ) -> Result<ReconcileOutcome, ReconcileError> {
        // Boxed: the future of a whole look is large, and most looks end after one storage read.
        Box::pin(
            reconciliation::Reconciliation::new(self, message, user, people, refuse_undecoded)
                .run(state?, &mut Journal::silent()),
        )
        .await
    }

    /// Those who failed come back together as one new message, after the longest delay that a server asked for.
    async fn send_back(&self, message: &CheckMessage, failed: &[(UserId, Option<Duration>)]) -> Result<(), StoreError> {
        if failed.is_empty() {
            return Ok(());
        }
        let again = CheckMessage {
            users: failed.iter().map(|(user, _)| *user).collect(),
            attempt: message.attempt + 1,
            ..message.clone()
        };
        let body = contract::to_bytes(&again);
        if again.attempt >= self.settings.max_attempts {
            let reason = format!("failed {} times; the sweep will look again", again.attempt);
            return dead_letter(&self.storage, Container::State, CHECKS_QUEUE, &body, &reason).await;
        }
        let growing = retry::backoff(FIRST_DELAY, MAX_DELAY, message.attempt);
        let asked = failed.iter().filter_map(|(_, delay)| *delay).max();
        let delay = asked.unwrap_or_default().max(growing);
        self.storage.queues.send(CHECKS_QUEUE, vec![Outgoing::after(delay, body)]).await
    }
}

/// Between the attempts of people who failed, unless the server asked for more.
const FIRST_DELAY: Duration = Duration::from_secs(2);
const MAX_DELAY: Duration = Duration::from_secs(30 * 60);
