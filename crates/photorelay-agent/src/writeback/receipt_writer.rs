//! Writes what the agent leaves behind: receipts, created once; notes, of which the newest is replaced and each is recorded
//! once; and back-ups of the values that it replaces or holds, created before the target changes.
//!
//! A receipt that says more than the one that counts is left beside it under the next number. It touches neither the
//! trail nor a target.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{Note, Outcome, Receipt, V1};
use photorelay_core::documents::{self, Document};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, ReceiptName};
use photorelay_core::receipts;
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, Creation, StoreError};
use photorelay_core::telemetry::metrics;

use super::outcome::{ReceivedMessage, Settlement, Unwritten, WritebackOutcome};
use crate::figures::FiguresRecorder;

/// Signs with the names of target and agent.
#[derive(Debug, Clone)]
pub(crate) struct ReceiptWriter {
    blobs: ScopedBlobs,
    target: String,
    agent: String,
    figures: Arc<FiguresRecorder>,
}

impl ReceiptWriter {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, target: &str, agent: &str) -> Self {
        const GRANTS: &[Grant] =
            &[Grant::write(Container::Receipts, ""), Grant::write(Container::Agents, names::NOTES_PREFIX)];
        let figures = Arc::new(FiguresRecorder::new(blobs, target, agent));
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), target: target.to_owned(), agent: agent.to_owned(), figures }
    }

    pub(crate) fn figures(&self) -> &FiguresRecorder {
        &self.figures
    }

    /// Leaves the receipt of the entry, and of the announced one if a later entry was brought up instead. Returns whether
    /// the first of them says something new.
    pub(crate) async fn settle(
        &self,
        received: ReceivedMessage<'_>,
        newest: &Committed,
        settlement: Settlement,
        server: String,
    ) -> Result<(WritebackOutcome, bool), StoreError> {
        let message = received.message;
        let (user, seq, outcome) = (newest.entry.user_id, newest.entry.seq, settlement.outcome);
        let receipt = Receipt {
            v: V1,
            user_id: user,
            seq,
            target: self.target.clone(),
            outcome,
            reason: settlement.reason,
            entry_sha256: newest.sha256,
            before: settlement.before,
            after: settlement.after,
            server,
            agent: self.agent.clone(),
            announced_at: received.announced_at(seq),
            received_at: Some(received.at),
            at: Timestamp::now(),
            traceparent: newest.entry.traceparent.clone(),
        };
        let is_news = self.leave(&receipt, newest).await?;
        match &receipt.reason {
            // Logged once: every full reconciliation comes to the same end.
            Some(_) if !is_news => {}
            Some(reason) => tracing::warn!(user.id = %user, seq, reason, "refused"),
            None => tracing::info!(user.id = %user, seq, ?outcome, trace = receipt.traceparent, "brought up"),
        }
        let result = match &receipt.reason {
            Some(reason) => WritebackOutcome::Refused { seq, reason: reason.clone() },
            None => WritebackOutcome::Receipt { seq, outcome },
        };
        if seq > message.data.seq {
            let superseded = Receipt {
                seq: message.data.seq,
                outcome: Outcome::Superseded,
                reason: Some(format!("by entry {seq}")),
                entry_sha256: message.data.entry_sha256,
                announced_at: message.data.announced_at,
                traceparent: message.traceparent.clone(),
                ..receipt
            };
            self.leave(&superseded, newest).await?;
        }
        Ok((result, is_news))
    }

    /// False if the receipt that counts says as much already.
    async fn leave(&self, receipt: &Receipt, newest: &Committed) -> Result<bool, StoreError> {
        let mut name = ReceiptName::first(receipt.user_id, receipt.seq, &receipt.target);
        let mut was_shown = false;
        while self.create(&name, receipt).await? == Creation::AlreadyExists {
            let (counting, next) = self.counting(name).await?;
            // One that cannot be read says nothing.
            if let Some(counting) = counting {
                if !receipt.says_more_than(&counting) && !self.was_undone(receipt, &counting).await? {
                    return Ok(false);
                }
                was_shown = counting.outcome.is_shown();
            }
            name = next;
        }
        // Written again: how long ago the photo was observed says nothing about photorelay.
        let observed_at = (!was_shown).then_some(newest.entry.observed_at);
        metrics::received(receipt.outcome, observed_at, receipt.at);
        self.figures.received(receipt, newest, !was_shown);
        Ok(true)
    }

    /// With its digest in the metadata, so that a checkpoint need not read it.
    async fn create(&self, name: &ReceiptName, receipt: &Receipt) -> Result<Creation, StoreError> {
        let metadata = |bytes: &[u8]| audit::receipt_metadata(Digest::of(bytes));
        documents::create_with_metadata(&self.blobs, Container::Receipts, &name.to_string(), receipt, metadata).await
    }

    /// Whether the target was written again after an operator had undone what the receipt that counts says.
    async fn was_undone(&self, receipt: &Receipt, counting: &Receipt) -> Result<bool, StoreError> {
        if receipt.outcome != Outcome::Written {
            return Ok(false);
        }
        let notes = receipts::notes_of(&self.blobs, receipt.user_id).await?;
        let is_later = |note: &Note| note.target == self.target && note.at > counting.at;
        Ok(notes.iter().any(|note| note.undone.is_some() && is_later(note)))
    }

    /// The last receipt from this one on, which exists, and the name that is free after it.
    async fn counting(&self, mut name: ReceiptName) -> Result<(Option<Receipt>, ReceiptName), StoreError> {
        let mut counting = None;
        loop {
            match documents::inspect(&self.blobs, Container::Receipts, &name.to_string()).await? {
                Document::Absent => return Ok((counting, name)),
                Document::Valid(receipt) => counting = Some(receipt),
                Document::Unreadable(_) => counting = None,
            }
            name = name.next();
        }
    }

    /// Says why nothing was written. A note that says nothing new keeps its time.
    pub(super) async fn note(
        &self,
        user: UserId,
        seq: u32,
        unwritten: Unwritten,
    ) -> Result<WritebackOutcome, StoreError> {
        let kind = unwritten.kind;
        let note = Note {
            v: V1,
            user_id: user,
            seq,
            target: self.target.clone(),
            note: kind,
            reason: unwritten.reason,
            shows: unwritten.shows,
            undone: unwritten.undone,
            agent: self.agent.clone(),
            at: Timestamp::now(),
        };
        let name = names::note(user, &self.target);
        let newest: Option<Note> = documents::read(&self.blobs, Container::Agents, &name).await?;
        if newest.is_none_or(|newest| note.says_more_than(&newest)) {
            self.record(&note).await?;
            documents::replace(&self.blobs, Container::Agents, &name, &note).await?;
            self.figures.noted();
        }
        metrics::written_back("noted");
        tracing::info!(user.id = %user, seq, note = ?kind, reason = note.reason, "not written");
        Ok(WritebackOutcome::Noted(kind))
    }

    /// Under the next free number, for the record.
    async fn record(&self, note: &Note) -> Result<(), StoreError> {
        let mut name = ReceiptName::first(note.user_id, note.seq, &note.target);
        while documents::create(&self.blobs, Container::Agents, &names::recorded_note(&name), note).await?
            == Creation::AlreadyExists
        {
            name = name.next();
        }
        Ok(())
    }

    /// Keeps a value before it is replaced, so that replacing it can be undone, or while an operator decides about it.
    pub(super) async fn back_up(&self, user: UserId, value: &Bytes) -> Result<(), StoreError> {
        let name = names::kept_value(user, Digest::of(value));
        self.blobs.create(Container::Receipts, &name, "application/octet-stream", value.clone()).await?;
        tracing::info!(user.id = %user, blob = %format!("receipts/{name}"), "the present value was backed up");
        Ok(())
    }
}
