//! The simulated time: the real time plus what tests have added.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

#[derive(Debug, Default)]
pub(crate) struct SimClock {
    ahead_ms: AtomicI64,
}

impl SimClock {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_millis(self.ahead_ms.load(Ordering::SeqCst))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
    }

    /// The clock goes on from there.
    pub(crate) fn set(&self, now: Timestamp) {
        let ahead = now.duration_since(Timestamp::now()).as_millis();
        self.ahead_ms.store(i64::try_from(ahead).unwrap_or(0), Ordering::SeqCst);
    }
}

/// The form with seven fraction digits that Graph's samples use.
pub(crate) fn graph_time(time: Timestamp) -> String {
    format!("{time:.7}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_seven_fraction_digits() {
        let time: Timestamp = "2026-05-20T11:00:00+00:00".parse().unwrap();
        assert_eq!(graph_time(time), "2026-05-20T11:00:00.0000000Z");
    }
}
