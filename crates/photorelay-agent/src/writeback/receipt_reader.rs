//! Reads the receipts and back-ups of one target: what was written, which values are ours, and what can be put back.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::approvals::decisions;
use photorelay_core::contract::{NoteKind, Outcome, Receipt, Verdict};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, ReceiptName};
use photorelay_core::receipts;
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, Listed, Pager, StoreError, list_all};

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
        self.of_target(user, &self.target).await
    }

    async fn of_target(&self, user: UserId, target: &str) -> Result<Vec<Receipt>, StoreError> {
        let mut receipts = Vec::new();
        let names = receipts::names_of(&self.blobs, user).await?;
        for name in names.into_iter().filter(|name| name.target == target) {
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
        let receipts = self.of_user(user).await?;
        Ok(receipts.iter().any(|receipt| receipt.outcome.is_shown() && receipt.after == Some(value)))
    }

    async fn listed(&self, user: UserId) -> Result<Vec<Listed>, StoreError> {
        list_all(&self.blobs, Container::Receipts, &names::person_prefix(user)).await
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

    /// The value that we replaced last and that is backed up: a foreign value, or the photo that a removal took away if
    /// nothing was written since.
    pub(super) async fn replaced_last(&self, user: UserId, receipts: &[Receipt]) -> Result<Option<Digest>, StoreError> {
        let listed = self.listed(user).await?;
        let backed_up: BTreeSet<Digest> =
            listed.iter().filter_map(|blob| names::parse_kept_value(&blob.name)).map(|(_, value)| value).collect();
        let writes: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written).collect();
        let is_ours = |value: Digest| writes.iter().any(|write| write.after == Some(value));
        let without_receipt = self.replaced_without_receipt(user, &listed, &backed_up).await?;
        if let Some(value) = without_receipt.filter(|value| !is_ours(*value)) {
            return Ok(Some(value));
        }
        // That a value of ours is backed up says only that it waited once: a write that left nothing took it away.
        let is_removal = |age: usize, write: &Receipt| age == 0 && write.after.is_none();
        let newest_first = writes.iter().rev().enumerate();
        Ok(newest_first
            .filter_map(|(age, write)| Some((write.before?, is_removal(age, write))))
            .find(|(value, is_removed)| backed_up.contains(value) && (*is_removed || !is_ours(*value)))
            .map(|(value, _)| value))
    }

    /// Agents up to 0.1 left one receipt for each entry, and one that died left none. A value that was replaced without a
    /// receipt is backed up: it is the newest, if there is one such value. Of several, the last one is not known.
    async fn replaced_without_receipt(
        &self,
        user: UserId,
        listed: &[Listed],
        backed_up: &BTreeSet<Digest>,
    ) -> Result<Option<Digest>, StoreError> {
        let targets: BTreeSet<String> =
            listed.iter().filter_map(|blob| names::parse_receipt(&blob.name)).map(|name| name.target).collect();
        let mut known = BTreeSet::new();
        for target in targets {
            let receipts = self.of_target(user, &target).await?;
            known.extend(receipts.iter().filter_map(|receipt| receipt.before));
        }
        let mut unknown: BTreeSet<Digest> = backed_up.difference(&known).copied().collect();
        if !unknown.is_empty() {
            for held in self.only_held(user).await? {
                unknown.remove(&held);
            }
        }
        Ok(unknown.pop_first().filter(|_| unknown.is_empty()))
    }

    /// The values that were backed up for an operator to look at, and that no operator gave up.
    async fn only_held(&self, user: UserId) -> Result<BTreeSet<Digest>, StoreError> {
        let notes = receipts::notes_of(&self.blobs, user).await?;
        let held = notes.iter().filter(|note| note.note == NoteKind::Held && note.undone.is_none());
        let mut held: BTreeSet<Digest> = held.filter_map(|note| note.shows?.sha256).collect();
        for decision in decisions::of_user(&self.blobs, user).await? {
            if decision.verdict == Verdict::Approved {
                held.remove(&decision.value);
            }
        }
        Ok(held)
    }
}
