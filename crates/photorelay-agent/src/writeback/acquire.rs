//! Each write is paid for out of the budget. ApprovalItem for it ends when the agent stops or is stopped.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use photorelay_core::contract::{DailyWrites, V1};
use photorelay_core::names::{self, Container};
use photorelay_core::store::StoreError;

use super::{WriteBackError, WriteBacks};
use crate::documents;
use crate::operate::switch;
use crate::quota::{Reservation, WriteQuota};

impl WriteBacks {
    /// Takes one write out of the budget; true if that took a while.
    pub(super) async fn acquire_write(&self) -> Result<bool, WriteBackError> {
        let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let reserved = {
            let mut budget = self.budget.lock().await;
            let reserved = budget.reserve(Instant::now(), today);
            // Nobody writes before it is written down.
            if let Some((day, writes)) = budget.advance() {
                self.write_down(&mut budget, day, writes).await?;
            }
            reserved
        };
        match reserved {
            Reservation::After(Duration::ZERO) => Ok(false),
            Reservation::After(wait) => self.wait_for_turn(wait).await.map(|()| true),
            Reservation::QuotaExhausted { writes } => Err(WriteBackError::Down(format!(
                "today's {writes} writes (PHOTORELAY_WRITES_PER_DAY) are used up; writing goes on at 00:00 UTC"
            ))),
        }
    }

    /// Writes down how many writes the day really had.
    pub(crate) async fn settle_budget(&self) -> Result<(), StoreError> {
        let mut budget = self.budget.lock().await;
        match budget.settlement() {
            Some((day, writes)) => self.write_down(&mut budget, day, writes).await,
            None => Ok(()),
        }
    }

    async fn write_down(&self, budget: &mut WriteQuota, day: Date, writes: u64) -> Result<(), StoreError> {
        let (target, agent) = (self.settings.target.clone(), self.settings.agent.clone());
        let name = names::daily_writes(&target, &agent);
        let spent = DailyWrites { v: V1, target, agent, day, writes };
        documents::put(&*self.storage.blobs, Container::Agents, &name, &spent).await?;
        budget.saved(writes);
        Ok(())
    }

    async fn wait_for_turn(&self, wait: Duration) -> Result<(), WriteBackError> {
        let due = Instant::now() + wait;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(switch::LOOK_EVERY)) => {}
                () = self.stop.cancelled() => return Err(WriteBackError::Down("the agent ends".to_owned())),
            }
            if let Some(why) = switch::stopped(&self.storage, &self.settings.target).await? {
                return Err(WriteBackError::Down(why));
            }
        }
    }
}
