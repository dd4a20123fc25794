//! Erases everything in which a forgotten user can be recognised, repeatedly: photos, renditions, and the
//! values that agents found in targets and saved.
//!
//! A slow worker may store a photo after the user was forgotten; it never gets to commit it. So `forget` erases once,
//! and every sweep erases again. The trail stays: it holds digests and, from version 2 of its entries on, no picture.

use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Pager, StoreError};
use serde::Serialize;

/// How many blobs were deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// Below `photos/{userId}/`: photos and renditions.
    pub photos: usize,
    /// `receipts/{userId}/*.before`.
    pub saved_values: usize,
}

impl Erasure {
    pub fn count(&mut self, container: Container) {
        match container {
            Container::Photos => self.photos += 1,
            _ => self.saved_values += 1,
        }
    }
}

/// Deletes every likeness of this user.
pub async fn erase(blobs: &dyn BlobStore, user: UserId) -> Result<Erasure, StoreError> {
    let mut erasure = Erasure::default();
    for (container, name) in likenesses(blobs, user).await? {
        blobs.delete(container, &name).await?;
        erasure.count(container);
    }
    Ok(erasure)
}

/// Every blob in which the user can be recognised, photos first.
pub async fn likenesses(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<(Container, String)>, StoreError> {
    let mut found = Vec::new();
    let mut photos = Pager::new(blobs, Container::Photos, names::person_prefix(user), |blob| Some(blob.name));
    while let Some(name) = photos.next().await? {
        found.push((Container::Photos, name));
    }
    let is_saved = |blob: photorelay_core::store::Listed| names::parse_kept_value(&blob.name).map(|_| blob.name);
    let mut saved = Pager::new(blobs, Container::Receipts, names::person_prefix(user), is_saved);
    while let Some(name) = saved.next().await? {
        found.push((Container::Receipts, name));
    }
    Ok(found)
}
