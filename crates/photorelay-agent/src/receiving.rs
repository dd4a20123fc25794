//! What every agent does around the messages that it receives: it receives none while the stop switch is set, and tries
//! one that fails alone again, less and less often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use photorelay_core::consumer::Admission;
use photorelay_core::queue::Delivery;
use photorelay_core::retry;

use crate::health::Health;
use crate::stop_switch::{self, StopCheck};

/// A message that fails alone is tried so often before it is dead-lettered.
pub(crate) const MAX_DELIVERIES: u32 = 12;
const FIRST_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(3600);

/// How long a message that failed alone waits.
pub(crate) fn retry_delay(delivery: &Delivery) -> Duration {
    retry::backoff(FIRST_DELAY, MAX_DELAY, delivery.dequeue_count.saturating_sub(1))
}

/// Whether messages are received now.
#[derive(Debug)]
pub(crate) struct ReceivingGate {
    switch: StopCheck,
    /// When the stop switch was last seen not to be set.
    admitted_at: Mutex<Option<Instant>>,
    health: Arc<Health>,
}

impl ReceivingGate {
    pub(crate) fn new(switch: StopCheck, health: Arc<Health>) -> Self {
        Self { switch, admitted_at: Mutex::default(), health }
    }

    /// Nothing is received while the stop switch is set.
    pub(crate) async fn admit(&self) -> Admission {
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

    pub(crate) fn paused(&self, reason: &str) {
        tracing::error!(reason, "the agent pauses; messages stay in the queue");
        self.health.pause(Some(reason));
    }

    pub(crate) fn resumed(&self) {
        self.health.pause(None);
    }

    fn admit_since(&self, admitted_at: Option<Instant>) {
        *self.admitted_at.lock().unwrap_or_else(PoisonError::into_inner) = admitted_at;
    }

    fn was_admitted_lately(&self) -> bool {
        let admitted_at = *self.admitted_at.lock().unwrap_or_else(PoisonError::into_inner);
        admitted_at.is_some_and(|at| at.elapsed() < stop_switch::CHECK_EVERY)
    }
}
