//! Pictures, as the storage holds them: good only if their bytes hash to the digest in the name *and* decode as a photo.
//!
//! Whatever else a blob holds, such as a page of HTML or a picture that was swapped, must never leave this module. Sizes
//! are limited before anything is read.

use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use photorelay_core::id::Digest;
use photorelay_core::names::Container;
use photorelay_core::photo::{self, Format, PhotoLimits};
use photorelay_core::store::{BlobStore, StoreError};
use tokio::sync::Semaphore;

/// No photo, rendition or value of a target is larger.
const MAX_PICTURE_BYTES: u64 = 4 * 1024 * 1024;
/// Pictures that are decoded at once; each takes a few milliseconds and up to 128 MiB.
const AT_ONCE: usize = 4;

#[derive(Debug)]
pub(super) struct PictureRoom {
    blobs: Arc<dyn BlobStore>,
    seats: Arc<Semaphore>,
}

/// What a blob turned out to be.
pub(super) enum PictureContent {
    Picture(Format, Bytes),
    Missing,
    /// The bytes are not those that the name promises.
    Changed,
    /// Something else, or more than a photo can be.
    NotAPhoto,
}

impl PictureRoom {
    pub(super) fn new(blobs: Arc<dyn BlobStore>) -> Self {
        Self { blobs, seats: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    pub(super) async fn find(&self, container: Container, name: &str, sha256: Digest) -> Result<PictureContent> {
        let seat = Arc::clone(&self.seats).acquire_owned().await?;
        let bytes = match self.blobs.get(container, name, MAX_PICTURE_BYTES).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(PictureContent::Missing),
            Err(StoreError::TooLarge { .. }) => return Ok(PictureContent::NotAPhoto),
            Err(error) => return Err(error.into()),
        };
        let found = tokio::task::spawn_blocking(move || {
            let _seat = seat;
            match photo::sniff(&bytes) {
                _ if Digest::of(&bytes) != sha256 => PictureContent::Changed,
                Some(format) if photo::decode(&bytes, &PhotoLimits::default()).is_ok() => {
                    PictureContent::Picture(format, bytes)
                }
                _ => PictureContent::NotAPhoto,
            }
        });
        Ok(found.await?)
    }
}
