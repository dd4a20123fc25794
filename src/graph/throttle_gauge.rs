//! How near the tenant is to a limit: `x-ms-throttle-limit-percentage`, which Graph sends from 0.8 on.
//!
//! Shared by all users of the client, because they share the limit. Forgotten after the window that Graph counts by.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(super) const LIMIT_HEADER: &str = "x-ms-throttle-limit-percentage";
/// Graph counts resource units by ten seconds.
const WINDOW: Duration = Duration::from_secs(10);
/// What Graph sends lies between 0.8 and 1.8.
const SANE: std::ops::RangeInclusive<f64> = 0.0..=100.0;

/// The last value, and when it came.
#[derive(Debug, Default)]
pub(super) struct ThrottleGauge(Mutex<Option<(Instant, f64)>>);

impl ThrottleGauge {
    pub(super) fn record(&self, value: &str) {
        let Some(used) = value.trim().parse().ok().filter(|used| SANE.contains(used)) else { return };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), used));
    }

    pub(super) fn current(&self) -> Option<f64> {
        let recorded = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.filter(|(at, _)| at.elapsed() < WINDOW).map(|(_, used)| used)
    }
}
