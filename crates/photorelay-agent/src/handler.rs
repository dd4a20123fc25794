//! Handles the messages of a target's queue: brings up the user that a message names, and decides what becomes of the
//! message.
//!
//! A message that fails alone is retried with growing delays and dead-lettered in the end; while the storage or the
//! target is down, messages are given back. Several agents may work on one queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::consumer::{Admission, Disposition, MessageHandler};
use photorelay_core::queue::Delivery;
use photorelay_core::retry;
use photorelay_core::telemetry::{self, metrics};
use tracing::Instrument;
use tracing::field::Empty;

use crate::health::Health;
use crate::stop_switch::{self, StopCheck};
use crate::writeback::{Reconciler, WriteBackError, WritebackOutcome};

/// A message that fails alone is tried so often before it is dead-lettered.
const MAX_DELIVERIES: u32 = 12;
const FIRST_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct WritebackHandler {
    reconciler: Reconciler,
    switch: StopCheck,
    /// When the stop switch was last seen not to be set.
    admitted_at: Mutex<Option<Instant>>,
    health: Arc<Health>,
}

impl WritebackHandler {
    pub(crate) fn new(reconciler: Reconciler, switch: StopCheck, health: Arc<Health>) -> Self {
        Self { reconciler, switch, admitted_at: Mutex::default(), health }
    }

    fn admit_since(&self, admitted_at: Option<Instant>) {
        *self.admitted_at.lock().unwrap_or_else(PoisonError::into_inner) = admitted_at;
    }

    fn was_admitted_lately(&self) -> bool {
        let admitted_at = *self.admitted_at.lock().unwrap_or_else(PoisonError::into_inner);
        admitted_at.is_some_and(|at| at.elapsed() < stop_switch::CHECK_EVERY)
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
        match self.reconciler.bring_up(user, &message).instrument(span).await {
            Ok(outcome) => {
                self.health.brought_up(user, &outcome);
                self.health.finished(item, !matches!(outcome, WritebackOutcome::Refused { .. }));
                Disposition::Done
            }
            Err(WriteBackError::Failed(reason)) if delivery.dequeue_count < MAX_DELIVERIES => {
                metrics::written_back("failed");
                self.health.unfinished(item, delivery.inserted_at);
                let delay = retry::backoff(FIRST_DELAY, MAX_DELAY, delivery.dequeue_count.saturating_sub(1));
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

    /// Nothing is received while the stop switch is set.
    async fn admit(&self) -> Admission {
        if self.was_admitted_lately() {
            return Admission::Open;
        }
        self.admit_since(None);
        match self.switch.reason().await {
            Ok(None) => {
                self.admit_since(Some(Instant::now()));
                Admission::Open
            }
            Ok(Some(why)) => {
                tracing::warn!(why, "the agent receives no messages");
                self.health.pause(Some(&why));
                Admission::Stopped
            }
            Err(error) => Admission::Unavailable { reason: format!("the storage cannot be read: {error}") },
        }
    }

    fn paused(&self, reason: &str) {
        tracing::error!(reason, "the agent pauses; messages stay in the queue");
        self.health.pause(Some(reason));
    }

    fn resumed(&self) {
        self.health.pause(None);
    }
}
