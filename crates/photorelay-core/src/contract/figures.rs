//! The figures of a day, in UTC, from which charts are drawn: one document of the function app, and one of each agent.
//!
//! Replaceable: losing one loses a day of a chart. What a process had counted since it last saved is lost with it, at
//! most a minute of it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Contract, FoundBy, V1};

/// What the sweeps of a day found, and what the last of them saw waiting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureFigures {
    pub v: V1,
    pub day: Date,
    pub at: Timestamp,
    /// Sweeps that came to their end.
    pub sweeps: u64,
    /// Sweeps that failed.
    pub failed_sweeps: u64,
    /// Changes by what found them, between the last two daily checkpoints; known on the day of the later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_by: Option<FoundBy>,
    pub people: u64,
    /// Check messages in the queue.
    pub checks_waiting: u64,
    /// Users whose newest photo is refused.
    pub refused: u64,
    /// Users whose newest entry waits for an operator or the scope.
    pub held: u64,
    /// Users whose newest entry no agent has acknowledged.
    pub unacknowledged: u64,
    pub alerts: u64,
}

/// What an agent did on a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WritebackFigures {
    pub v: V1,
    pub target: String,
    pub agent: String,
    pub day: Date,
    pub at: Timestamp,
    pub written: u64,
    pub unchanged: u64,
    pub refused: u64,
    /// Not written because of a dry run, the scope, or an approval that is awaited.
    pub noted: u64,
    /// From the notification, or the sweep that found the change, to the first write of an entry.
    pub latency: LatencyHistogram,
}

impl CaptureFigures {
    /// A day that had no sweep yet.
    pub fn of(day: Date, now: Timestamp) -> Self {
        Self {
            v: V1,
            day,
            at: now,
            sweeps: 0,
            failed_sweeps: 0,
            found_by: None,
            people: 0,
            checks_waiting: 0,
            refused: 0,
            held: 0,
            unacknowledged: 0,
            alerts: 0,
        }
    }
}

impl WritebackFigures {
    /// A day on which the agent did nothing yet.
    pub fn of(target: &str, agent: &str, day: Date, now: Timestamp) -> Self {
        Self {
            v: V1,
            target: target.to_owned(),
            agent: agent.to_owned(),
            day,
            at: now,
            written: 0,
            unchanged: 0,
            refused: 0,
            noted: 0,
            latency: LatencyHistogram::default(),
        }
    }
}

/// Counts by duration: bucket `k` holds the durations up to `10^(k/10)` milliseconds that no earlier bucket holds, so a
/// percentile is right within a quarter of its value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LatencyHistogram(BTreeMap<u32, u64>);

/// Twelve days; whatever took longer is counted there.
const LAST_BUCKET: u32 = 90;

impl LatencyHistogram {
    /// The clocks of two machines may differ by a little: less than nothing counts as nothing.
    pub fn count(&mut self, took: SignedDuration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let bucket = (milliseconds.max(1.0).log10() * 10.0).ceil() as u32;
        *self.0.entry(bucket.min(LAST_BUCKET)).or_default() += 1;
    }

    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            let own = self.0.entry(*bucket).or_default();
            *own = own.saturating_add(*count);
        }
    }

    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |total, count| total.saturating_add(*count))
    }

    /// The duration in milliseconds that so many percent of all did not exceed; `None` if nothing was counted.
    pub fn percentile_ms(&self, percent: u32) -> Option<f64> {
        let rank = (self.total() as f64 * f64::from(percent) / 100.0).ceil().max(1.0) as u64;
        let mut passed = 0_u64;
        let bucket = self.0.iter().find_map(|(bucket, count)| {
            passed = passed.saturating_add(*count);
            (passed >= rank).then_some(*bucket)
        })?;
        Some(10_f64.powf(f64::from(bucket) / 10.0))
    }
}

impl Contract for CaptureFigures {}
impl Contract for WritebackFigures {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_within_a_quarter_and_histograms_add_up() {
        let mut all = LatencyHistogram::default();
        assert_eq!(all.percentile_ms(50), None);
        for milliseconds in 1..=100 {
            let mut one = LatencyHistogram::default();
            one.count(SignedDuration::from_millis(milliseconds));
            all.merge(&one);
        }
        all.count(SignedDuration::from_millis(-3));
        all.count(SignedDuration::from_hours(24 * 365));
        assert_eq!(all.total(), 102);
        for (percent, expected) in [(50, 50.0), (90, 91.0), (99, 100.0)] {
            let found = all.percentile_ms(percent).unwrap();
            assert!(found >= expected * 0.8 && found <= expected * 1.26, "{percent} %: {found}");
        }
    }
}
