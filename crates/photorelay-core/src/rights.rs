//! The blobs that one part of a program may read and write, and no others.
//!
//! Every part is given such a view when it is built. A call outside of it is a bug in that part: it is denied and never
//! reaches the storage.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::names::Container;
use crate::store::{BlobStore, Creation, Listing, Metadata, Page, StoreError};

/// The blobs of a container whose names begin with `prefix`.
#[derive(Debug)]
pub struct Grant {
    container: Container,
    prefix: &'static str,
    writable: bool,
}

impl Grant {
    pub const fn read(container: Container, prefix: &'static str) -> Self {
        Self { container, prefix, writable: false }
    }

    pub const fn write(container: Container, prefix: &'static str) -> Self {
        Self { container, prefix, writable: true }
    }
}

/// A view of the storage that reaches nothing but what is granted.
#[derive(Debug, Clone)]
pub struct ScopedBlobs {
    blobs: Arc<dyn BlobStore>,
    grants: &'static [Grant],
}

impl ScopedBlobs {
    pub fn new(blobs: &Arc<dyn BlobStore>, grants: &'static [Grant]) -> Self {
        Self { blobs: Arc::clone(blobs), grants }
    }

    fn check(&self, container: Container, name: &str, writing: bool) -> Result<(), StoreError> {
        let allows = |grant: &Grant| {
            grant.container == container && name.starts_with(grant.prefix) && (grant.writable || !writing)
        };
        if self.grants.iter().any(allows) {
            return Ok(());
        }
        let doing = if writing { "writing" } else { "reading" };
        Err(StoreError::Denied {
            doing: format!("{doing} {container}/{name}"),
            source: "this part of the program has no right to it".into(),
        })
    }
}

#[async_trait]
impl BlobStore for ScopedBlobs {
    async fn ensure_container(&self, container: Container) -> Result<(), StoreError> {
        self.check(container, "", true)?;
        self.blobs.ensure_container(container).await
    }

    async fn create(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<Creation, StoreError> {
        self.check(container, name, true)?;
        self.blobs.create(container, name, content_type, content).await
    }

    async fn create_with_metadata(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<Creation, StoreError> {
        self.check(container, name, true)?;
        self.blobs.create_with_metadata(container, name, content_type, content, metadata).await
    }

    async fn put(
        &self,
        container: Container,
        name: &str,
        content_type: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError> {
        self.check(container, name, true)?;
        self.blobs.put(container, name, content_type, content, metadata).await
    }

    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        self.check(container, name, false)?;
        self.blobs.get(container, name, limit).await
    }

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError> {
        self.check(container, listing.prefix, false)?;
        self.blobs.list(container, listing).await
    }

    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError> {
        self.check(container, name, true)?;
        self.blobs.delete(container, name).await
    }
}

#[cfg(test)]
mod tests {
    use crate::store::embedded::EmbeddedBlobs;

    use super::*;

    const GRANTS: &[Grant] = &[Grant::read(Container::Audit, ""), Grant::write(Container::Agents, "held/")];

    #[tokio::test]
    async fn only_what_is_granted_reaches_the_storage() {
        let folder = tempfile::tempdir().unwrap();
        let blobs: Arc<dyn BlobStore> = Arc::new(EmbeddedBlobs::open(folder.path()).unwrap());
        for container in [Container::Audit, Container::Agents] {
            blobs.ensure_container(container).await.unwrap();
        }
        let scoped = ScopedBlobs::new(&blobs, GRANTS);
        let create = async |container, name| scoped.create(container, name, "text/plain", Bytes::new()).await.is_ok();
        let read = async |container, name| scoped.get(container, name, 1).await.is_ok();
        assert!(create(Container::Agents, "held/1.json").await);
        assert!(!create(Container::Agents, "stop/ad.json").await);
        assert!(!create(Container::Audit, "entry.json").await);
        assert!(read(Container::Audit, "entry.json").await && !read(Container::Photos, "photo").await);
        assert!(scoped.list(Container::Agents, Listing::of("held/")).await.is_ok());
        assert!(scoped.list(Container::Agents, Listing::of("")).await.is_err());
        assert!(scoped.delete(Container::Audit, "entry.json").await.is_err());
    }
}
