//! Active Directory by LDAP: one attribute of one user object, replaced only if it still is what was read.
//!
//! `find` says who somebody is, `connection` keeps one domain controller, `codes` says what an answer means.
//! Nothing here prints a name of a person: objects are named by their objectGUID.

mod codes;
mod connection;
mod examine;
mod find;
mod identifiers;
pub(crate) mod names;
mod search;
mod settings;

pub use settings::{LdapSettings, Server};

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;
use ldap3::{Mod, Scope};
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;

use self::codes::Meaning;
use self::connection::{Connections, Session};
use self::search::Entry;
use super::{Place, Replacement, Target, TargetError};

/// One attribute of the user objects below a base.
#[derive(Debug)]
pub struct LdapTarget {
    settings: LdapSettings,
    connections: Connections,
}

impl LdapTarget {
    /// Connects when it is first used, and again whenever the connection was lost.
    pub fn new(settings: LdapSettings) -> Self {
        Self { connections: Connections::new(&settings), settings }
    }

    async fn modify(&self, place: &Place, changes: Vec<Mod<Vec<u8>>>) -> Result<Meaning, TargetError> {
        let session = self.connections.session().await?;
        let mut ldap = session.ldap();
        let answer = ldap.with_timeout(connection::OPERATION).modify(&place.0, changes).await;
        match answer {
            Ok(result) => {
                let meaning = codes::of_modify(&result);
                if matches!(meaning, Meaning::Not(TargetError::Down(_))) {
                    self.connections.forget(&session).await;
                }
                Ok(meaning)
            }
            Err(error) => Err(self.connections.lost(&session, &error).await),
        }
    }

    /// A person's way begins here: a connection that died while nobody used it is not that person's failure.
    async fn candidates(&self, filter: &str) -> Result<Vec<Entry>, TargetError> {
        let attributes = find::attributes(&self.settings);
        let session = self.connections.session().await?;
        match self.search(&session, &self.settings.base, Scope::Subtree, filter, &attributes).await {
            Err(TargetError::Down(_)) => {
                let session = self.connections.session().await?;
                self.search(&session, &self.settings.base, Scope::Subtree, filter, &attributes).await
            }
            answer => answer,
        }
    }

    async fn search(
        &self,
        session: &Session,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[String],
    ) -> Result<Vec<Entry>, TargetError> {
        match search::run(session, base, scope, filter, attributes).await {
            Ok(entries) => Ok(entries),
            Err(search::Error::Answered(error)) => {
                if let TargetError::Down(_) = error {
                    self.connections.forget(session).await;
                }
                Err(error)
            }
            Err(search::Error::Lost(reason)) => Err(self.connections.lost(session, &reason).await),
        }
    }
}

#[async_trait]
impl Target for LdapTarget {
    fn rendition(&self) -> &str {
        &self.settings.attribute
    }

    fn limit(&self) -> u64 {
        self.connections.limit()
    }

    fn server(&self) -> String {
        self.connections.server()
    }

    async fn find(&self, _user: UserId, identity: &Identity) -> Result<Place, TargetError> {
        let wanted = find::Wanted::of(identity, &self.settings)?;
        let entries = self.candidates(&wanted.filter()).await?;
        wanted.choose(&entries).map(Place)
    }

    async fn read(&self, place: &Place) -> Result<Option<Bytes>, TargetError> {
        let attribute = &self.settings.attribute;
        let session = self.connections.session().await?;
        let wanted = [attribute.clone()];
        let entries = self.search(&session, &place.0, Scope::Base, "(objectClass=*)", &wanted).await?;
        let [entry] = entries.as_slice() else {
            return Err(TargetError::Failed(format!("{} was deleted, or cannot be read any more", place.0)));
        };
        match entry.values(attribute) {
            [] => Ok(None),
            [value] => Ok(Some(Bytes::copy_from_slice(value))),
            values => Err(TargetError::Refused(format!(
                "{attribute} of {} holds {} values, and a photo replaces exactly one: remove the others",
                place.0,
                values.len()
            ))),
        }
    }

    async fn replace(
        &self,
        place: &Place,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, TargetError> {
        if let Some(new) = new.filter(|new| new.len() as u64 > self.limit()) {
            let (bytes, limit) = (new.len(), self.limit());
            return Err(TargetError::Refused(format!("a value of {bytes} bytes was not sent: the limit is {limit}")));
        }
        if read == new {
            return Ok(Replacement::Done);
        }
        let attribute = || self.settings.attribute.as_bytes().to_vec();
        let value = |bytes: &Bytes| HashSet::from([bytes.to_vec()]);
        // Exactly the value that was read: whoever wrote in between makes the whole change fail.
        let delete = read.map(|read| Mod::Delete(attribute(), value(read)));
        let add = new.map(|new| Mod::Add(attribute(), value(new)));
        match self.modify(place, delete.into_iter().chain(add).collect()).await? {
            Meaning::Done => Ok(Replacement::Done),
            Meaning::Changed => Ok(Replacement::ChangedMeanwhile),
            Meaning::Not(error) => Err(error),
        }
    }
}
