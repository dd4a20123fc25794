//! Looks up many users by one search, because most of what a search costs a domain controller does not depend on how many
//! users it is for.
//!
//! Every entry of a shared answer is matched to its user by the identifiers that were asked for, and by nothing else. A
//! shared answer only ever says that a user was found: one who is missing in it, or is there twice, is searched for alone,
//! and so is everyone of a search whose answer is an error, is not whole, or holds more entries than can belong to them.

use std::sync::Arc;

use bytes::Bytes;
use ldap3::Scope;
use uuid::Uuid;

use super::attributes::{ANYTHING, GUID};
use super::connector::LdapConnector;
use super::find::{self, DirectoryIdentity, among_users};
use super::gathering::{GatheringLimits, SharedAnswer};
use super::identifiers::{self, escaped};
use super::search::{self, DirectoryEntry, MOST_ENTRIES};
use crate::connectors::{ConnectorError, EntryRef};

/// Users in one search; a page of a domain controller holds 1,000.
const MOST_USERS: u64 = 16;
/// What the values of all users in one search may take, in bytes: larger ones are looked up one by one.
const MOST_BYTES: u64 = 2 * 1024 * 1024;
/// What one search may ask, in bytes.
const LONGEST_FILTER: usize = 16 * 1024;

impl LdapConnector {
    /// Objects among which is every one that may be the wanted user's. A connection that died while it was idle is not
    /// that user's failure.
    pub(super) async fn candidates(
        &self,
        wanted: &DirectoryIdentity,
    ) -> Result<Arc<Vec<DirectoryEntry>>, ConnectorError> {
        if let Some(by_sid) = wanted.by_sid()
            && !self.connections.to_search().await?.anchor_is_indexed
        {
            let with_sid = match self.found_together(&by_sid).await {
                SharedAnswer::Whole(found) | SharedAnswer::Own(found) => found,
                SharedAnswer::Unclear | SharedAnswer::Down(_) => self.found_alone(&by_sid).await?,
            };
            if wanted.is_plain(&with_sid, &*self.anchor_index().await?) && wanted.choose(&with_sid).is_ok() {
                return Ok(with_sid);
            }
            return self.found_alone(&wanted.by_all()).await;
        }
        match self.found_together(&wanted.by_all()).await {
            SharedAnswer::Own(found) => Ok(found),
            SharedAnswer::Whole(found) if wanted.choose(&found).is_ok() => Ok(found),
            _ => self.found_alone(&wanted.by_all()).await,
        }
    }

    async fn found_together(&self, wanted: &str) -> SharedAnswer {
        let search = async |wanted: Vec<String>| {
            let attributes = find::attributes(&self.settings);
            self.shared(&among_users(&wanted.concat()), &attributes, wanted.len()).await
        };
        match self.shares() {
            Some(limits) => self.look_ups.finding.ask(wanted, limits, search).await,
            None => SharedAnswer::Unclear,
        }
    }

    async fn found_alone(&self, wanted: &str) -> Result<Arc<Vec<DirectoryEntry>>, ConnectorError> {
        let attributes = find::attributes(&self.settings);
        self.search(&self.settings.base, Scope::Subtree, &among_users(wanted), &attributes).await.map(Arc::new)
    }

    /// What the object shows now.
    pub(super) async fn shown(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError> {
        let own = object_guid(&entry.0);
        let found = match self.read_together(entry).await {
            SharedAnswer::Own(found) => found,
            SharedAnswer::Down(reason) => return Err(ConnectorError::Down(reason)),
            SharedAnswer::Whole(found) => {
                let has_guid = |found: &&DirectoryEntry| found.value(GUID).and_then(identifiers::guid) == own;
                let mut with_guid = found.iter().filter(has_guid);
                if let (Some(found), None) = (with_guid.next(), with_guid.next()) {
                    return self.one_value(entry, found);
                }
                self.read_alone(&entry.0).await?
            }
            SharedAnswer::Unclear => self.read_alone(&entry.0).await?,
        };
        match found.as_slice() {
            [found] => self.one_value(entry, found),
            _ => Err(ConnectorError::Failed(format!("{} was deleted, or cannot be read any more", entry.0))),
        }
    }

    async fn read_together(&self, entry: &EntryRef) -> SharedAnswer {
        let search = async |entries: Vec<String>| match entries.as_slice() {
            [one] => match self.read_alone(one).await {
                Ok(found) => SharedAnswer::Own(found),
                Err(ConnectorError::Down(reason)) => SharedAnswer::Down(reason),
                Err(_) => SharedAnswer::Unclear,
            },
            several => {
                let guids = several.iter().filter_map(|entry| object_guid(entry));
                let wanted: String = guids.map(|guid| format!("({GUID}={})", escaped(&guid.to_bytes_le()))).collect();
                let attributes = [GUID.to_owned(), self.settings.attribute.clone()];
                self.shared(&format!("(|{wanted})"), &attributes, several.len()).await
            }
        };
        match self.shares() {
            Some(limits) if object_guid(&entry.0).is_some() => {
                self.look_ups.reading.ask(&entry.0, limits, search).await
            }
            _ => SharedAnswer::Unclear,
        }
    }

    /// Wherever the object is by now.
    async fn read_alone(&self, entry: &str) -> Result<Arc<Vec<DirectoryEntry>>, ConnectorError> {
        let attributes = [self.settings.attribute.clone()];
        self.search(entry, Scope::Base, ANYTHING, &attributes).await.map(Arc::new)
    }

    /// How many look-ups share a search; none where values are large.
    fn shares(&self) -> Option<GatheringLimits> {
        let users = (MOST_BYTES / self.connections.limit().max(1)).min(MOST_USERS) as usize;
        (users > 1).then_some(GatheringLimits { look_ups: users, bytes: LONGEST_FILTER })
    }

    async fn shared(&self, filter: &str, attributes: &[String], users: usize) -> SharedAnswer {
        // One for each of them, and as many as show that one user is not found unambiguously.
        let most = users - 1 + MOST_ENTRIES;
        let found = match self.connections.to_search().await {
            Ok(session) => {
                let found = search::whole(&session, &self.settings.base, filter, attributes, most).await;
                self.checked(&session, found).await
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(found) if users == 1 => SharedAnswer::Own(Arc::new(found.entries)),
            Ok(found) if found.is_whole => SharedAnswer::Whole(Arc::new(found.entries)),
            Err(ConnectorError::Down(reason)) => SharedAnswer::Down(reason),
            Ok(_) | Err(_) => SharedAnswer::Unclear,
        }
    }
}

/// Which object an entry names, if it names it by its objectGUID.
fn object_guid(entry: &str) -> Option<Uuid> {
    entry.strip_prefix("<GUID=")?.strip_suffix('>')?.parse().ok()
}
