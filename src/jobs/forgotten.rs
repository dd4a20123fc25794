//! People who were forgotten: their photos are deleted, again and again.
//!
//! A worker that was slow may store a photo after the person was forgotten; it never gets to commit it. So whoever
//! forgets deletes once, and the sweep repeats it. The trail stays: it holds digests and no photo.

use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, StoreError, list_all};

/// Deletes everything below `photos/{userId}/` and says how much that was.
pub async fn delete_photos(blobs: &dyn BlobStore, user: UserId) -> Result<usize, StoreError> {
    let listed = list_all(blobs, Container::Photos, &names::person_prefix(user)).await?;
    for blob in &listed {
        blobs.delete(Container::Photos, &blob.name).await?;
    }
    Ok(listed.len())
}
