//! How many writes a minute and a day may have, so that a first fill stays calm on the directory. It counts and says
//! when; whoever asks waits.
//!
//! A day's count outlives the process: some writes are written down in advance, so that a killed agent has counted too
//! many and never too few.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use photorelay_core::contract::DailyWrites;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;

use crate::documents;

const MINUTE: Duration = Duration::from_secs(60);

/// None for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    pub per_minute: Option<u32>,
    pub per_day: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// Write, after this wait.
    After(Duration),
    /// Not before tomorrow, in UTC.
    QuotaExhausted { writes: u32 },
}

#[derive(Debug, Default)]
pub struct WriteQuota {
    limits: QuotaLimits,
    /// When the newest writes are or were due, oldest first; no more of them than a minute may have.
    recent: VecDeque<Instant>,
    day: Option<Date>,
    writes: u64,
    /// So many are written down.
    saved: u64,
}

/// So many times a day the count is written down in advance.
const ADVANCES: u32 = 50;

impl WriteQuota {
    /// What a day had before the agent started counts.
    pub fn new(limits: QuotaLimits, day: Option<Date>, writes: u64) -> Self {
        Self { limits, recent: VecDeque::new(), day, writes, saved: writes }
    }

    /// Goes on with what an earlier process of this agent wrote today.
    pub async fn resumed(
        storage: &Storage,
        limits: QuotaLimits,
        target: &str,
        agent: &str,
    ) -> Result<Self, StoreError> {
        let name = names::daily_writes(target, agent);
        let spent: Option<DailyWrites> = documents::read(&*storage.blobs, Container::Agents, &name).await?;
        Ok(Self::new(limits, spent.as_ref().map(|spent| spent.day), spent.map_or(0, |spent| spent.writes)))
    }

    /// The day and the count to write down before the last reservation may be used.
    pub(crate) fn advance(&self) -> Option<(Date, u64)> {
        let limit = self.limits.per_day.filter(|_| self.writes > self.saved)?;
        let advance = self.writes + u64::from(limit / ADVANCES);
        Some((self.day?, advance.min(u64::from(limit))))
    }

    /// What the day really had, if something else is written down.
    pub(crate) fn settlement(&self) -> Option<(Date, u64)> {
        self.day.filter(|_| self.writes != self.saved).map(|day| (day, self.writes))
    }

    /// This count is written down.
    pub(crate) fn saved(&mut self, writes: u64) {
        self.saved = writes;
    }

    /// Takes one write out of the budget.
    pub fn reserve(&mut self, now: Instant, today: Date) -> Reservation {
        if self.day != Some(today) {
            (self.day, self.writes, self.saved) = (Some(today), 0, 0);
        }
        if let Some(limit) = self.limits.per_day
            && self.writes >= u64::from(limit)
        {
            return Reservation::QuotaExhausted { writes: limit };
        }
        self.writes += 1;
        let Some(limit) = self.limits.per_minute else { return Reservation::After(Duration::ZERO) };
        let free = if self.recent.len() < limit as usize { None } else { self.recent.pop_front() };
        let due = free.map_or(now, |oldest| now.max(oldest + MINUTE));
        self.recent.push_back(due);
        Reservation::After(due.duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i8) -> Date {
        jiff::civil::date(2026, 5, day)
    }

    #[test]
    fn a_minute_has_so_many_writes_and_the_next_ones_come_a_minute_later() {
        let limits = QuotaLimits { per_minute: Some(2), per_day: None };
        let mut budget = WriteQuota::new(limits, None, 0);
        let start = Instant::now();
        let waits: Vec<u64> = (0..5)
            .map(|_| match budget.reserve(start, day(1)) {
                Reservation::After(wait) => wait.as_secs(),
                Reservation::QuotaExhausted { .. } => panic!("a day has no limit"),
            })
            .collect();
        assert_eq!(waits, [0, 0, 60, 60, 120]);
        let later = start + Duration::from_secs(400);
        assert_eq!(budget.reserve(later, day(1)), Reservation::After(Duration::ZERO));
    }

    #[test]
    fn a_days_writes_end_and_begin_again_on_the_next_day() {
        let limits = QuotaLimits { per_minute: None, per_day: Some(3) };
        let mut budget = WriteQuota::new(limits, Some(day(1)), 2);
        let now = Instant::now();
        assert_eq!(budget.reserve(now, day(1)), Reservation::After(Duration::ZERO));
        assert_eq!(budget.reserve(now, day(1)), Reservation::QuotaExhausted { writes: 3 });
        assert_eq!(budget.reserve(now, day(2)), Reservation::After(Duration::ZERO));
        assert_eq!(budget.settlement(), Some((day(2), 1)));
    }

    #[test]
    fn a_days_count_is_written_down_in_advance_and_never_beyond_the_limit() {
        let limits = QuotaLimits { per_minute: None, per_day: Some(100) };
        let mut budget = WriteQuota::new(limits, Some(day(1)), 96);
        let mut advances = Vec::new();
        for _ in 96..100 {
            budget.reserve(Instant::now(), day(1));
            let advance = budget.advance().map(|(_, writes)| writes);
            advances.push(advance);
            advance.into_iter().for_each(|writes| budget.saved(writes));
        }
        assert_eq!(advances, [Some(99), None, None, Some(100)]);
        assert_eq!(budget.settlement(), None);
        budget.reserve(Instant::now(), day(2));
        assert_eq!(budget.advance(), Some((day(2), 3)), "not written down yet");
        budget.saved(3);
        assert_eq!(budget.settlement(), Some((day(2), 1)));
    }

    #[test]
    fn without_limits_nobody_waits() {
        let mut budget = WriteQuota::default();
        let now = Instant::now();
        assert!((0..1_000).all(|_| budget.reserve(now, day(1)) == Reservation::After(Duration::ZERO)));
    }
}
