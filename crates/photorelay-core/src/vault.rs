//! Photos and renditions, stored once under their digests and verified whenever they are read.
//!
//! This module must never return bytes that do not match the digest in their name. It owns the failure "a stored photo
//! is missing or was changed".

use bytes::Bytes;

use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("photos/{blob} does not exist")]
    Missing { blob: String },
    #[error("photos/{blob} has been changed: its bytes hash to {found}")]
    Changed { blob: String, found: Digest },
}

/// Stores the bytes that Graph returned, unchanged. Storing them again is harmless.
pub async fn store_photo(
    blobs: &dyn BlobStore,
    user: UserId,
    sha256: Digest,
    content_type: &str,
    bytes: Bytes,
) -> Result<(), StoreError> {
    blobs.create(Container::Photos, &names::photo(user, sha256), content_type, bytes).await.map(drop)
}

/// Stores a JPEG rendition of a photo. Storing it again is harmless.
pub async fn store_rendition(
    blobs: &dyn BlobStore,
    user: UserId,
    photo: Digest,
    name: &str,
    sha256: Digest,
    bytes: Bytes,
) -> Result<(), StoreError> {
    let blob = names::rendition(user, photo, name, sha256);
    blobs.create(Container::Photos, &blob, "image/jpeg", bytes).await.map(drop)
}

/// Reads a blob of `photos` and checks that its bytes hash to `sha256`.
pub async fn read_verified(blobs: &dyn BlobStore, blob: &str, sha256: Digest, limit: u64) -> Result<Bytes, VaultError> {
    let bytes = blobs
        .get(Container::Photos, blob, limit)
        .await?
        .ok_or_else(|| VaultError::Missing { blob: blob.to_owned() })?;
    match Digest::of(&bytes) {
        found if found == sha256 => Ok(bytes),
        found => Err(VaultError::Changed { blob: blob.to_owned(), found }),
    }
}
