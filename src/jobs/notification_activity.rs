//! Remembers when notifications come, so that somebody notices when they stop.
//!
//! Written a few times an hour at most, and only a hint: it must never fail or delay a look.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::contract::{self, MAX_CONTRACT_BYTES, NotificationActivity};
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Metadata, StoreError};

/// A process writes once in this time at most.
const SECONDS_BETWEEN: i64 = 10 * 60;

/// When this process last wrote.
#[derive(Debug, Default)]
pub struct ActivityRecorder(AtomicI64);

impl ActivityRecorder {
    /// A check that a notification has led to was handled.
    pub async fn note(&self, blobs: &dyn BlobStore, now: Timestamp) {
        let last = self.0.load(Ordering::Relaxed);
        let is_due = now.as_second() - last >= SECONDS_BETWEEN;
        let wrote =
            is_due && self.0.compare_exchange(last, now.as_second(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if wrote && let Err(error) = write(blobs, now).await {
            tracing::warn!(%error, "when notifications came could not be written down");
        }
    }
}

async fn write(blobs: &dyn BlobStore, now: Timestamp) -> Result<(), StoreError> {
    let activity = match read(blobs).await? {
        Some(activity) => activity.notified(now),
        None => NotificationActivity::starting(now),
    };
    let content = Bytes::from(contract::to_bytes(&activity));
    blobs.put(Container::State, names::NOTIFICATION_ACTIVITY, "application/json", content, &Metadata::new()).await
}

/// None if no notification ever came, or nobody can read when.
pub async fn read(blobs: &dyn BlobStore) -> Result<Option<NotificationActivity>, StoreError> {
    match blobs.get(Container::State, names::NOTIFICATION_ACTIVITY, MAX_CONTRACT_BYTES as u64).await {
        Ok(bytes) => Ok(bytes.and_then(|bytes| contract::parse(&bytes).ok())),
        Err(StoreError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
