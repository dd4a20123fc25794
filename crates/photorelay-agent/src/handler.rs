//! Handles the messages of a target's queue: brings up the user that a message names, or undoes what was written for
//! them, and decides what becomes of the message.
//!
//! A message that fails alone is retried with growing delays and dead-lettered in the end; while the storage or the
//! target is down, messages are given back. Several agents may work on one queue.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::consumer::{Admission, Disposition, MessageHandler};
use photorelay_core::contract::EventType;
use photorelay_core::queue::Delivery;
use photorelay_core::telemetry::{self, metrics};
use tracing::Instrument;
use tracing::field::Empty;

use crate::health::Health;
use crate::receiving::{MAX_DELIVERIES, ReceivingGate, retry_delay};
use crate::stop_switch::StopCheck;
use crate::writeback::{Reconciler, WriteBackError, WritebackOutcome};

#[derive(Debug)]
pub(crate) struct WritebackHandler {
    reconciler: Reconciler,
    gate: ReceivingGate,
    health: Arc<Health>,
}

impl WritebackHandler {
    pub(crate) fn new(reconciler: Reconciler, switch: StopCheck, health: Arc<Health>) -> Self {
        Self { reconciler, gate: ReceivingGate::new(switch, Arc::clone(&health)), health }
    }
}

#[async_trait]
impl MessageHandler for WritebackHandler {
    async fn handle(&self, delivery: &Delivery, body: &Bytes) -> Disposition {
        let (user, message) = match self.reconciler.read(body) {
            Ok(read) => read,
            Err(error) => return Disposition::DeadLetter { reason: error.to_string() },
        };
        let item = (user, message.data.seq);
        let span = tracing::info_span!("writeback", user.id = %user, seq = message.data.seq, trace.id = Empty);
        telemetry::step(&span, message.traceparent.as_deref());
        let worked = async {
            match message.event_type {
                EventType::Undo => self.reconciler.undo_requested(user, &message).await,
                EventType::Changed | EventType::Removed => self.reconciler.bring_up(user, &message).await,
            }
        };
        match worked.instrument(span).await {
            Ok(outcome) => {
                self.health.brought_up(user, &outcome);
                self.health.finished(item, !matches!(outcome, WritebackOutcome::Refused { .. }));
                Disposition::Done
            }
            Err(WriteBackError::Failed(reason)) if delivery.dequeue_count < MAX_DELIVERIES => {
                metrics::written_back("failed");
                self.health.unfinished(item, delivery.inserted_at);
                let delay = retry_delay(delivery);
                Disposition::RetryIn { delay, reason }
            }
            Err(WriteBackError::Hopeless(reason) | WriteBackError::Failed(reason)) => {
                self.health.finished(item, false);
                Disposition::DeadLetter { reason }
            }
            Err(WriteBackError::Down(reason)) => {
                metrics::written_back("down");
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
