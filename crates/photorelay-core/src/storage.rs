//! Opens the configured storage: Azure Storage (or Azurite), or the embedded store.
//!
//! It must never print a service URI's query, which may hold a SAS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use futures::future::try_join_all;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::names::Container;
use crate::queue::QueueStore;
use crate::queue::embedded::EmbeddedQueues;
use crate::store::{BlobStore, StoreError};

/// How often a program that waits for an embedded store looks for it.
const PRESENCE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a service whose storage is lost has to end.
const GRACE: Duration = Duration::from_secs(5);

/// The location of blobs and queues.
#[derive(Clone)]
pub enum StorageConfig {
    /// Service URIs that may carry a SAS (a secret, never printed), and a credential if they do not.
    Azure { blob_service: Url, queue_service: Url, credential: Option<Arc<dyn TokenCredential>> },
    /// A folder on this machine.
    Embedded { path: PathBuf },
}

impl fmt::Debug for StorageConfig {
    /// Shows the accounts or the folder, never the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageConfig::Azure { blob_service, queue_service, credential } => f
                .debug_struct("Azure")
                .field("blob_service", &blob_service.host_str())
                .field("queue_service", &queue_service.host_str())
                .field("with_credential", &credential.is_some())
                .finish(),
            StorageConfig::Embedded { path } => f.debug_struct("Embedded").field("path", path).finish(),
        }
    }
}

/// An open blob store and queue store.
#[derive(Debug, Clone)]
pub struct Storage {
    pub blobs: Arc<dyn BlobStore>,
    pub queues: Arc<dyn QueueStore>,
}

impl Storage {
    /// Opens the storage without accessing its contents. An embedded store has to be there, whole: a mistyped path must
    /// not become an empty store that everything is missing from.
    pub fn open(config: &StorageConfig) -> Result<Self, StoreError> {
        match config {
            StorageConfig::Embedded { path } if !is_store(path) => Err(StoreError::Absent { folder: path.clone() }),
            _ => Self::open_or_create(config),
        }
    }

    /// The folder in which [`Self::open_or_create`] would create a store, because there is none.
    pub fn creates(config: &StorageConfig) -> Option<&Path> {
        match config {
            StorageConfig::Embedded { path } if !is_store(path) => Some(path),
            _ => None,
        }
    }

    /// The same for a program that serves the storage: it creates an embedded store if there is none.
    pub fn open_or_create(config: &StorageConfig) -> Result<Self, StoreError> {
        Ok(match config {
            StorageConfig::Azure { blob_service, queue_service, credential } => {
                let transport = crate::store::azure::transport()?;
                Self {
                    blobs: Arc::new(crate::store::azure::AzureBlobs::connect(
                        blob_service,
                        credential.clone(),
                        transport.clone(),
                    )?),
                    queues: Arc::new(crate::queue::azure::AzureQueues::connect(
                        queue_service,
                        credential.clone(),
                        transport,
                    )?),
                }
            }
            StorageConfig::Embedded { path } => Self {
                blobs: Arc::new(crate::store::embedded::EmbeddedBlobs::open(path)?),
                queues: Arc::new(EmbeddedQueues::open(path)?),
            },
        })
    }

    /// Opens the storage as soon as it is there; `None` if it is to stop before that. For programs that may be started
    /// before the one that creates an embedded store.
    pub async fn open_when_present(
        config: &StorageConfig,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, StoreError> {
        let mut is_first = true;
        loop {
            match Self::open(config) {
                Err(absent @ StoreError::Absent { .. }) if is_first => tracing::warn!("waiting: {absent}"),
                Err(StoreError::Absent { .. }) => {}
                opened => return opened.map(Some),
            }
            is_first = false;
            tokio::select! {
                () = tokio::time::sleep(PRESENCE_INTERVAL) => {}
                () = stop.cancelled() => return Ok(None),
            }
        }
    }

    /// Does the work of a service. If the storage is lost meanwhile, the service is stopped, and the error says why.
    pub async fn serve_until_lost<T>(
        &self,
        stop: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        tokio::pin!(work);
        let lost = tokio::select! {
            done = &mut work => return Ok(done),
            lost = self.queues.until_lost() => lost,
        };
        stop.cancel();
        // What is under way fails at the storage.
        let _ = tokio::time::timeout(GRACE, work).await;
        Err(lost)
    }

    /// Ensures that the containers and queues exist, so that a missing one is reported at start-up.
    pub async fn ensure(&self, containers: &[Container], queues: &[String]) -> Result<(), StoreError> {
        let containers = containers.iter().map(|container| self.blobs.ensure_container(*container));
        let queues = queues.iter().map(|queue| self.queues.ensure_queue(queue));
        tokio::try_join!(try_join_all(containers), try_join_all(queues))?;
        Ok(())
    }
}

/// Whether a whole store is in this folder: its creator makes the queue file first and the containers next.
fn is_store(folder: &Path) -> bool {
    EmbeddedQueues::are_in(folder) && Container::ALL.iter().all(|container| folder.join(container.as_str()).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sas_is_shown() {
        let uri: Url = "https://account.blob.core.windows.net/?sv=1&sig=SECRET".parse().unwrap();
        let config = StorageConfig::Azure { blob_service: uri.clone(), queue_service: uri, credential: None };
        let shown = format!("{config:?} {:?}", Storage::open(&config).unwrap());
        assert!(shown.contains("account.blob.core.windows.net") && !shown.contains("sig"), "{shown}");
    }

    #[tokio::test]
    async fn what_is_ensured_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let config = StorageConfig::Embedded { path: folder.path().to_owned() };
        assert!(matches!(Storage::open(&config), Err(StoreError::Absent { .. })));
        let storage = Storage::open_or_create(&config).unwrap();
        let queues = ["photo-checks".to_owned(), "photo-writebacks".to_owned()];
        assert!(storage.queues.count(&queues[1]).await.is_err());
        storage.ensure(&Container::ALL, &queues).await.unwrap();
        assert_eq!(storage.queues.count(&queues[1]).await.unwrap(), 0);
        assert_eq!(storage.blobs.get(Container::Agents, "x.json", 1).await.unwrap(), None);
    }
}
