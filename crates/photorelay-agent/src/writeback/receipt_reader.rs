//! Reads the receipts and back-ups of one target: what was written, which values are ours, and what can be put back.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::contract::Receipt;
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, ReceiptName};
use photorelay_core::receipts;
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, Listed, Pager, StoreError};
use photorelay_core::undo::{self, Undoable};

#[derive(Debug, Clone)]
pub(crate) struct ReceiptReader {
    blobs: ScopedBlobs,
    target: String,
}

impl ReceiptReader {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, target: &str) -> Self {
        const GRANTS: &[Grant] = &[
            Grant::read(Container::Receipts, ""),
            Grant::read(Container::Agents, names::NOTES_PREFIX),
            Grant::read(Container::Agents, names::DECISIONS_PREFIX),
        ];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), target: target.to_owned() }
    }

    /// The user's receipts of this target, in the order of entries and, of one entry, in that in which they were left.
    pub(crate) async fn of_user(&self, user: UserId) -> Result<Vec<Receipt>, StoreError> {
        let mut receipts = Vec::new();
        for name in self.names_of(user).await? {
            receipts.extend(documents::read(&self.blobs, Container::Receipts, &name.to_string()).await?);
        }
        Ok(receipts)
    }

    /// The names of the user's receipts of this target.
    pub(crate) async fn names_of(&self, user: UserId) -> Result<Vec<ReceiptName>, StoreError> {
        let mut names = receipts::names_of(&self.blobs, user).await?;
        names.retain(|name| name.target == self.target);
        Ok(names)
    }

    /// How many receipts the entry has in this target.
    pub(super) async fn count(&self, user: UserId, seq: u32) -> Result<u32, StoreError> {
        let names = self.names_of(user).await?;
        Ok(names.iter().filter(|name| name.seq == seq).map(|name| name.number).max().unwrap_or_default())
    }

    /// When the entry was undone last in this target.
    pub(super) async fn undone_at(&self, user: UserId, seq: u32) -> Result<Option<Timestamp>, StoreError> {
        let notes = receipts::notes_of(&self.blobs, user).await?;
        let own = notes.iter().filter(|note| note.target == self.target && note.seq == seq && note.undone.is_some());
        Ok(own.map(|note| note.at).max())
    }

    /// Whether a receipt records that this target showed this value because we wanted it to.
    pub(super) async fn records(&self, user: UserId, value: Digest) -> Result<bool, StoreError> {
        Ok(undo::is_ours(&self.of_user(user).await?, value))
    }

    /// What can be undone of this user.
    pub(super) async fn undoable(&self, user: UserId) -> Result<Undoable, StoreError> {
        Undoable::read(&self.blobs, user, self.of_user(user).await?).await
    }

    /// The bytes of a back-up; none if they are not what its name says.
    pub(super) async fn backed_up(&self, user: UserId, value: Digest, limit: u64) -> Result<Option<Bytes>, StoreError> {
        let bytes = self.blobs.get(Container::Receipts, &names::kept_value(user, value), limit).await?;
        Ok(bytes.filter(|bytes| Digest::of(bytes) == value))
    }

    /// Every user with a back-up, or with a receipt of this target.
    pub(super) async fn users(&self) -> Result<BTreeSet<UserId>, StoreError> {
        let parse = |blob: Listed| match names::parse_kept_value(&blob.name) {
            Some((user, _)) => Some((user, None)),
            None => names::parse_receipt(&blob.name).map(|name| (name.user, Some(name.target))),
        };
        let mut pager = Pager::new(&self.blobs, Container::Receipts, "", parse);
        let mut users = BTreeSet::new();
        while let Some(page) = pager.next_page().await? {
            let own =
                page.into_iter().filter(|(_, target)| target.as_ref().is_none_or(|target| *target == self.target));
            users.extend(own.map(|(user, _)| user));
        }
        Ok(users)
    }
}
