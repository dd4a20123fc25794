//! The places that show photos. Each finds a person by two identifiers that agree, reads what is there, and replaces
//! exactly that.

pub mod folder;
pub mod ldap;

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;

/// Where one person's photo is, in words of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRef(pub String);

/// Why a target did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// Trying again does not help: this person's entry ends with a receipt `refused`.
    #[error("{0}")]
    Refused(String),
    /// This person is found and is none of those whom the target is to show.
    #[error("{0}")]
    OutOfScope(String),
    /// This item may succeed later; others are not affected.
    #[error("{0}")]
    Failed(String),
    /// The target as a whole does not work now: the agent pauses and burns no attempts.
    #[error("{0}")]
    Down(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    Done,
    /// The value is not the one that was read: somebody wrote in between.
    ChangedMeanwhile,
}

#[async_trait]
pub trait Connector: Send + Sync + Debug {
    /// Which rendition of a photo this target shows, such as `thumbnailPhoto`.
    fn rendition(&self) -> &str;

    /// Nothing larger is ever sent, in bytes.
    fn limit(&self) -> u64;

    /// What receipts name as the place of writing.
    fn server(&self) -> String;

    /// Changes whenever somebody else may be in the target's scope.
    fn scope(&self) -> String {
        String::new()
    }

    /// The one place that belongs to this person, and what it shows: two independent identifiers agree, or nobody is
    /// found.
    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError>;

    /// What the place shows now.
    async fn read(&self, place: &EntryRef) -> Result<Option<Bytes>, ConnectorError>;

    /// Replaces exactly the value that was read; none stands for no photo on either side.
    async fn replace(
        &self,
        place: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError>;
}
