//! The cursor: how far the sweep has come. An unreadable one counts as lost, and the sweep begins anew.

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{SweepCursor, SweepUnderWay};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, StoreError};

/// After a longer pause, what the sweep has compared before is out of date.
const RESUMED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

pub(super) async fn read(blobs: &dyn BlobStore) -> Result<SweepCursor, StoreError> {
    Ok(documents::read(blobs, Container::State, names::SWEEP).await?.unwrap_or_default())
}

/// The sweep to continue, if there is one.
pub(super) fn resumable(cursor: &SweepCursor, now: Timestamp) -> Option<SweepUnderWay> {
    let current = cursor.current.clone()?;
    (now.duration_since(current.began_at).abs() <= RESUMED_WITHIN).then_some(current)
}

pub(super) async fn write(blobs: &dyn BlobStore, cursor: &SweepCursor) -> Result<(), StoreError> {
    documents::replace(blobs, Container::State, names::SWEEP, cursor).await
}
