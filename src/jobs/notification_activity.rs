//! Records when notifications arrive, so that the watchdog notices when they stop.
//!
//! Written a few times an hour at most, and only an estimate: it must never fail or delay a reconciliation.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use photorelay_core::contract::NotificationActivity;
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, StoreError};

/// The shortest time between two writes of a process.
const SECONDS_BETWEEN: i64 = 10 * 60;

/// When this process last wrote.
#[derive(Debug, Default)]
pub struct ActivityRecorder(AtomicI64);

impl ActivityRecorder {
    /// Records that a check caused by a notification was handled.
    pub async fn note(&self, blobs: &dyn BlobStore, now: Timestamp) {
        let last = self.0.load(Ordering::Relaxed);
        let is_due = now.as_second() - last >= SECONDS_BETWEEN;
        let writes =
            is_due && self.0.compare_exchange(last, now.as_second(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if writes && let Err(error) = write(blobs, now).await {
            tracing::warn!(%error, "the time of the last notification could not be recorded");
        }
    }
}

async fn write(blobs: &dyn BlobStore, now: Timestamp) -> Result<(), StoreError> {
    let activity = match read(blobs).await? {
        Some(activity) => activity.notified(now),
        None => NotificationActivity::starting(now),
    };
    documents::replace(blobs, Container::State, names::NOTIFICATION_ACTIVITY, &activity).await
}

/// None if no notification ever arrived, or the record is unreadable.
pub async fn read(blobs: &dyn BlobStore) -> Result<Option<NotificationActivity>, StoreError> {
    documents::read(blobs, Container::State, names::NOTIFICATION_ACTIVITY).await
}
