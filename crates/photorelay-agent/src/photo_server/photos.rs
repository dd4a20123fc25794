//! The photos that can be shown: the index, and the storage behind it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use photorelay_core::contract::RenditionFacts;
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::storage::Storage;
use photorelay_core::target::Target;
use photorelay_core::vault::{self, VaultError};

use super::index::{PhotoIndex, PhotoKey};
use super::index_refresh::IndexRefresh;

/// Renditions are far smaller.
const MAX_PHOTO_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct IndexedPhotos {
    blobs: ScopedBlobs,
    refresh: IndexRefresh,
    index: RwLock<PhotoIndex>,
    /// Whether the index was complete once.
    is_ready: AtomicBool,
}

/// A stored rendition of the photo that a key means.
#[derive(Debug)]
pub(super) struct StoredPhoto {
    user: UserId,
    photo: Digest,
    rendition: RenditionFacts,
}

/// What became of reading a photo.
#[derive(Debug)]
pub(super) enum PhotoBytes {
    Read(Bytes),
    /// Deleted since the index was read, or not what its name promises.
    Gone,
    /// The storage does not answer.
    Unavailable,
}

impl IndexedPhotos {
    pub(super) fn new(storage: &Storage, tenant: TenantId, serving: Target) -> Self {
        const GRANTS: &[Grant] = &[Grant::read(Container::Audit, ""), Grant::read(Container::Photos, "")];
        let blobs = ScopedBlobs::new(&storage.blobs, GRANTS);
        Self {
            refresh: IndexRefresh::new(blobs.clone(), tenant, serving),
            blobs,
            index: RwLock::default(),
            is_ready: AtomicBool::new(false),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire)
    }

    /// Brings the index up to the trail; whether that worked.
    pub(super) async fn refresh(&self) -> bool {
        match self.refresh.run(&self.index).await {
            Ok(read) => {
                self.is_ready.store(true, Ordering::Release);
                let people = self.index.read().unwrap_or_else(PoisonError::into_inner).people();
                tracing::debug!(people, read, "the index is up to date");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the audit trail cannot be read: the index stays as it was, and is read again");
                false
            }
        }
    }

    /// The rendition nearest to this size; none if there is no photo to show.
    pub(super) fn find(&self, key: &PhotoKey, size: u32) -> Option<StoredPhoto> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let found = index.find(key)?;
        Some(StoredPhoto { user: found.user, photo: found.photo, rendition: found.nearest(size)?.clone() })
    }

    pub(super) async fn read(&self, stored: &StoredPhoto) -> PhotoBytes {
        let StoredPhoto { user, photo, rendition } = stored;
        let blob = names::rendition(*user, *photo, &rendition.name, rendition.sha256);
        match vault::read_verified(&self.blobs, &blob, rendition.sha256, MAX_PHOTO_BYTES).await {
            Ok(bytes) => PhotoBytes::Read(bytes),
            Err(VaultError::Missing { .. }) => PhotoBytes::Gone,
            Err(VaultError::Store(error)) => {
                tracing::warn!(%error, "a photo cannot be read");
                PhotoBytes::Unavailable
            }
            Err(error @ VaultError::Changed { .. }) => {
                tracing::error!(%error, "a photo is not shown: run `photorelay audit verify`");
                PhotoBytes::Gone
            }
        }
    }
}

impl StoredPhoto {
    pub(super) fn sha256(&self) -> Digest {
        self.rendition.sha256
    }
}
