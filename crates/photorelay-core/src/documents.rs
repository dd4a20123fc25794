//! Contracts as blobs: small versioned JSON documents that are read, created once, or replaced.
//!
//! Blobs are untrusted: the contract's size limit is checked before anything is parsed. An unreadable document must
//! never pass for an absent one where that makes a difference: [`inspect`] distinguishes the two, and [`read`] is for
//! documents that can be rebuilt. This module owns the failure "the document is damaged or was written by a newer
//! version".

use bytes::Bytes;

use crate::contract::{self, Contract, ContractError};
use crate::id::Digest;
use crate::names::Container;
use crate::store::{BlobStore, Creation, Metadata, StoreError};

/// The content type of every document.
pub(crate) const JSON: &str = "application/json";

/// The result of reading a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Document<C> {
    Absent,
    /// Larger than its contract allows, written by a newer version, or not valid.
    Unreadable(String),
    Valid(C),
}

impl<C> Document<C> {
    /// For those to whom an unreadable document is as good as none.
    pub fn valid(self) -> Option<C> {
        match self {
            Self::Valid(document) => Some(document),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }
}

/// Reads a document and distinguishes an absent one from an unreadable one.
pub async fn inspect<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
) -> Result<Document<C>, StoreError> {
    Ok(match inspect_with_digest(blobs, container, name).await? {
        Document::Valid((document, _)) => Document::Valid(document),
        Document::Unreadable(why) => Document::Unreadable(why),
        Document::Absent => Document::Absent,
    })
}

/// The same with the SHA-256 of the document's bytes.
pub async fn inspect_with_digest<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
) -> Result<Document<(C, Digest)>, StoreError> {
    let bytes = match blobs.get(container, name, C::MAX_BYTES as u64).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Document::Absent),
        Err(error @ StoreError::TooLarge { .. }) => return Ok(Document::Unreadable(error.to_string())),
        Err(error) => return Err(error),
    };
    let parsed: Result<C, ContractError> = contract::parse(&bytes);
    let with_digest = |document| Document::Valid((document, Digest::of(&bytes)));
    Ok(parsed.map_or_else(|error| Document::Unreadable(error.to_string()), with_digest))
}

/// Reads a document that can be rebuilt: an unreadable one is logged and counts as absent.
pub async fn read<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
) -> Result<Option<C>, StoreError> {
    Ok(match inspect(blobs, container, name).await? {
        Document::Valid(document) => Some(document),
        Document::Absent => None,
        Document::Unreadable(reason) => {
            tracing::warn!(blob = %format!("{container}/{name}"), reason, "the document is unreadable and is ignored");
            None
        }
    })
}

/// Creates the document unless the name is taken.
pub async fn create<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
    document: &C,
) -> Result<Creation, StoreError> {
    blobs.create(container, name, JSON, Bytes::from(contract::to_bytes(document))).await
}

/// The same, with blob metadata that follows from the document's bytes.
pub async fn create_with_metadata<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
    document: &C,
    metadata: impl FnOnce(&[u8]) -> Metadata,
) -> Result<Creation, StoreError> {
    let bytes = contract::to_bytes(document);
    let metadata = metadata(&bytes);
    blobs.create_with_metadata(container, name, JSON, Bytes::from(bytes), &metadata).await
}

/// Writes the document, replacing an existing one.
pub async fn replace<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
    document: &C,
) -> Result<(), StoreError> {
    replace_with_metadata(blobs, container, name, document, &Metadata::new()).await
}

/// Writes the document with blob metadata, which listings return without reading the document.
pub async fn replace_with_metadata<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
    document: &C,
    metadata: &Metadata,
) -> Result<(), StoreError> {
    blobs.put(container, name, JSON, Bytes::from(contract::to_bytes(document)), metadata).await
}
