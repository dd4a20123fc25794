//! Listings of the trail: which user owns each blob, what is the newest of each user, and which users have a trail.

use super::digest_metadata::{EntryDigest, ListedEnd, keep_newest, receipt_digest};
use crate::id::UserId;
use crate::names::{self, Container};
use crate::store::{BlobStore, Listed, Pager, StoreError};

/// The blobs of one listing, and the users who own them.
pub(super) struct OwnedBlobs<'a> {
    container: Container,
    pager: Pager<'a, Listed>,
}

impl<'a> OwnedBlobs<'a> {
    pub(super) fn new(blobs: &'a dyn BlobStore, container: Container, prefix: impl Into<String>) -> Self {
        Self { container, pager: Pager::new(blobs, container, prefix, Some) }
    }

    pub(super) fn with_metadata(self) -> Self {
        Self { pager: self.pager.with_metadata(), ..self }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Listed>, StoreError> {
        self.pager.next().await
    }

    /// The owner of the next blob; `None` if it belongs to no user, or at the end.
    pub(super) async fn owner(&mut self) -> Result<Option<UserId>, StoreError> {
        let container = self.container;
        Ok(self.pager.peek().await?.and_then(|blob| owner(container, &blob.name)))
    }

    /// The next blob, if it belongs to this user.
    pub(super) async fn next_of(&mut self, user: UserId) -> Result<Option<Listed>, StoreError> {
        let container = self.container;
        self.pager.next_if(|blob| owner(container, &blob.name) == Some(user)).await
    }

    /// The next blob, if it belongs to no user.
    pub(super) async fn next_unowned(&mut self) -> Result<Option<Listed>, StoreError> {
        let container = self.container;
        self.pager.next_if(|blob| owner(container, &blob.name).is_none()).await
    }
}

/// The newest entry and the newest receipts of each user, from listings of `audit` and `receipts`.
pub(super) struct NewestOfUsers<'a> {
    trail: OwnedBlobs<'a>,
    receipts: OwnedBlobs<'a>,
}

impl<'a> NewestOfUsers<'a> {
    pub(super) fn new(blobs: &'a dyn BlobStore) -> Self {
        let of = |container| OwnedBlobs::new(blobs, container, "").with_metadata();
        Self { trail: of(Container::Audit), receipts: of(Container::Receipts) }
    }

    /// The next user who has an entry or a receipt.
    pub(super) async fn next(&mut self) -> Result<Option<ListedEnd>, StoreError> {
        let mut next: Option<UserId> = None;
        for listed in [&mut self.trail, &mut self.receipts] {
            while listed.next_unowned().await?.is_some() {}
            next = next.into_iter().chain(listed.owner().await?).min();
        }
        let Some(user) = next else { return Ok(None) };
        let mut end = ListedEnd { user, seq: 0, entry: None, receipts: Vec::new() };
        while let Some(blob) = self.trail.next_of(user).await? {
            if let Some((_, seq)) = names::parse_audit_entry(&blob.name).filter(|(_, seq)| *seq > end.seq) {
                (end.seq, end.entry) = (seq, EntryDigest::of(&blob.metadata));
            }
        }
        while let Some(blob) = self.receipts.next_of(user).await? {
            if let Some(name) = names::parse_receipt(&blob.name) {
                keep_newest(&mut end.receipts, (name, receipt_digest(&blob.metadata)));
            }
        }
        Ok(Some(end))
    }
}

/// The user whose id begins the blob name, whatever follows it.
fn owner(container: Container, name: &str) -> Option<UserId> {
    if container == Container::State {
        return names::parse_head(name);
    }
    let (first, _) = name.split_once('/')?;
    names::canonical_user(first)
}

/// All users who have a trail, in the order of their ids, one page at a time.
#[derive(Debug)]
pub struct TrailUsers<'a> {
    pager: Pager<'a, UserId>,
    /// The last user seen: the entries of one user may span two pages.
    last: Option<UserId>,
}

impl<'a> TrailUsers<'a> {
    /// The users after `last`.
    pub fn after(blobs: &'a dyn BlobStore, last: Option<UserId>) -> Self {
        let parse = |blob: Listed| names::parse_audit_entry(&blob.name).map(|(user, _)| user);
        Self { pager: Pager::new(blobs, Container::Audit, "", parse), last }
    }

    /// The users of the next page, which may be empty; `None` after the last page.
    pub async fn next_page(&mut self) -> Result<Option<Vec<UserId>>, StoreError> {
        let Some(mut users) = self.pager.next_page().await? else { return Ok(None) };
        users.dedup();
        users.retain(|user| self.last.is_none_or(|last| *user > last));
        self.last = users.last().copied().or(self.last);
        Ok(Some(users))
    }
}
