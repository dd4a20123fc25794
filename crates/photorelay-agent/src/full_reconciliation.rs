//! The full reconciliation: every user of the trail is brought up as if a message had come, because receipts record what
//! was done and not what is. It is also due at once when this agent's settings changed that decide what is written.
//!
//! One page of names is held at a time, and the cursor is a blob: one that was interrupted continues, with any agent.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use photorelay_core::contract::{self, Heartbeat, ReconciliationCursor, V1, WriteBack};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::target::Target;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::stop_switch::StopCheck;
use crate::writeback::{Reconciler, WriteBackError};

/// Users brought up side by side: few, so that changes are not delayed.
const CONCURRENCY: usize = 4;
/// The cursor is saved after so many users.
const STRIDE: usize = 100;
/// After so many seconds without a move of the cursor, another agent takes over; an agent that was silent for as long is
/// gone.
const ABANDONED_AFTER: i64 = 600;
/// How often it is checked whether one is due.
const CHECK_EVERY: Duration = Duration::from_secs(300);

#[derive(Debug, Clone)]
pub struct FullReconciliationSettings {
    pub every: Duration,
    /// Only users that this target serves are brought up.
    pub serving: Target,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FullReconciliationReport {
    pub looked_at: u64,
    /// They are tried again through the queue.
    pub failed: u64,
}

#[derive(Debug)]
pub struct FullReconciliation {
    settings: FullReconciliationSettings,
    reconciler: Reconciler,
    blobs: ScopedBlobs,
    switch: StopCheck,
    queues: Arc<dyn QueueStore>,
    queue: String,
    health: Arc<Health>,
}

impl FullReconciliation {
    pub(crate) fn new(
        storage: &Storage,
        reconciler: Reconciler,
        queue: &str,
        settings: FullReconciliationSettings,
        health: Arc<Health>,
    ) -> Self {
        const GRANTS: &[Grant] =
            &[Grant::write(Container::Agents, "passes/"), Grant::read(Container::Agents, names::HEARTBEATS_PREFIX)];
        Self {
            settings,
            blobs: ScopedBlobs::new(&storage.blobs, GRANTS),
            switch: StopCheck::new(&storage.blobs, &reconciler.settings().target),
            reconciler,
            queues: Arc::clone(&storage.queues),
            queue: queue.to_owned(),
            health,
        }
    }

    /// Runs whenever one is due, until stopped.
    pub(crate) async fn run_when_due(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let result = async {
                if self.is_due().await? {
                    self.run(stop).await?;
                }
                Ok::<_, WriteBackError>(())
            };
            if let Err(error) = result.await {
                tracing::warn!(%error, "the full reconciliation was interrupted and continues later");
            }
            tokio::select! {
                () = tokio::time::sleep(CHECK_EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Whether none was finished lately and none is under way. One with other settings counts if its agent is another
    /// one that is alive: two that are configured differently would otherwise undo each other's work for ever.
    pub async fn is_due(&self) -> Result<bool, StoreError> {
        let now = Timestamp::now().as_second();
        let Some(cursor) = self.cursor().await? else { return Ok(true) };
        let is_own = cursor.agent == self.reconciler.settings().agent;
        if cursor.settings != self.reconciler.fingerprint() {
            if is_own || !self.is_alive(&cursor.agent).await? {
                return Ok(true);
            }
            tracing::warn!(
                other = cursor.agent,
                "another agent of this target has other settings: give all agents of a target the same"
            );
        }
        Ok(match cursor.finished_at {
            Some(finished) => now - finished.as_second() >= self.settings.every.as_secs() as i64,
            None => is_own || now - cursor.at.as_second() >= ABANDONED_AFTER,
        })
    }

    /// Whether the agent's last heartbeat is recent.
    async fn is_alive(&self, agent: &str) -> Result<bool, StoreError> {
        let name = names::heartbeat(&self.reconciler.settings().target, agent);
        let heartbeat: Option<Heartbeat> = documents::read(&self.blobs, Container::Agents, &name).await?;
        Ok(heartbeat.is_some_and(|last| Timestamp::now().as_second() - last.at.as_second() < ABANDONED_AFTER))
    }

    /// Brings up every user, from where the last one ended if it did not finish.
    pub async fn run(&self, stop: &CancellationToken) -> Result<FullReconciliationReport, WriteBackError> {
        let mut cursor = self.started().await?;
        let mut report = FullReconciliationReport::default();
        let mut trail = self.reconciler.trail().users_after(cursor.done_to);
        while let Some(users) = trail.next_page().await? {
            for stride in users.chunks(STRIDE) {
                if stop.is_cancelled() {
                    return Ok(report);
                }
                if let Some(why) = self.switch.reason().await? {
                    return Err(WriteBackError::Down(why));
                }
                let mut results =
                    stream::iter(stride.to_vec()).map(|user| self.bring_up(user)).buffer_unordered(CONCURRENCY);
                while let Some(brought_up) = results.next().await {
                    report.looked_at += 1;
                    report.failed += u64::from(!brought_up?);
                }
                cursor.done_to = stride.last().copied();
                cursor.at = Timestamp::now();
                self.save(&cursor).await?;
            }
        }
        cursor.finished_at = Some(Timestamp::now());
        self.save(&cursor).await?;
        tracing::info!(looked_at = report.looked_at, failed = report.failed, "every user of the trail was reconciled");
        Ok(report)
    }

    /// The cursor to start with: the last one's if it did not finish and had the same settings.
    async fn started(&self) -> Result<ReconciliationCursor, StoreError> {
        let (own, fingerprint) = (self.reconciler.settings(), self.reconciler.fingerprint());
        let unfinished =
            self.cursor().await?.filter(|cursor| cursor.finished_at.is_none() && cursor.settings == fingerprint);
        let now = Timestamp::now();
        Ok(ReconciliationCursor {
            v: V1,
            target: own.target.clone(),
            agent: own.agent.clone(),
            settings: fingerprint,
            began_at: unfinished.as_ref().map_or(now, |cursor| cursor.began_at),
            at: now,
            done_to: unfinished.and_then(|cursor| cursor.done_to),
            finished_at: None,
        })
    }

    /// False if it has to be tried again; an `Err` ends the reconciliation for now.
    async fn bring_up(&self, user: UserId) -> Result<bool, WriteBackError> {
        match self.bring_up_newest(user).await {
            Ok(()) => Ok(true),
            Err(WriteBackError::Down(reason)) => Err(WriteBackError::Down(reason)),
            Err(WriteBackError::Hopeless(reason) | WriteBackError::Failed(reason)) => {
                tracing::warn!(user.id = %user, reason, "not brought up by the full reconciliation");
                Ok(false)
            }
        }
    }

    async fn bring_up_newest(&self, user: UserId) -> Result<(), WriteBackError> {
        let Some(newest) = self.reconciler.trail().latest(user).await? else { return Ok(()) };
        if !self.settings.serving.serves(newest.entry.identity.domain.as_deref()) {
            return Ok(());
        }
        let Some(message) = WriteBack::announcing(&newest.entry, newest.sha256) else { return Ok(()) };
        let outcome = self.reconciler.bring_up(user, &message).await;
        let result = outcome.map(|outcome| self.health.brought_up(user, &outcome));
        if let Err(WriteBackError::Failed(_)) = &result {
            // In the queue it is retried with growing delays, and dead-lettered in the end.
            let body = contract::to_bytes(&message.sent_now());
            self.queues.send(&self.queue, vec![Outgoing::now(body)]).await?;
        }
        result
    }

    async fn cursor(&self) -> Result<Option<ReconciliationCursor>, StoreError> {
        let name = names::reconciliation_cursor(&self.reconciler.settings().target);
        documents::read(&self.blobs, Container::Agents, &name).await
    }

    async fn save(&self, cursor: &ReconciliationCursor) -> Result<(), StoreError> {
        documents::replace(&self.blobs, Container::Agents, &names::reconciliation_cursor(&cursor.target), cursor).await
    }
}
