//! The feed as a target of write-backs. A user is found by the on-premises anchor, and the key that importers use must
//! not be another person's; both come from one audit entry.
//!
//! A receipt says that the change is accepted durably: it is in the next publication.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;

use super::photos::MAX_PHOTO_BYTES;
use super::settings::MimSettings;
use super::store::FeedStore;
use super::{FeedEpoch, FeedError};
use crate::connectors::{Connector, ConnectorError, EntryRef, Replacement};

#[derive(Debug, Clone)]
pub struct MimConnector {
    settings: MimSettings,
    /// None in a dry run before the feed exists.
    store: Option<Arc<FeedStore>>,
}

impl MimConnector {
    pub fn new(store: Arc<FeedStore>) -> Self {
        Self { settings: store.settings.clone(), store: Some(store) }
    }

    /// For a dry run: nothing is created, and a feed that is not there shows no photo.
    pub fn unopened(settings: MimSettings) -> Result<Self, FeedError> {
        let store = FeedStore::open_read_only(settings.clone())?.map(Arc::new);
        Ok(Self { settings, store })
    }

    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&FeedStore) -> Result<T, FeedError> + Send + 'static,
    ) -> Result<T, ConnectorError> {
        let store = self.store.clone().ok_or_else(|| ConnectorError::Failed("there is no feed yet".to_owned()))?;
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        done.map_err(|error| ConnectorError::Failed(error.to_string()))?.map_err(failed)
    }

    /// The anchor that finds the user, and the key by which importers know them.
    fn names(&self, user: UserId, identity: &Identity) -> Result<(String, String), ConnectorError> {
        let anchor = identity.anchor.clone().filter(|anchor| !anchor.is_empty());
        let anchor =
            anchor.ok_or("the user has no on-premises anchor (onPremisesImmutableId): importers cannot join them");
        let key = self.settings.key.of(user, identity).filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| self.settings.key.missing());
        match (anchor, key) {
            (Ok(anchor), Ok(key)) => Ok((anchor, key)),
            (Err(reason), _) => Err(ConnectorError::Refused(reason.to_owned())),
            (_, Err(reason)) => Err(ConnectorError::Refused(reason)),
        }
    }
}

#[async_trait]
impl Connector for MimConnector {
    fn rendition(&self) -> &str {
        &self.settings.rendition
    }

    fn limit(&self) -> u64 {
        MAX_PHOTO_BYTES
    }

    fn server(&self) -> String {
        self.settings.feed.display().to_string()
    }

    /// A feed that begins anew has to be filled again.
    fn scope(&self) -> String {
        let epoch = self.store.as_ref().map(|store| store.epoch().map(|FeedEpoch(epoch)| epoch.to_string()));
        epoch.unwrap_or(Ok(String::new())).unwrap_or_default()
    }

    fn holds_copies(&self) -> bool {
        true
    }

    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError> {
        let (anchor, key) = self.names(user, identity)?;
        let entry = EntryRef(anchor.clone());
        if self.store.is_none() {
            return Ok((entry, None));
        }
        let found = self.with_store(move |store| {
            let owner = store.key_owner(user, &anchor, &key)?;
            Ok((owner, store.shown(user, &anchor)?))
        });
        match found.await? {
            (None, present) => Ok((entry, present)),
            (Some(owner), _) => Err(ConnectorError::Refused(format!(
                "user {owner} has the same {} in the feed: serve their domains by targets with a feed of their own, or \
                 run `photorelay-agent mim remove {owner}` if that account is gone",
                self.settings.key
            ))),
        }
    }

    async fn claim(&self, user: UserId, identity: &Identity, entry: &EntryRef) -> Result<(), ConnectorError> {
        let (_, key) = self.names(user, identity)?;
        let (identity, anchor) = (identity.clone(), entry.0.clone());
        self.with_store(move |store| store.claim(user, &identity, &anchor, &key)).await
    }

    async fn read(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError> {
        let anchor = entry.0.clone();
        self.with_store(move |store| store.photo_at(&anchor)).await
    }

    async fn replace(
        &self,
        entry: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        let (anchor, read, new) = (entry.0.clone(), read.cloned(), new.cloned());
        self.with_store(move |store| store.replace(&anchor, read.as_ref(), new.as_ref())).await
    }
}

/// What is wrong with the feed concerns every user in it.
fn failed(error: FeedError) -> ConnectorError {
    ConnectorError::Down(format!("the feed: {error}"))
}
