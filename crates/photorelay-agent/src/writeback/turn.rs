//! Waits until the write quota lets one more write through. The wait ends when the agent stops or is stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::error::WriteBackError;
use crate::quota::{Reservation, WriteQuota};
use crate::stop_switch::{self, StopCheck};

#[derive(Debug, Clone)]
pub(super) struct WriteTurns {
    pub(super) quota: Arc<WriteQuota>,
    pub(super) switch: StopCheck,
    pub(super) stop: CancellationToken,
}

impl WriteTurns {
    /// Acquires one write from the quota; true if that took a while.
    pub(super) async fn acquire(&self) -> Result<bool, WriteBackError> {
        match self.quota.reserve().await? {
            Reservation::After(Duration::ZERO) => Ok(false),
            Reservation::After(wait) => self.wait(wait).await.map(|()| true),
            Reservation::QuotaExhausted { writes } => Err(WriteBackError::Down(format!(
                "today's {writes} writes (PHOTORELAY_WRITES_PER_DAY) are used up; writing continues at 00:00 UTC"
            ))),
        }
    }

    async fn wait(&self, wait: Duration) -> Result<(), WriteBackError> {
        let due = Instant::now() + wait;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(left.min(stop_switch::CHECK_EVERY)) => {}
                () = self.stop.cancelled() => return Err(WriteBackError::Down("the agent is stopping".to_owned())),
            }
            if let Some(why) = self.switch.reason().await? {
                return Err(WriteBackError::Down(why));
            }
        }
    }
}
