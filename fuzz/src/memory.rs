//! Blobs and queues in memory, which a target can look into and empty.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::names::Container;
use photorelay_core::queue::{Delivery, Leased, MAX_BODY_BYTES, MessageBody, Outgoing, PopReceipt, QueueStore};
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, Creation, Listed, Listing, Metadata, Page, StoreError};

type Blobs = BTreeMap<(Container, String), (Bytes, Metadata)>;

#[derive(Debug, Default)]
pub struct MemoryStore {
    blobs: Mutex<Blobs>,
    queues: Mutex<BTreeMap<String, Vec<Bytes>>>,
}

impl MemoryStore {
    pub fn storage(self: &Arc<Self>) -> Storage {
        Storage { blobs: Arc::clone(self) as Arc<dyn BlobStore>, queues: Arc::clone(self) as Arc<dyn QueueStore> }
    }

    /// Everything that was sent since, by queue; the store is empty afterwards.
    pub fn take(&self) -> (Vec<(String, Bytes)>, Vec<(Container, String, Bytes)>) {
        let queues = std::mem::take(&mut *lock(&self.queues));
        let blobs = std::mem::take(&mut *lock(&self.blobs));
        let sent =
            queues.into_iter().flat_map(|(queue, bodies)| bodies.into_iter().map(move |body| (queue.clone(), body)));
        let stored = blobs.into_iter().map(|((container, name), (bytes, _))| (container, name, bytes));
        (sent.collect(), stored.collect())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl BlobStore for MemoryStore {
    async fn ensure_container(&self, _: Container) -> Result<(), StoreError> {
        Ok(())
    }

    async fn create(&self, container: Container, name: &str, _: &str, content: Bytes) -> Result<Creation, StoreError> {
        let mut blobs = lock(&self.blobs);
        let key = (container, name.to_owned());
        if blobs.contains_key(&key) {
            return Ok(Creation::AlreadyExists);
        }
        blobs.insert(key, (content, Metadata::new()));
        Ok(Creation::Created)
    }

    async fn put(
        &self,
        container: Container,
        name: &str,
        _: &str,
        content: Bytes,
        metadata: &Metadata,
    ) -> Result<(), StoreError> {
        lock(&self.blobs).insert((container, name.to_owned()), (content, metadata.clone()));
        Ok(())
    }

    async fn get(&self, container: Container, name: &str, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let blobs = lock(&self.blobs);
        let Some((content, _)) = blobs.get(&(container, name.to_owned())) else { return Ok(None) };
        let bytes = content.len() as u64;
        if bytes > limit {
            return Err(StoreError::TooLarge { what: format!("{container}/{name}"), bytes, limit });
        }
        Ok(Some(content.clone()))
    }

    async fn list(&self, container: Container, listing: Listing<'_>) -> Result<Page, StoreError> {
        let blobs = lock(&self.blobs);
        let wanted = blobs.iter().filter(|((of, name), _)| *of == container && name.starts_with(listing.prefix));
        let listed = wanted.map(|((_, name), (content, metadata))| Listed {
            name: name.clone(),
            bytes: content.len() as u64,
            metadata: metadata.clone(),
            content_type: None,
        });
        Ok(Page { blobs: listed.collect(), next: None })
    }

    async fn delete(&self, container: Container, name: &str) -> Result<(), StoreError> {
        lock(&self.blobs).remove(&(container, name.to_owned()));
        Ok(())
    }
}

#[async_trait]
impl QueueStore for MemoryStore {
    async fn ensure_queue(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        assert!(messages.iter().all(|message| message.body.len() <= MAX_BODY_BYTES), "larger than a message can be");
        lock(&self.queues)
            .entry(queue.to_owned())
            .or_default()
            .extend(messages.into_iter().map(|message| message.body));
        Ok(())
    }

    /// What was received is gone: nothing here fails before it is settled.
    async fn receive(&self, queue: &str, _: u32, _: Duration) -> Result<Vec<Delivery>, StoreError> {
        let bodies = lock(&self.queues).remove(queue).unwrap_or_default();
        let delivery = |body| Delivery {
            id: "1".to_owned(),
            body: MessageBody::Bytes(body),
            dequeue_count: 1,
            inserted_at: Timestamp::UNIX_EPOCH,
            receipt: PopReceipt("1".to_owned()),
        };
        Ok(bodies.into_iter().map(delivery).collect())
    }

    async fn renew(&self, _: &str, delivery: &Delivery, _: Duration) -> Result<Leased<PopReceipt>, StoreError> {
        Ok(Leased::Yes(delivery.receipt.clone()))
    }

    async fn delete(&self, _: &str, _: &Delivery) -> Result<Leased<()>, StoreError> {
        Ok(Leased::Yes(()))
    }

    async fn count(&self, queue: &str) -> Result<u64, StoreError> {
        Ok(lock(&self.queues).get(queue).map_or(0, Vec::len) as u64)
    }

    async fn oldest(&self, _: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}
