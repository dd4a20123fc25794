//! What is written down about everybody: heads, ends of trails and newest receipts, from three bulk listings.
//!
//! All three come in the order of ids, so they are merged page by page, and memory does not grow with the tenant.

use photorelay_core::heads::Summary;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, HEADS_PREFIX};
use photorelay_core::store::{BlobStore, Listed, Listing, StoreError};

/// What the listings say of one person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::jobs) struct UserRecord {
    pub(in crate::jobs) head: Option<Summary>,
    /// The newest entry of the trail; 0 if there is none.
    pub(in crate::jobs) trail: u32,
    /// The newest receipt of each target.
    pub(in crate::jobs) receipts: Vec<(String, u32)>,
}

impl UserRecord {
    /// The newest entry that the target has acknowledged; 0 if none.
    pub(in crate::jobs) fn receipt(&self, target: &str) -> u32 {
        self.receipts.iter().find(|(name, _)| name == target).map_or(0, |(_, seq)| *seq)
    }

    pub(in crate::jobs) fn is_forgotten(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.forgotten)
    }

    fn add_receipt(&mut self, target: String, seq: u32) {
        match self.receipts.iter_mut().find(|(name, _)| *name == target) {
            Some((_, newest)) => *newest = seq.max(*newest),
            None => self.receipts.push((target, seq)),
        }
    }
}

pub(in crate::jobs) struct StateListing<'a> {
    heads: Walk<'a, Summary>,
    trail: Walk<'a, u32>,
    receipts: Walk<'a, (String, u32)>,
}

impl<'a> StateListing<'a> {
    pub(in crate::jobs) fn open(blobs: &'a dyn BlobStore) -> Self {
        Self {
            heads: Walk::new(blobs, Container::State, HEADS_PREFIX, true, |blob| {
                Some((names::parse_head(&blob.name)?, Summary::of(&blob.metadata)))
            }),
            trail: Walk::new(blobs, Container::Audit, "", false, |blob| names::parse_audit_entry(&blob.name)),
            receipts: Walk::new(blobs, Container::Receipts, "", false, |blob| {
                let (user, seq, target) = names::parse_receipt(&blob.name)?;
                Some((user, (target.to_owned(), seq)))
            }),
        }
    }

    /// Who comes next.
    pub(in crate::jobs) async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
        let all = [self.heads.peek().await?, self.trail.peek().await?, self.receipts.peek().await?];
        Ok(all.into_iter().flatten().min())
    }

    /// Everything about the person who comes next.
    pub(in crate::jobs) async fn take(&mut self, user: UserId) -> Result<UserRecord, StoreError> {
        let mut record = UserRecord::default();
        while let Some(head) = self.heads.next_of(user).await? {
            record.head = Some(head);
        }
        while let Some(seq) = self.trail.next_of(user).await? {
            record.trail = record.trail.max(seq);
        }
        while let Some((target, seq)) = self.receipts.next_of(user).await? {
            record.add_receipt(target, seq);
        }
        Ok(record)
    }
}

/// One listing, page after page.
struct Walk<'a, T> {
    blobs: &'a dyn BlobStore,
    container: Container,
    prefix: &'a str,
    with_metadata: bool,
    parse: fn(&Listed) -> Option<(UserId, T)>,
    page: std::vec::IntoIter<Listed>,
    next_page: Option<String>,
    is_last_page: bool,
    peeked: Option<(UserId, T)>,
}

impl<'a, T> Walk<'a, T> {
    fn new(
        blobs: &'a dyn BlobStore,
        container: Container,
        prefix: &'a str,
        with_metadata: bool,
        parse: fn(&Listed) -> Option<(UserId, T)>,
    ) -> Self {
        let page = Vec::new().into_iter();
        let (next_page, is_last_page, peeked) = (None, false, None);
        Self { blobs, container, prefix, with_metadata, parse, page, next_page, is_last_page, peeked }
    }

    async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
        while self.peeked.is_none() {
            if let Some(blob) = self.page.next() {
                self.peeked = (self.parse)(&blob);
            } else if self.is_last_page {
                return Ok(None);
            } else {
                let listing = Listing {
                    continuation: self.next_page.as_deref(),
                    with_metadata: self.with_metadata,
                    ..Listing::of(self.prefix)
                };
                let page = self.blobs.list(self.container, listing).await?;
                self.page = page.blobs.into_iter();
                self.is_last_page = page.next.is_none();
                self.next_page = page.next;
            }
        }
        Ok(self.peeked.as_ref().map(|(user, _)| *user))
    }

    /// The next thing, if it is about this person.
    async fn next_of(&mut self, user: UserId) -> Result<Option<T>, StoreError> {
        if self.peek().await? == Some(user) { Ok(self.peeked.take().map(|(_, thing)| thing)) } else { Ok(None) }
    }
}
