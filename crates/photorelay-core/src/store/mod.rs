//! The blob store as photorelay needs it: create-once, replace, read, list, delete. No locks and no compare-and-swap.
//!
//! Create-once is the only point of decision in the whole system, so every backend must make it atomic and durable:
//! after `Created` the blob survives a power cut, and exactly one of several writers sees `Created`.
//! (A write whose reply was lost may be repeated by a client and then reports `AlreadyExists` to the one who made it:
//! callers treat both answers as "it exists now" and look at what is there.)

pub mod azure;
pub mod embedded;
mod pager;
mod rules;

use std::collections::BTreeMap;
use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use crate::names::Container;
pub use pager::{Pager, list_all};

/// Blob metadata: short ASCII names and values.
pub type Metadata = BTreeMap<String, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    Created,
    AlreadyExists,
}

/// One blob of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub bytes: u64,
    /// Filled only where the listing asked for it.
    pub metadata: Metadata,
}

/// One page of a listing, in the order of names.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub blobs: Vec<Listed>,
    /// What to ask for the next page with; none on the last one.
    pub next: Option<String>,
}

/// What a listing should hold.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    pub prefix: &'a str,
    /// `next` of the page before.
    pub continuation: Option<&'a str>,
    pub with_metadata: bool,
    /// At most so many blobs on the page; a backend may give fewer. 5,000 is the most that Azure gives.
    pub page_size: u32,
}

impl<'a> Listing<'a> {
    pub fn of(prefix: &'a str) -> Self {
        Self { prefix, continuation: None, with_metadata: false, page_size: 5_000 }
    }
}

/// Why a blob operation failed; the variants are what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Down, slow, throttled or cut off: worth trying again later.
    #[error("storage is unavailable while {doing}: {source}")]
    Unavailable { doing: String, source: BoxError },
    /// Not allowed: somebody has to grant a role or renew a SAS.
    #[error("storage refuses {doing}: {source}")]
    Denied { doing: String, source: BoxError },
    /// The container or queue does not exist and may not be created by us.
    #[error("{what} does not exist in the storage: create it, or allow this program to")]
    Missing { what: String },
    /// The disk of the embedded store has no room.
    #[error("the disk is full while {doing}")]
    Full { doing: String },
    /// More bytes than the caller is ready to hold.
    #[error("{what} has {bytes} bytes, more than the {limit} that it may have")]
    TooLarge { what: String, bytes: u64, limit: u64 },
    /// The request itself is wrong; repeating it does not help.
    #[error("storage does not accept {doing}: {source}")]
    Invalid { doing: String, source: BoxError },
}

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Full { .. })
    }
}

#[async_trait]
pub trait BlobStore: Send + Sync + Debug {
    /// Makes sure that the container exists, creating it where that is allowed.
    async fn ensure_container(&self, container: Container) -> Result<(), StoreError>;

    /// Stores the blob unless one of that name exists. The content type is for people and tools that look into the
    /// storage; photorelay never reads it back.
    async fn create(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<Creation, StoreError>;

    /// Stores the blob, replacing what was there. Bytes may be visible a moment before the metadata, never after.
    async fn put(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError>;

    /// The blob's bytes, or none if it does not exist.
    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError>;

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError>;

    /// Deletes the blob; one that does not exist is no error.
    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError>;
}
