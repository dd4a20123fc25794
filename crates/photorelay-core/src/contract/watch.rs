//! The watchdog's state between two sweeps. Losing it only delays a warning.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Contract, V1};

/// When notifications arrived, and the longest pause between them: every tenant has its own nights, weekends and
/// holidays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationActivity {
    pub v: V1,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// The longest time without a notification in about the last four weeks.
    pub longest_pause_seconds: i64,
    /// When that pause ended.
    pub pause_ended_at: Timestamp,
}

/// How long a pause counts, so that a single outage does not stay the norm for ever.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(28 * 24);

impl NotificationActivity {
    /// The activity at the first notification.
    pub fn starting(now: Timestamp) -> Self {
        Self { v: V1, first_at: now, last_at: now, longest_pause_seconds: 0, pause_ended_at: now }
    }

    /// The activity after one more notification.
    pub fn notified(&self, now: Timestamp) -> Self {
        let pause = now.duration_since(self.last_at).as_secs().max(0);
        let is_forgotten = now.duration_since(self.pause_ended_at) > REMEMBERED_FOR;
        let (longest_pause_seconds, pause_ended_at) = match pause >= self.longest_pause_seconds || is_forgotten {
            true => (pause, now),
            false => (self.longest_pause_seconds, self.pause_ended_at),
        };
        Self { last_at: now.max(self.last_at), longest_pause_seconds, pause_ended_at, ..self.clone() }
    }
}

/// The results of the last completed sweep, and the counts of the last checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweptLast {
    pub v: V1,
    pub at: Timestamp,
    pub people: u64,
    pub with_photo: u64,
    /// ETags that differ from the head's: no notification announced them, or their check was still pending.
    pub differing: u64,
    /// Photos that targets still show but Graph no longer returns.
    pub missing: u64,
    /// The changes between the last two daily checkpoints.
    pub found_by: Option<FoundBy>,
}

/// The number of users with a change, by what found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundBy {
    pub notification: u64,
    pub sweep: u64,
}

impl Contract for NotificationActivity {}
impl Contract for SweptLast {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pause_is_kept_for_four_weeks() {
        let at = |hours: i64| Timestamp::from_second(1_780_000_000 + hours * 3600).unwrap();
        let activity = [10, 12, 13]
            .iter()
            .fold(NotificationActivity::starting(at(0)), |activity, hours| activity.notified(at(*hours)));
        assert_eq!((activity.longest_pause_seconds, activity.pause_ended_at), (36_000, at(10)));
        let later = (1..=28).map(|day| 13 + day * 24).fold(activity, |activity, hours| activity.notified(at(hours)));
        assert_eq!(later.longest_pause_seconds, 24 * 3600);
        assert_eq!(later.first_at, at(0));
    }
}
