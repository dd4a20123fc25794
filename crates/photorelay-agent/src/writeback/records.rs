//! What the agent leaves behind: receipts, created once, and notes, replaced freely.

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{self, Note, NoteKind, Outcome, Receipt, V1, WriteBack};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::Metadata;
use photorelay_core::telemetry::metrics;

use super::{Done, Round, WriteBackError, WriteBacks};

impl WriteBacks {
    /// Leaves the receipt of the entry, and of the announced one if a later entry was brought up instead.
    #[expect(clippy::too_many_arguments, reason = "a receipt has so many members")]
    pub(super) async fn receipt(
        &self,
        user: UserId,
        message: &WriteBack,
        newest: &Committed,
        outcome: Outcome,
        reason: Option<String>,
        before: Option<Digest>,
        after: Option<Digest>,
    ) -> Result<(), WriteBackError> {
        let receipt = Receipt {
            v: V1,
            user_id: user,
            seq: newest.entry.seq,
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
        self.create_receipt(&receipt).await?;
        metrics::received(outcome, newest.entry.observed_at, receipt.at);
        if newest.entry.seq > message.data.seq {
            let superseded = Receipt {
                seq: message.data.seq,
                outcome: Outcome::Superseded,
                reason: Some(format!("by entry {}", newest.entry.seq)),
                entry_sha256: message.data.entry_sha256,
                traceparent: message.traceparent.clone(),
                ..receipt
            };
            self.create_receipt(&superseded).await?;
            metrics::received(superseded.outcome, newest.entry.observed_at, superseded.at);
        }
        Ok(())
    }

    async fn create_receipt(&self, receipt: &Receipt) -> Result<(), WriteBackError> {
        let name = names::receipt(receipt.user_id, receipt.seq, &receipt.target);
        let content = Bytes::from(contract::to_bytes(receipt));
        // One that exists already says the same of an earlier time.
        self.storage.blobs.create(Container::Receipts, &name, "application/json", content).await?;
        Ok(())
    }

    pub(super) async fn note(
        &self,
        user: UserId,
        seq: u32,
        kind: NoteKind,
        reason: &str,
    ) -> Result<Round, WriteBackError> {
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
        let content = Bytes::from(contract::to_bytes(&note));
        self.storage.blobs.put(Container::Agents, &name, "application/json", content, &Metadata::new()).await?;
        metrics::written_back("noted");
        tracing::info!(user.id = %user, seq, note = ?kind, reason, "not written");
        Ok(Round::Done(Done::Noted(kind)))
    }
}
