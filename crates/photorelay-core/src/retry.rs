//! The retry schedule: bounded by attempts and total time, with the longer of `Retry-After` and a jittered back-off.
//!
//! A retry must never come earlier than the server asked for.

use std::time::{Duration, Instant};

/// How often and how long to retry.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    pub attempts: u32,
    pub total: Duration,
    pub first_delay: Duration,
    pub max_delay: Duration,
}

/// Counts the attempts of one operation.
#[derive(Debug)]
pub struct RetrySchedule {
    policy: RetryPolicy,
    started: Instant,
    failures: u32,
}

impl RetrySchedule {
    pub fn start(policy: RetryPolicy) -> Self {
        Self { policy, started: Instant::now(), failures: 0 }
    }

    /// The delay before the next attempt, never shorter than `retry_after`. Returns `None` if the attempts are used up
    /// or the delay would exceed the total time.
    pub fn after_failure(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= self.policy.attempts {
            return None;
        }
        let delay = backoff(self.policy.first_delay, self.policy.max_delay, self.failures - 1)
            .max(retry_after.unwrap_or_default());
        (self.started.elapsed() + delay <= self.policy.total).then_some(delay)
    }
}

/// The delay before retry number `retry` (0 for the first): doubled each time, bounded, and jittered by a quarter in
/// either direction so that clients that failed together do not retry together.
pub fn backoff(first: Duration, max: Duration, retry: u32) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(retry.min(30)));
    doubled.min(max).mul_f64(0.75 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 4,
        total: Duration::from_secs(60),
        first_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(3),
    };

    #[test]
    fn delays_grow_to_the_bound_and_attempts_end() {
        let mut schedule = RetrySchedule::start(POLICY);
        let delays: Vec<_> = std::iter::from_fn(|| schedule.after_failure(None)).collect();
        assert_eq!(delays.len(), 3);
        assert!(delays[0] <= Duration::from_millis(1250) && delays[2] <= Duration::from_millis(3750), "{delays:?}");
    }

    #[test]
    fn retry_after_is_respected_and_ends_the_attempts_when_it_is_too_long() {
        let mut schedule = RetrySchedule::start(POLICY);
        assert_eq!(schedule.after_failure(Some(Duration::from_secs(10))), Some(Duration::from_secs(10)));
        assert_eq!(schedule.after_failure(Some(Duration::from_secs(120))), None);
    }
}
