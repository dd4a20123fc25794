//! Merges the listings of entries, receipts, photos and heads and the newest checkpoint into one item for each user.
//!
//! All five are ordered by user id, so the merge holds only one page of each.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::finding::Finding;
use crate::audit::checkpoint::Ends;
use crate::audit::listing::OwnedBlobs;
use crate::contract::TrailEnd;
use crate::id::UserId;
use crate::names::{self, Container, ReceiptName};
use crate::store::{BlobStore, Listed, Metadata, StoreError};

/// Everything that the listings contain about one user.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) user: UserId,
    /// Sequence numbers of the entries, in order.
    pub(super) entries: Vec<u32>,
    /// Of those that have any.
    pub(super) entry_metadata: BTreeMap<u32, Metadata>,
    /// Names under the user's prefix in `audit` that are not entries.
    pub(super) foreign: Vec<String>,
    /// By entry, then by target, then by number.
    pub(super) receipts: Vec<ReceiptName>,
    /// Of those that have any.
    pub(super) receipt_metadata: BTreeMap<ReceiptName, Metadata>,
    /// Photos, renditions, and whatever else is under the user's prefix in `photos`.
    pub(super) photos: Vec<Listed>,
    pub(super) has_head: bool,
    /// The end of the trail in the newest checkpoint, and that checkpoint's day.
    pub(super) known: Option<(TrailEnd, Date)>,
}

pub(super) enum WalkItem {
    User(Traces),
    /// A problem that concerns no user.
    Foreign(Finding),
}

/// The day and the trail ends of the newest readable checkpoint.
pub(super) struct CheckpointBaseline<'a> {
    pub(super) day: Option<Date>,
    pub(super) ends: Ends<'a>,
}

pub(super) struct Walk<'a> {
    entries: OwnedBlobs<'a>,
    receipts: OwnedBlobs<'a>,
    photos: OwnedBlobs<'a>,
    heads: OwnedBlobs<'a>,
    known: CheckpointBaseline<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn of_all_users(blobs: &'a dyn BlobStore, known: CheckpointBaseline<'a>) -> Self {
        Self {
            entries: OwnedBlobs::new(blobs, Container::Audit, "").with_metadata(),
            receipts: OwnedBlobs::new(blobs, Container::Receipts, "").with_metadata(),
            photos: OwnedBlobs::new(blobs, Container::Photos, ""),
            heads: OwnedBlobs::new(blobs, Container::State, names::HEADS_PREFIX),
            known,
        }
    }

    pub(super) fn of_person(blobs: &'a dyn BlobStore, user: UserId, known: CheckpointBaseline<'a>) -> Self {
        let prefix = names::person_prefix(user);
        Self {
            entries: OwnedBlobs::new(blobs, Container::Audit, prefix.clone()).with_metadata(),
            receipts: OwnedBlobs::new(blobs, Container::Receipts, prefix.clone()).with_metadata(),
            photos: OwnedBlobs::new(blobs, Container::Photos, prefix),
            heads: OwnedBlobs::new(blobs, Container::State, names::head(user)),
            known,
        }
    }

    /// The next user, or the next blob that belongs to no user.
    pub(super) async fn next(&mut self) -> Result<Option<WalkItem>, StoreError> {
        if let Some(finding) = self.next_foreign().await? {
            return Ok(Some(WalkItem::Foreign(finding)));
        }
        let end = self.known.ends.peek().await?;
        if let Some((page, is_missing)) = self.known.ends.broken.pop() {
            return Ok(Some(WalkItem::Foreign(Finding::of_page(page, is_missing, self.known.day))));
        }
        let mut user = end;
        for listed in [&mut self.entries, &mut self.receipts, &mut self.photos, &mut self.heads] {
            user = user.into_iter().chain(listed.owner().await?).min();
        }
        match user {
            Some(user) => Ok(Some(WalkItem::User(self.collect(user, end == Some(user)).await?))),
            None => Ok(None),
        }
    }

    /// Skips blobs that belong to no user, and returns a finding for one that is not part of a trail at all.
    async fn next_foreign(&mut self) -> Result<Option<Finding>, StoreError> {
        while let Some(Listed { name, .. }) = self.entries.next_unowned().await? {
            if names::parse_checkpoint(&name).is_none() && !names::is_checkpoint_page(&name) {
                return Ok(Some(Finding::foreign(Container::Audit, &name)));
            }
        }
        while let Some(Listed { name, .. }) = self.photos.next_unowned().await? {
            if !name.starts_with(names::PROBES_PREFIX) {
                return Ok(Some(Finding::foreign(Container::Photos, &name)));
            }
        }
        while self.receipts.next_unowned().await?.is_some() {}
        while self.heads.next_unowned().await?.is_some() {}
        Ok(None)
    }

    /// Takes everything about this user from the listings, and from the checkpoint if its next end is theirs.
    async fn collect(&mut self, user: UserId, has_end: bool) -> Result<Traces, StoreError> {
        let mut traces = Traces {
            user,
            entries: Vec::new(),
            entry_metadata: BTreeMap::new(),
            receipt_metadata: BTreeMap::new(),
            foreign: Vec::new(),
            receipts: Vec::new(),
            photos: Vec::new(),
            has_head: false,
            known: None,
        };
        if has_end {
            traces.known = self.known.ends.take().zip(self.known.day);
        }
        while let Some(Listed { name, metadata, .. }) = self.entries.next_of(user).await? {
            let Some((_, seq)) = names::parse_audit_entry(&name) else {
                traces.foreign.push(name);
                continue;
            };
            traces.entries.push(seq);
            traces.entry_metadata.extend((!metadata.is_empty()).then_some((seq, metadata)));
        }
        while let Some(Listed { name, metadata, .. }) = self.receipts.next_of(user).await? {
            let Some(name) = names::parse_receipt(&name) else { continue };
            traces.receipt_metadata.extend((!metadata.is_empty()).then(|| (name.clone(), metadata)));
            traces.receipts.push(name);
        }
        traces.receipts.sort();
        while let Some(blob) = self.photos.next_of(user).await? {
            traces.photos.push(blob);
        }
        while let Some(blob) = self.heads.next_of(user).await? {
            traces.has_head |= names::parse_head(&blob.name).is_some();
        }
        Ok(traces)
    }
}
