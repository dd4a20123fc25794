//! What the agent leaves behind: receipts, created once, notes, replaced freely, and what it holds for an operator.

use jiff::Timestamp;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{ApprovalReason, Note, NoteKind, Outcome, PendingApproval, Receipt, V1, WriteBack};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::{Creation, StoreError};
use photorelay_core::telemetry::metrics;

use crate::documents;

use super::{WriteBackError, WriteBacks, WritebackOutcome};

/// How one round ended for a person.
pub(super) enum ActOutcome {
    /// The target shows what it should.
    Shows {
        outcome: Outcome,
        before: Option<Digest>,
        after: Option<Digest>,
    },
    /// It never can, for this entry; it goes on showing what it shows.
    Refused {
        reason: String,
        shows: Option<Digest>,
    },
    Noted {
        kind: NoteKind,
        reason: String,
    },
    /// Somebody else wrote: start again.
    Again,
}

impl ActOutcome {
    pub(super) fn noted(kind: NoteKind, reason: &str) -> Self {
        Self::Noted { kind, reason: reason.to_owned() }
    }
}

impl WriteBacks {
    /// Leaves the receipt of the entry, and of the announced one if a later entry was brought up instead.
    pub(super) async fn receipt(
        &self,
        user: UserId,
        message: &WriteBack,
        newest: &Committed,
        ending: ActOutcome,
    ) -> Result<Outcome, WriteBackError> {
        let seq = newest.entry.seq;
        let (outcome, reason, before, after) = match ending {
            ActOutcome::Refused { reason, shows } => (Outcome::Refused, Some(reason), shows, shows),
            ActOutcome::Shows { outcome, before, after } => (outcome, None, before, after),
            ActOutcome::Noted { .. } | ActOutcome::Again => {
                return Err(WriteBackError::Failed(format!("entry {seq} has not ended and has no receipt")));
            }
        };
        let receipt = Receipt {
            v: V1,
            user_id: user,
            seq,
            target: self.settings.target.clone(),
            outcome,
            reason,
            entry_sha256: newest.sha256,
            before,
            after,
            server: self.target.server(),
            agent: self.settings.agent.clone(),
            at: Timestamp::now(),
            traceparent: newest.entry.traceparent.clone(),
        };
        let is_first = self.create_receipt(&receipt).await?;
        if is_first {
            metrics::received(outcome, newest.entry.observed_at, receipt.at);
        }
        match &receipt.reason {
            // Told once: the daily pass comes to the same end every day.
            Some(_) if !is_first => {}
            Some(reason) => tracing::warn!(user.id = %user, seq, reason, "refused"),
            None => tracing::info!(user.id = %user, seq, ?outcome, trace = receipt.traceparent, "brought up"),
        }
        if seq > message.data.seq {
            let superseded = Receipt {
                seq: message.data.seq,
                outcome: Outcome::Superseded,
                reason: Some(format!("by entry {seq}")),
                entry_sha256: message.data.entry_sha256,
                traceparent: message.traceparent.clone(),
                ..receipt
            };
            if self.create_receipt(&superseded).await? {
                metrics::received(superseded.outcome, newest.entry.observed_at, superseded.at);
            }
        }
        Ok(outcome)
    }

    /// False if there is one already: it says of an earlier time what became of the entry.
    async fn create_receipt(&self, receipt: &Receipt) -> Result<bool, WriteBackError> {
        let name = names::receipt(receipt.user_id, receipt.seq, &receipt.target);
        let created = documents::create(&*self.storage.blobs, Container::Receipts, &name, receipt).await?;
        Ok(created == Creation::Created)
    }

    pub(crate) async fn note(
        &self,
        user: UserId,
        seq: u32,
        kind: NoteKind,
        reason: &str,
    ) -> Result<WritebackOutcome, WriteBackError> {
        let note = Note {
            v: V1,
            user_id: user,
            seq,
            target: self.settings.target.clone(),
            note: kind,
            reason: reason.to_owned(),
            agent: self.settings.agent.clone(),
            at: Timestamp::now(),
        };
        let name = names::note(user, &self.settings.target);
        documents::put(&*self.storage.blobs, Container::Agents, &name, &note).await?;
        metrics::written_back("noted");
        tracing::info!(user.id = %user, seq, note = ?kind, reason, "not written");
        Ok(WritebackOutcome::Noted(kind))
    }

    /// Leaves the entry for an operator.
    pub(super) async fn hold(
        &self,
        user: UserId,
        seq: u32,
        held_for: ApprovalReason,
        value: Digest,
        reason: String,
    ) -> Result<ActOutcome, WriteBackError> {
        // What is held already keeps its time and its reason.
        if self.held(user, seq).await?.is_none_or(|held| held.value != value) {
            let held = PendingApproval {
                v: V1,
                user_id: user,
                seq,
                target: self.settings.target.clone(),
                held_for,
                value,
                reason: reason.clone(),
                agent: self.settings.agent.clone(),
                at: Timestamp::now(),
            };
            let name = names::held(user, seq, &self.settings.target);
            documents::put(&*self.storage.blobs, Container::Agents, &name, &held).await?;
        }
        Ok(ActOutcome::Noted { kind: NoteKind::Held, reason })
    }

    pub(super) async fn held(&self, user: UserId, seq: u32) -> Result<Option<PendingApproval>, StoreError> {
        documents::read(&*self.storage.blobs, Container::Agents, &names::held(user, seq, &self.settings.target)).await
    }

    /// What was approved is done: it is held no more.
    pub(super) async fn release(&self, user: UserId, seq: u32) -> Result<(), StoreError> {
        self.storage.blobs.delete(Container::Agents, &names::held(user, seq, &self.settings.target)).await
    }
}
