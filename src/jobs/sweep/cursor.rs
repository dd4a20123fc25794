//! The cursor: how far the sweep has come. One that cannot be read counts as lost, and the sweep begins anew.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{self, MAX_CONTRACT_BYTES, SweepCursor, SweepUnderWay};
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Metadata, StoreError};

/// What was looked at before a longer pause has to be looked at again.
const RESUMED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

pub(super) async fn read(blobs: &dyn BlobStore) -> Result<SweepCursor, StoreError> {
    let bytes = match blobs.get(Container::State, names::SWEEP, MAX_CONTRACT_BYTES as u64).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) | Err(StoreError::TooLarge { .. }) => return Ok(SweepCursor::default()),
        Err(error) => return Err(error),
    };
    Ok(contract::parse(&bytes).unwrap_or_else(|error| {
        tracing::warn!(%error, "the sweep's cursor cannot be read: it begins anew");
        SweepCursor::default()
    }))
}

/// The sweep to go on with, if there is one.
pub(super) fn resumable(cursor: &SweepCursor, now: Timestamp) -> Option<SweepUnderWay> {
    let current = cursor.current.clone()?;
    (now.duration_since(current.began_at).abs() <= RESUMED_WITHIN).then_some(current)
}

pub(super) async fn write(blobs: &dyn BlobStore, cursor: &SweepCursor) -> Result<(), StoreError> {
    let content = Bytes::from(contract::to_bytes(cursor));
    blobs.put(Container::State, names::SWEEP, "application/json", content, &Metadata::new()).await
}
