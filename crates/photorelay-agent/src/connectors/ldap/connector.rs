//! The connector of an LDAP directory: finds a user, reads the attribute, and replaces it only if it still is what was
//! read.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use ldap3::Mod;
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::anchor_index::AnchorIndex;
use super::codes::{self, Meaning};
use super::connection::Connections;
use super::find::DirectoryIdentity;
use super::gathering::LookUps;
use super::identifiers::escaped;
use super::search::{self, DirectoryEntry, SearchError};
use super::session::{Session, contained};
use super::settings::LdapSettings;
use crate::connectors::{Connector, ConnectorError, EntryRef, Replacement};

/// One attribute of the user objects below a base.
#[derive(Debug)]
pub struct LdapConnector {
    pub(super) settings: LdapSettings,
    pub(super) connections: Connections,
    pub(super) look_ups: LookUps,
    anchor_index: Mutex<Option<Arc<AnchorIndex>>>,
    /// Whether a write succeeded since the last one that was denied.
    pub(super) has_written: AtomicBool,
    /// Whether a value was read since the last one that could not be.
    pub(super) has_read: AtomicBool,
}

impl LdapConnector {
    /// Connects when it is first used, and again whenever the connection was lost.
    pub fn new(settings: LdapSettings) -> Self {
        Self {
            connections: Connections::new(&settings),
            settings,
            look_ups: LookUps::default(),
            anchor_index: Mutex::default(),
            has_written: AtomicBool::default(),
            has_read: AtomicBool::default(),
        }
    }

    async fn modify(&self, entry: &EntryRef, changes: Vec<Mod<Vec<u8>>>) -> Result<Meaning, ConnectorError> {
        let session = self.connections.to_change().await?;
        let mut ldap = session.ldap.clone();
        let answer = contained(ldap.with_timeout(session.timeout).modify(&entry.0, changes)).await;
        match answer {
            Ok(result) => {
                let meaning = codes::of_modify(&result);
                if matches!(meaning, Meaning::Not(ConnectorError::Down(_))) {
                    self.connections.forget(&session).await;
                }
                Ok(meaning)
            }
            Err(error) => Err(self.connections.lost(&session, &error).await),
        }
    }

    /// Counted now, if it was not within the last hour. Other callers wait meanwhile.
    pub(super) async fn anchor_index(&self) -> Result<Arc<AnchorIndex>, ConnectorError> {
        let mut known = self.anchor_index.lock().await;
        if let Some(anchor_index) = known.as_ref().filter(|anchor_index| !anchor_index.is_old()) {
            return Ok(Arc::clone(anchor_index));
        }
        let session = self.connections.to_search().await?;
        let anchor_index = Arc::new(self.checked(&session, AnchorIndex::take(&session, &self.settings).await).await?);
        *known = Some(Arc::clone(&anchor_index));
        Ok(anchor_index)
    }

    pub(super) async fn search(
        &self,
        base: &str,
        scope: ldap3::Scope,
        filter: &str,
        attributes: &[String],
    ) -> Result<Vec<DirectoryEntry>, ConnectorError> {
        let session = self.connections.to_search().await?;
        let found = search::run(&session, base, scope, filter, attributes).await;
        self.checked(&session, found).await
    }

    /// At most so many entries below this base.
    pub(super) async fn some_below(
        &self,
        base: &str,
        filter: &str,
        attributes: &[String],
        most: usize,
    ) -> Result<Vec<DirectoryEntry>, ConnectorError> {
        let session = self.connections.to_search().await?;
        let found = search::some(&session, base, filter, attributes, most).await;
        self.checked(&session, found).await
    }

    /// Drops a connection that cannot be used any more.
    pub(super) async fn checked<T>(
        &self,
        session: &Session,
        answer: Result<T, SearchError>,
    ) -> Result<T, ConnectorError> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(SearchError::Answered(error)) => {
                if let ConnectorError::Down(_) = error {
                    self.connections.forget(session).await;
                }
                Err(error)
            }
            Err(SearchError::Lost(reason)) => Err(self.connections.lost(session, &reason).await),
        }
    }

    /// Asks the directory itself, which decides what is below a unit and in a group.
    pub(super) async fn is_in_scope(&self, guid: Uuid) -> Result<bool, ConnectorError> {
        if self.settings.scope.is_unlimited() {
            return Ok(true);
        }
        let filter = self.settings.scope.filter_for(&escaped(&guid.to_bytes_le()));
        for base in self.settings.scope.bases(&self.settings.base) {
            if !self.search(base, ldap3::Scope::Subtree, &filter, &["1.1".to_owned()]).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn one_value(&self, of: &EntryRef, entry: &DirectoryEntry) -> Result<Option<Bytes>, ConnectorError> {
        let attribute = &self.settings.attribute;
        match entry.values(attribute) {
            [] => Ok(None),
            [value] => {
                self.has_read.store(true, Ordering::Relaxed);
                Ok(Some(Bytes::copy_from_slice(value)))
            }
            values => Err(ConnectorError::Refused(format!(
                "{attribute} of {} holds {} values, and a photo replaces exactly one: remove the others",
                of.0,
                values.len()
            ))),
        }
    }
}

#[async_trait]
impl Connector for LdapConnector {
    fn rendition(&self) -> &str {
        &self.settings.attribute
    }

    fn limit(&self) -> u64 {
        self.connections.limit()
    }

    fn server(&self) -> String {
        self.connections.server()
    }

    fn scope(&self) -> String {
        let scope = format!("{:?}", self.settings.scope);
        if self.settings.require_external_id { scope + " with external ID" } else { scope }
    }

    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError> {
        let wanted = DirectoryIdentity::of_user(user, identity, &self.settings)?;
        let candidates = self.candidates(&wanted).await?;
        let (found, guid) = wanted.choose(&candidates)?;
        if !self.is_in_scope(guid).await? {
            return Err(ConnectorError::OutOfScope("outside what PHOTORELAY_LDAP_SCOPE_* names".to_owned()));
        }
        let entry = EntryRef(format!("<GUID={guid}>"));
        let present = self.one_value(&entry, found)?;
        Ok((entry, present))
    }

    async fn read(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError> {
        self.shown(entry).await
    }

    async fn replace(
        &self,
        entry: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        if let Some(new) = new.filter(|new| new.len() as u64 > self.limit()) {
            let (bytes, limit) = (new.len(), self.limit());
            return Err(ConnectorError::Refused(format!(
                "a value of {bytes} bytes was not sent: the limit is {limit}"
            )));
        }
        if read == new {
            return Ok(Replacement::Done);
        }
        let attribute = || self.settings.attribute.as_bytes().to_vec();
        let value = |bytes: &Bytes| HashSet::from([bytes.to_vec()]);
        // Exactly the value that was read: a write in between makes the whole change fail.
        let delete = read.map(|read| Mod::Delete(attribute(), value(read)));
        let add = new.map(|new| Mod::Add(attribute(), value(new)));
        match self.modify(entry, delete.into_iter().chain(add).collect()).await? {
            Meaning::Done => {
                self.has_written.store(true, Ordering::Relaxed);
                Ok(Replacement::Done)
            }
            Meaning::Denied(reason) => match self.kept_by_authority(entry, &reason).await {
                Some(error) => Err(error),
                None => Err(self.denied(reason).await),
            },
            // There is a value where none is read, still.
            Meaning::Changed if read.is_none() && matches!(self.read(entry).await, Ok(None)) => Err(self.unreadable()),
            Meaning::Changed => Ok(Replacement::ChangedMeanwhile),
            // By which code a domain controller keeps users who are managed in the cloud is not documented.
            Meaning::Not(error @ (ConnectorError::Refused(_) | ConnectorError::Failed(_))) => {
                Err(self.kept_by_authority(entry, &error.to_string()).await.unwrap_or(error))
            }
            Meaning::Not(error) => Err(error),
        }
    }
}
