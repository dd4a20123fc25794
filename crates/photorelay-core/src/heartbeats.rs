//! What every agent reported last. Only reads.

use crate::contract::Heartbeat;
use crate::documents;
use crate::names::{self, Container};
use crate::store::{BlobStore, Pager, StoreError};

/// Of all targets.
pub async fn heartbeats(blobs: &dyn BlobStore) -> Result<Vec<Heartbeat>, StoreError> {
    let mut heartbeats = Vec::new();
    let mut listed = Pager::new(blobs, Container::Agents, names::HEARTBEATS_PREFIX, |blob| Some(blob.name));
    while let Some(name) = listed.next().await? {
        heartbeats.extend(documents::read(blobs, Container::Agents, &name).await?);
    }
    Ok(heartbeats)
}
