//! What a write-back needs of a target: find a user's entry, read what it shows, replace exactly that value.
//!
//! A connector never replaces a value that it did not read, and never chooses between two users.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;

/// The entry of a target that shows one user's photo, in the target's own notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRef(pub String);

/// Why a target did not carry out a request.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// Trying again does not help: the audit entry ends with a receipt `refused`.
    #[error("{0}")]
    Refused(String),
    /// The user is found and is outside the target's scope.
    #[error("{0}")]
    OutOfScope(String),
    /// This item may succeed later; others are not affected.
    #[error("{0}")]
    Failed(String),
    /// The target as a whole does not work now: the agent pauses, and no attempt is used up.
    #[error("{0}")]
    Down(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    Done,
    /// The value is not the one that was read: another writer was faster.
    ChangedMeanwhile,
}

#[async_trait]
pub trait Connector: Send + Sync + Debug {
    /// Which rendition of a photo this target shows, such as `thumbnailPhoto`.
    fn rendition(&self) -> &str;

    /// Nothing larger is ever sent, in bytes.
    fn limit(&self) -> u64;

    /// What receipts name as the server that was written.
    fn server(&self) -> String;

    /// Changes whenever other users may be in the target's scope.
    fn scope(&self) -> String {
        String::new()
    }

    /// Whether what it shows are copies that photorelay made, which are erased for a user who was forgotten. What becomes
    /// of a photo in a directory, which belongs to its owners, is policy.
    fn holds_copies(&self) -> bool {
        false
    }

    /// The one entry that belongs to this user, and what it shows: two independent identifiers agree, or the user is not
    /// found. Changes nothing in the target.
    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError>;

    /// Makes the entry this user's, right before it is written or when it shows what it should. Never in a dry run.
    async fn claim(&self, _user: UserId, _identity: &Identity, _entry: &EntryRef) -> Result<(), ConnectorError> {
        Ok(())
    }

    /// What the entry shows now.
    async fn read(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError>;

    /// Replaces exactly the value that was read; none stands for no photo on either side.
    async fn replace(
        &self,
        entry: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError>;

    /// Where further renditions of the photo are shown beside it, with the name of each rendition: they follow it.
    fn companions(&self, _entry: &EntryRef) -> Vec<(String, EntryRef)> {
        Vec::new()
    }

    /// Called every minute and at the end, but not in a dry run: brings up what describes all entries together.
    async fn settle(&self) -> Result<(), ConnectorError> {
        Ok(())
    }
}
