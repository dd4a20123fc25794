//! The time that a sweep answers for, and what falls due in it. Pure.
//!
//! Due moments follow from ids and ages alone, so the work is spread and nothing has to be recorded about any user.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::id::{Digest, UserId};

/// Since the last completed sweep began, until this one began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) previous: Option<Timestamp>,
    pub(super) now: Timestamp,
}

impl Window {
    /// Whether the user's moment of the cycle lies in the window. Its place in the cycle follows from the user's id.
    pub(super) fn has_bytes_due(self, user: UserId, every: Duration) -> bool {
        // Before the first complete sweep every user is new anyway.
        let Some(previous) = self.previous else { return false };
        let cycle = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
        let digest = Digest::of(user.to_string().as_bytes());
        let place = digest.as_bytes().iter().take(6).fold(0, |place, byte| (place << 8) | i64::from(*byte)) % cycle;
        let cycles = |at: Timestamp| (at.as_millisecond() - place).div_euclid(cycle);
        cycles(self.now) > cycles(previous)
    }

    /// Whether a moment at which an unacknowledged entry is announced again lies in the window: first at the age
    /// `first`, then whenever its age has doubled.
    pub(super) fn has_announcement_due(self, observed_at: Timestamp, first: Duration) -> bool {
        let times = |at: Timestamp| {
            let age = Duration::try_from(at.duration_since(observed_at)).unwrap_or_default();
            times_due(age, first)
        };
        times(self.now) > self.previous.map_or(0, times)
    }
}

/// How often something of this age was due.
fn times_due(age: Duration, first: Duration) -> u32 {
    let ratio = age.as_secs_f64() / first.as_secs_f64().max(0.001);
    if ratio < 1.0 { 0 } else { ratio.log2() as u32 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_users_bytes_are_due_just_once_in_a_cycle_and_not_all_at_once() {
        const DAY: i64 = 24 * 3600;
        let every = Duration::from_secs(30 * DAY as u64);
        let at = |seconds: i64| Timestamp::from_second(1_780_000_000 + seconds).unwrap();
        let mut by_day = Vec::new();
        for day in 0..30 {
            let window = Window { previous: Some(at(day * DAY)), now: at((day + 1) * DAY) };
            let users = (0..600_u128).map(|n| UserId::from_uuid(uuid::Uuid::from_u128(n)));
            by_day.push(users.filter(|user| window.has_bytes_due(*user, every)).count());
        }
        assert_eq!(by_day.iter().sum::<usize>(), 600, "{by_day:?}");
        assert!(by_day.iter().all(|due| *due < 60), "{by_day:?}");
    }

    #[test]
    fn announcements_are_due_at_growing_intervals() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let due: Vec<u32> = [0, 9, 10, 19, 20, 39, 40, 640].map(|age| times_due(minutes(age), minutes(10))).to_vec();
        assert_eq!(due, [0, 0, 1, 1, 2, 2, 3, 7]);
    }
}
