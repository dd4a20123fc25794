//! Opens the configured storage: Azure Storage (or Azurite), or the embedded store.
//!
//! It must never print a service URI's query, which may hold a SAS.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use futures::future::try_join_all;
use url::Url;

use crate::names::Container;
use crate::queue::QueueStore;
use crate::store::{BlobStore, StoreError};

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
    /// Opens the storage without accessing its contents.
    pub fn open(config: &StorageConfig) -> Result<Self, StoreError> {
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
                queues: Arc::new(crate::queue::embedded::EmbeddedQueues::open(path)?),
            },
        })
    }

    /// Ensures that the containers and queues exist, so that a missing one is reported at start-up.
    pub async fn ensure(&self, containers: &[Container], queues: &[String]) -> Result<(), StoreError> {
        let containers = containers.iter().map(|container| self.blobs.ensure_container(*container));
        let queues = queues.iter().map(|queue| self.queues.ensure_queue(queue));
        tokio::try_join!(try_join_all(containers), try_join_all(queues))?;
        Ok(())
    }
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
        let storage = Storage::open(&StorageConfig::Embedded { path: folder.path().to_owned() }).unwrap();
        let queues = ["photo-checks".to_owned(), "photo-writebacks".to_owned()];
        assert!(storage.queues.count(&queues[1]).await.is_err());
        storage.ensure(&Container::ALL, &queues).await.unwrap();
        assert_eq!(storage.queues.count(&queues[1]).await.unwrap(), 0);
        assert_eq!(storage.blobs.get(Container::Agents, "x.json", 1).await.unwrap(), None);
    }
}
