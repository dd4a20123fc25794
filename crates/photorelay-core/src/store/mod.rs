//! The blob store interface: create-once, replace, read, list and delete, without locks or compare-and-swap.
//!
//! Create-once is the only point of decision in the whole system, so every backend must make it atomic and durable:
//! after `Created` the blob survives a power cut, and exactly one of several writers sees `Created`.
//! A client may retry a write whose response was lost, and then sees `AlreadyExists` although it created the blob
//! itself. Callers must treat both results as "the blob exists now" and read what it contains.

pub mod azure;
pub mod embedded;
mod pager;
mod rules;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

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
    /// `None` where the store keeps none, as the embedded store does.
    pub content_type: Option<String>,
    /// Empty unless the listing requested it.
    pub metadata: Metadata,
}

/// One page of a listing, in the order of names.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub blobs: Vec<Listed>,
    /// The continuation for the next page; `None` on the last one.
    pub next: Option<String>,
}

/// A request for a page of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    pub prefix: &'a str,
    /// `next` of the previous page.
    pub continuation: Option<&'a str>,
    pub with_metadata: bool,
    /// The maximum number of blobs on the page; a backend may return fewer. Azure returns at most 5,000.
    pub page_size: u32,
}

impl<'a> Listing<'a> {
    pub fn of(prefix: &'a str) -> Self {
        Self { prefix, continuation: None, with_metadata: false, page_size: 5_000 }
    }
}

/// Why a storage operation failed. The variants differ in what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Down, slow, throttled or disconnected: worth retrying later.
    #[error("storage is unavailable while {doing}: {source}")]
    Unavailable { doing: String, source: BoxError },
    /// Not allowed: an operator must grant a role or renew a SAS.
    #[error("storage refuses {doing}: {source}")]
    Denied { doing: String, source: BoxError },
    /// The container or queue does not exist, and this program may not create it.
    #[error("{what} does not exist in the storage: create it, or allow this program to create it")]
    Missing { what: String },
    /// The disk of the embedded store has no room.
    #[error("the disk is full while {doing}")]
    Full { doing: String },
    /// More bytes than the caller accepts.
    #[error("{what} has {bytes} bytes, which exceeds the limit of {limit}")]
    TooLarge { what: String, bytes: u64, limit: u64 },
    /// No embedded store is in this folder, or only the beginning of one, and this program does not create it.
    #[error(
        "there is no store of photorelay in {}: correct PhotoStorage__path, or start `photorelay run`, which creates it",
        folder.display()
    )]
    Absent { folder: PathBuf },
    /// The embedded store is not the one that was opened. A program that went on would write into nothing.
    #[error("the store in {} was deleted or replaced while this program was using it", folder.display())]
    Lost { folder: PathBuf },
    /// The request itself is invalid; retrying it does not help.
    #[error("storage does not accept {doing}: {source}")]
    Invalid { doing: String, source: BoxError },
}

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Whether the same call may succeed later without an operator's action.
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Full { .. })
    }
}

#[async_trait]
pub trait BlobStore: Send + Sync + Debug {
    /// Ensures that the container exists, creating it if that is allowed.
    async fn ensure_container(&self, container: Container) -> Result<(), StoreError>;

    /// Stores the blob unless the name is taken. The content type helps operators and tools that browse the storage; only
    /// verification reads it back.
    async fn create(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<Creation, StoreError>;

    /// The same, with metadata that says no more than the blob itself, for listings. A store may drop it:
    /// a blob that has none is read instead.
    async fn create_with_metadata(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<Creation, StoreError> {
        let _ = metadata;
        self.create(container, name, content_type, content).await
    }

    /// Stores the blob, replacing an existing one. Its bytes may become visible shortly before its metadata, never
    /// after.
    async fn put(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError>;

    /// Reads the blob; `None` if it does not exist.
    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError>;

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError>;

    /// Deletes the blob. It is not an error if the blob does not exist.
    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError>;
}
