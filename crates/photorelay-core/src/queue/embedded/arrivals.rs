//! Wakes the consumers in this process when messages arrive in their queue, so that they do not have to poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// One signal for each queue with a waiting consumer.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<HashMap<Box<str>, Arc<Notify>>>);

impl Arrivals {
    pub(super) fn of(&self, queue: &str) -> Arc<Notify> {
        let mut signals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(signals.entry(queue.into()).or_default())
    }

    pub(super) fn notify(&self, queue: &str) {
        if let Some(signal) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(queue) {
            signal.notify_waiters();
        }
    }
}
