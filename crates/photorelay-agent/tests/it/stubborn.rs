//! A folder that refuses every change, or finds nobody, for as long as a test wants.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use testkit::agent::AgentBuilder;
use testkit::world::World;

#[derive(Debug, Clone)]
pub(crate) struct Stubborn {
    folder: FolderConnector,
    refusal: Arc<Mutex<Option<String>>>,
}

impl Stubborn {
    /// The world's folder.
    pub(crate) fn before(world: &World) -> Self {
        let folder = FolderConnector::open(&world.dir().join("written"), "thumbnailPhoto", 1024 * 1024).unwrap();
        Self { folder, refusal: Arc::default() }
    }

    pub(crate) fn agent(&self, world: &World) -> AgentBuilder {
        AgentBuilder::new(world.storage(), world.tenant_id(), self.clone())
    }

    /// From now on every change is refused with this reason, or none is.
    pub(crate) fn refuse(&self, reason: Option<&str>) {
        *self.refusal.lock().unwrap() = reason.map(str::to_owned);
    }
}

#[async_trait]
impl Connector for Stubborn {
    fn rendition(&self) -> &str {
        self.folder.rendition()
    }

    fn limit(&self) -> u64 {
        self.folder.limit()
    }

    fn server(&self) -> String {
        self.folder.server()
    }

    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError> {
        self.folder.find(user, identity).await
    }

    async fn read(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError> {
        self.folder.read(entry).await
    }

    async fn replace(
        &self,
        entry: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        let refusal = self.refusal.lock().unwrap().clone();
        match refusal {
            Some(reason) => Err(ConnectorError::Refused(reason)),
            None => self.folder.replace(entry, read, new).await,
        }
    }
}
