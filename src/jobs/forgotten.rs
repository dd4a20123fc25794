//! Deletes the photos of forgotten users, repeatedly.
//!
//! A slow worker may store a photo after the user was forgotten; it never gets to commit it. So `forget` deletes once,
//! and every sweep deletes again. The trail stays: it holds digests and no photo.

use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Pager, StoreError};

/// Deletes everything below `photos/{userId}/` and returns how many blobs that were.
pub async fn delete_photos(blobs: &dyn BlobStore, user: UserId) -> Result<usize, StoreError> {
    let mut photos = Pager::new(blobs, Container::Photos, names::person_prefix(user), |blob| Some(blob.name));
    let mut deleted = 0;
    while let Some(photo) = photos.next().await? {
        blobs.delete(Container::Photos, &photo).await?;
        deleted += 1;
    }
    Ok(deleted)
}
