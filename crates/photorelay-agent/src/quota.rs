//! The write quota: how many writes a minute and a day may have, so that a first fill does not overload the directory. It
//! counts, persists the day's count and says when a write is due; the caller waits.
//!
//! A day's count outlives the process: some writes are persisted in advance, so that a killed agent has counted too many
//! and never too few.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use photorelay_core::contract::{DailyWrites, V1};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio::sync::Mutex;

const MINUTE: Duration = Duration::from_secs(60);

/// None for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuotaLimits {
    pub per_minute: Option<u32>,
    pub per_day: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// Write, after this wait.
    After(Duration),
    /// Not before tomorrow, in UTC.
    QuotaExhausted { writes: u32 },
}

/// The quota of one agent of one target.
#[derive(Debug)]
pub struct WriteQuota {
    blobs: ScopedBlobs,
    target: String,
    agent: String,
    counter: Mutex<WriteCounter>,
}

impl WriteQuota {
    /// Counts from zero.
    pub fn new(storage: &Storage, limits: QuotaLimits, target: &str, agent: &str) -> Self {
        const GRANTS: &[Grant] = &[Grant::write(Container::Agents, "writes/")];
        Self {
            blobs: ScopedBlobs::new(&storage.blobs, GRANTS),
            target: target.to_owned(),
            agent: agent.to_owned(),
            counter: Mutex::new(WriteCounter::new(limits, None, 0)),
        }
    }

    /// Continues with what an earlier process of this agent wrote today.
    pub async fn resumed(
        storage: &Storage,
        limits: QuotaLimits,
        target: &str,
        agent: &str,
    ) -> Result<Self, StoreError> {
        let mut quota = Self::new(storage, limits, target, agent);
        let name = names::daily_writes(target, agent);
        if let Some(saved) = documents::read::<DailyWrites>(&quota.blobs, Container::Agents, &name).await? {
            quota.counter = Mutex::new(WriteCounter::new(limits, Some(saved.day), saved.writes));
        }
        Ok(quota)
    }

    /// Acquires one write. Its count is persisted before the write may be made.
    pub(crate) async fn reserve(&self) -> Result<Reservation, StoreError> {
        let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let mut counter = self.counter.lock().await;
        let reservation = counter.reserve(Instant::now(), today);
        if let Some((day, writes)) = counter.advance() {
            self.save(&mut counter, day, writes).await?;
        }
        Ok(reservation)
    }

    /// Persists how many writes the day really had.
    pub(crate) async fn settle(&self) -> Result<(), StoreError> {
        let mut counter = self.counter.lock().await;
        match counter.settlement() {
            Some((day, writes)) => self.save(&mut counter, day, writes).await,
            None => Ok(()),
        }
    }

    async fn save(&self, counter: &mut WriteCounter, day: Date, writes: u64) -> Result<(), StoreError> {
        let (target, agent) = (self.target.clone(), self.agent.clone());
        let name = names::daily_writes(&target, &agent);
        let document = DailyWrites { v: V1, target, agent, day, writes };
        documents::replace(&self.blobs, Container::Agents, &name, &document).await?;
        counter.saved = writes;
        Ok(())
    }
}

/// How often a day the count is persisted in advance.
const ADVANCES: u32 = 50;

/// Counts the writes of the minute and of the day.
#[derive(Debug, Default)]
struct WriteCounter {
    limits: QuotaLimits,
    /// When the newest writes are or were due, oldest first; no more of them than a minute may have.
    recent: VecDeque<Instant>,
    day: Option<Date>,
    writes: u64,
    /// How many of them are persisted.
    saved: u64,
}

impl WriteCounter {
    /// Writes that the day had before the agent started count.
    fn new(limits: QuotaLimits, day: Option<Date>, writes: u64) -> Self {
        Self { limits, recent: VecDeque::new(), day, writes, saved: writes }
    }

    /// The day and the count to persist before the last reservation may be used.
    fn advance(&self) -> Option<(Date, u64)> {
        let limit = self.limits.per_day.filter(|_| self.writes > self.saved)?;
        let advance = self.writes + u64::from(limit / ADVANCES);
        Some((self.day?, advance.min(u64::from(limit))))
    }

    /// What the day really had, if another count is persisted.
    fn settlement(&self) -> Option<(Date, u64)> {
        self.day.filter(|_| self.writes != self.saved).map(|day| (day, self.writes))
    }

    fn reserve(&mut self, now: Instant, today: Date) -> Reservation {
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
        let mut counter = WriteCounter::new(limits, None, 0);
        let start = Instant::now();
        let waits: Vec<u64> = (0..5)
            .map(|_| match counter.reserve(start, day(1)) {
                Reservation::After(wait) => wait.as_secs(),
                Reservation::QuotaExhausted { .. } => panic!("a day has no limit"),
            })
            .collect();
        assert_eq!(waits, [0, 0, 60, 60, 120]);
        let later = start + Duration::from_secs(400);
        assert_eq!(counter.reserve(later, day(1)), Reservation::After(Duration::ZERO));
    }

    #[test]
    fn a_days_writes_end_and_begin_again_on_the_next_day() {
        let limits = QuotaLimits { per_minute: None, per_day: Some(3) };
        let mut counter = WriteCounter::new(limits, Some(day(1)), 2);
        let now = Instant::now();
        assert_eq!(counter.reserve(now, day(1)), Reservation::After(Duration::ZERO));
        assert_eq!(counter.reserve(now, day(1)), Reservation::QuotaExhausted { writes: 3 });
        assert_eq!(counter.reserve(now, day(2)), Reservation::After(Duration::ZERO));
        assert_eq!(counter.settlement(), Some((day(2), 1)));
    }

    #[test]
    fn a_days_count_is_written_down_in_advance_and_never_beyond_the_limit() {
        let limits = QuotaLimits { per_minute: None, per_day: Some(100) };
        let mut counter = WriteCounter::new(limits, Some(day(1)), 96);
        let mut advances = Vec::new();
        for _ in 96..100 {
            counter.reserve(Instant::now(), day(1));
            let advance = counter.advance().map(|(_, writes)| writes);
            advances.push(advance);
            advance.into_iter().for_each(|writes| counter.saved = writes);
        }
        assert_eq!(advances, [Some(99), None, None, Some(100)]);
        assert_eq!(counter.settlement(), None);
        counter.reserve(Instant::now(), day(2));
        assert_eq!(counter.advance(), Some((day(2), 3)), "not persisted yet");
        counter.saved = 3;
        assert_eq!(counter.settlement(), Some((day(2), 1)));
    }

    #[test]
    fn without_limits_nobody_waits() {
        let mut counter = WriteCounter::default();
        let now = Instant::now();
        assert!((0..1_000).all(|_| counter.reserve(now, day(1)) == Reservation::After(Duration::ZERO)));
    }
}
