//! The daily pass: everybody in the trail is looked at as if a message had come, because receipts say what was done and
//! not what is. It is also due at once when this agent's settings changed that decide what is written.
//!
//! One page of names is held at a time, and the cursor is a blob: a pass that ended half-way goes on, with any agent.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use photorelay_core::audit;
use photorelay_core::contract::{self, Heartbeat, ReconciliationCursor, V1, WriteBack};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::queue::Outgoing;
use photorelay_core::store::StoreError;
use photorelay_core::target::Target;
use tokio_util::sync::CancellationToken;

use crate::documents;
use crate::operate::switch;
use crate::people::People;
use crate::queue::Agent;
use crate::writeback::WriteBackError;

/// People looked at side by side: few, so that changes are not kept waiting.
const CONCURRENCY: usize = 4;
/// The cursor is written after so many.
const STRIDE: usize = 100;
/// A pass whose cursor did not move for so long is taken over, and an agent that was silent so long is gone. Seconds.
const ABANDONED_AFTER: i64 = 600;

#[derive(Debug, Clone)]
pub struct FullReconciliationSettings {
    pub every: Duration,
    /// Only people whom this target serves are looked at.
    pub serving: Target,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FullReconciliationReport {
    pub looked_at: u64,
    /// They are tried again through the queue.
    pub failed: u64,
}

impl Agent {
    /// Whether nobody has finished a pass lately, and nobody is at it. One with other settings counts if it is another
    /// agent's who is alive: two that are configured differently would otherwise undo each other's pass for ever.
    pub async fn pass_is_due(&self, settings: &FullReconciliationSettings) -> Result<bool, StoreError> {
        let now = Timestamp::now().as_second();
        let Some(cursor) = self.cursor().await? else { return Ok(true) };
        let is_own = cursor.agent == self.writebacks.settings().agent;
        if cursor.settings != self.writebacks.fingerprint() {
            if is_own || !self.is_alive(&cursor.agent).await? {
                return Ok(true);
            }
            tracing::warn!(
                other = cursor.agent,
                "another agent of this target has other settings: give all agents of a target the same"
            );
        }
        Ok(match cursor.finished_at {
            Some(finished) => now - finished.as_second() >= settings.every.as_secs() as i64,
            None => is_own || now - cursor.at.as_second() >= ABANDONED_AFTER,
        })
    }

    /// Whether the agent's last heartbeat is young.
    async fn is_alive(&self, agent: &str) -> Result<bool, StoreError> {
        let name = names::heartbeat(&self.writebacks.settings().target, agent);
        let beat: Option<Heartbeat> = documents::read(&*self.storage.blobs, Container::Agents, &name).await?;
        Ok(beat.is_some_and(|beat| Timestamp::now().as_second() - beat.at.as_second() < ABANDONED_AFTER))
    }

    /// Looks at everybody, from where the last pass ended if it did not finish.
    pub async fn pass(
        &self,
        settings: &FullReconciliationSettings,
        stop: &CancellationToken,
    ) -> Result<FullReconciliationReport, WriteBackError> {
        let own = self.writebacks.settings();
        let fingerprint = self.writebacks.fingerprint();
        let unfinished =
            self.cursor().await?.filter(|cursor| cursor.finished_at.is_none() && cursor.settings == fingerprint);
        let now = Timestamp::now();
        let mut cursor = ReconciliationCursor {
            v: V1,
            target: own.target.clone(),
            agent: own.agent.clone(),
            settings: fingerprint,
            began_at: unfinished.as_ref().map_or(now, |cursor| cursor.began_at),
            at: now,
            done_to: unfinished.and_then(|cursor| cursor.done_to),
            finished_at: None,
        };
        let mut report = FullReconciliationReport::default();
        let mut trail = People::after(&*self.storage.blobs, cursor.done_to);
        while let Some(people) = trail.next().await? {
            for stride in people.chunks(STRIDE) {
                if stop.is_cancelled() {
                    return Ok(report);
                }
                if let Some(why) = switch::stopped(&self.storage, &own.target).await? {
                    return Err(WriteBackError::Down(why));
                }
                let mut looks = stream::iter(stride.to_vec())
                    .map(|user| self.look_at(settings, user))
                    .buffer_unordered(CONCURRENCY);
                while let Some(look) = looks.next().await {
                    report.looked_at += 1;
                    report.failed += u64::from(!look?);
                }
                cursor.done_to = stride.last().copied();
                cursor.at = Timestamp::now();
                self.save(&cursor).await?;
            }
        }
        cursor.finished_at = Some(Timestamp::now());
        self.save(&cursor).await?;
        tracing::info!(looked_at = report.looked_at, failed = report.failed, "everybody in the trail was looked at");
        Ok(report)
    }

    /// False if it has to be tried again; an `Err` ends the pass for now.
    async fn look_at(&self, settings: &FullReconciliationSettings, user: UserId) -> Result<bool, WriteBackError> {
        match self.bring_up_newest(settings, user).await {
            Ok(()) => Ok(true),
            Err(WriteBackError::Down(reason)) => Err(WriteBackError::Down(reason)),
            Err(WriteBackError::Hopeless(reason) | WriteBackError::Failed(reason)) => {
                tracing::warn!(user.id = %user, reason, "not brought up by the daily pass");
                Ok(false)
            }
        }
    }

    async fn bring_up_newest(&self, settings: &FullReconciliationSettings, user: UserId) -> Result<(), WriteBackError> {
        let blobs = &*self.storage.blobs;
        let sequence = audit::sequence_numbers(blobs, user).await?;
        let Some(newest) = audit::newest_not_refused(blobs, user, &sequence).await? else { return Ok(()) };
        if !settings.serving.serves(newest.entry.identity.domain.as_deref()) {
            return Ok(());
        }
        let Some(message) = WriteBack::announcing(&newest.entry, newest.sha256) else { return Ok(()) };
        let brought = self.bring_up_alone(user, &message).await;
        if let Err(WriteBackError::Failed(_)) = &brought {
            // There it gets its growing delays, and its end if it must have one.
            let body = contract::to_bytes(&message);
            self.storage.queues.send(&self.queue, vec![Outgoing::now(body)]).await?;
        }
        brought
    }

    async fn cursor(&self) -> Result<Option<ReconciliationCursor>, StoreError> {
        let name = names::reconciliation_cursor(&self.writebacks.settings().target);
        documents::read(&*self.storage.blobs, Container::Agents, &name).await
    }

    async fn save(&self, cursor: &ReconciliationCursor) -> Result<(), StoreError> {
        documents::put(&*self.storage.blobs, Container::Agents, &names::reconciliation_cursor(&cursor.target), cursor)
            .await
    }
}
