//! Handles the messages of the queue: reads whose trail they name, and has the receiver know its newest entry.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::consumer::{Admission, Disposition, MessageHandler};
use photorelay_core::contract::{self, EventType, Outcome, WriteBack};
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::queue::Delivery;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;

use super::receiver::{Posted, Receiver};
use crate::health::Health;
use crate::receiving::{MAX_DELIVERIES, ReceivingGate, retry_delay};
use crate::stop_switch::StopCheck;
use crate::writeback::receipt_reader::ReceiptReader;
use crate::writeback::receipt_writer::ReceiptWriter;
use crate::writeback::trail::TrailReader;
use crate::writeback::{ReceivedMessage, Settlement, WriteBackError, WritebackOutcome, WritebackSettings};

#[derive(Debug)]
pub(super) struct ForwardHandler {
    receiver: Receiver,
    tenant: TenantId,
    trail: TrailReader,
    receipts: ReceiptReader,
    writer: ReceiptWriter,
    gate: ReceivingGate,
    health: Arc<Health>,
}

/// Why an event was not forwarded.
enum ForwardError {
    Hopeless(String),
    Later { delay: Option<Duration>, reason: String },
    Down(String),
}

impl<E: Into<WriteBackError>> From<E> for ForwardError {
    fn from(error: E) -> Self {
        match error.into() {
            WriteBackError::Hopeless(reason) => Self::Hopeless(reason),
            WriteBackError::Failed(reason) => Self::Later { delay: None, reason },
            WriteBackError::Down(reason) => Self::Down(reason),
        }
    }
}

impl ForwardHandler {
    pub(super) fn new(storage: &Storage, receiver: Receiver, own: &WritebackSettings, health: Arc<Health>) -> Self {
        let blobs = &storage.blobs;
        Self {
            receiver,
            tenant: own.tenant,
            trail: TrailReader::new(blobs, own.tenant),
            receipts: ReceiptReader::new(blobs, &own.target),
            writer: ReceiptWriter::new(blobs, &own.target, &own.agent),
            gate: ReceivingGate::new(StopCheck::new(blobs, &own.target), Arc::clone(&health)),
            health,
        }
    }

    /// Saves what the day had so far.
    pub(super) async fn save_figures(&self) -> Result<(), StoreError> {
        self.writer.figures().save().await
    }

    fn read(&self, body: &Bytes) -> Result<(UserId, WriteBack), String> {
        let message: WriteBack = contract::parse(body).map_err(|error| format!("not a write-back message: {error}"))?;
        if !message.is_from(self.tenant) {
            return Err("the message comes from another tenant".to_owned());
        }
        Ok((message.user_id()?, message))
    }

    /// Sends the event of the user's newest entry, unless the receiver has it.
    async fn forward(&self, user: UserId, received: ReceivedMessage<'_>) -> Result<(), ForwardError> {
        let newest = self.trail.newest(user, received.message).await?.committed;
        let Some(event) = WriteBack::announcing(&newest.entry, newest.sha256) else { return Ok(()) };
        let receipts = self.receipts.of_user(user).await?;
        let counts = receipts.iter().rev().find(|receipt| receipt.seq == event.data.seq);
        if counts.is_some_and(|receipt| receipt.outcome.is_shown()) {
            return Ok(());
        }
        let reason = match self.receiver.post(&event).await {
            Posted::Accepted => None,
            Posted::Refused(reason) => Some(reason),
            Posted::Later { delay, reason } => return Err(ForwardError::Later { delay, reason }),
            Posted::Down(reason) => return Err(ForwardError::Down(reason)),
        };
        let outcome = if reason.is_none() { Outcome::Written } else { Outcome::Refused };
        // The receiver learnt of every rendition; a receipt names one.
        let after = event.data.renditions.first().filter(|_| reason.is_none()).map(|rendition| rendition.sha256);
        let settlement = Settlement { outcome, reason, before: None, after };
        let (outcome, _) = self.writer.settle(received, &newest, settlement, self.receiver.server()).await?;
        self.health.brought_up(user, &outcome);
        match outcome {
            WritebackOutcome::Refused { reason, .. } => Err(ForwardError::Hopeless(reason)),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl MessageHandler for ForwardHandler {
    async fn handle(&self, delivery: &Delivery, body: &Bytes) -> Disposition {
        let (user, message) = match self.read(body) {
            Ok(read) => read,
            Err(reason) => return Disposition::DeadLetter { reason },
        };
        if message.event_type == EventType::Undo {
            // What the receiver shows is the receiver's: it is sent the photo that the trail says, and no earlier one.
            tracing::info!(user.id = %user, seq = message.data.seq, "a request to undo is not forwarded");
            return Disposition::Done;
        }
        let item = (user, message.data.seq);
        match self.forward(user, ReceivedMessage::now(&message)).await {
            Ok(()) => {
                self.health.finished(item, true);
                Disposition::Done
            }
            Err(ForwardError::Later { delay, reason }) if delivery.dequeue_count < MAX_DELIVERIES => {
                self.health.unfinished(item, delivery.inserted_at);
                let backoff = retry_delay(delivery);
                Disposition::RetryIn { delay: delay.unwrap_or_default().max(backoff), reason }
            }
            Err(ForwardError::Hopeless(reason) | ForwardError::Later { reason, .. }) => {
                self.health.finished(item, false);
                Disposition::DeadLetter { reason }
            }
            Err(ForwardError::Down(reason)) => {
                self.health.unfinished(item, delivery.inserted_at);
                Disposition::GiveBack { reason }
            }
        }
    }

    async fn admit(&self) -> Admission {
        self.gate.admit().await
    }

    fn paused(&self, reason: &str) {
        self.gate.paused(reason);
    }

    fn resumed(&self) {
        self.gate.resumed();
    }
}
