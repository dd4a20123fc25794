//! A checkpoint in the making: the ends of all trails, page by page, from users who are listed in the order of their ids.
//!
//! It reads what no metadata shows, holds one page of users in memory, whatever the tenant's size, and stores pages only:
//! a draft that is given up leaves pages that the next one names again.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use jiff::tz::Offset;

use super::stored::{Ends, days, read};
use crate::audit::digest_metadata::{EntryDigest, ListedEnd};
use crate::audit::{AuditError, decode};
use crate::contract::{
    self, CauseKind, CheckpointLink, CheckpointPage, ENDS_PER_PAGE, MAX_CONTRACT_BYTES, MAX_RECEIPTS_PER_END, PageLink,
    ReceiptEnd, TrailEnd, V1,
};
use crate::id::{Digest, UserId};
use crate::names::{self, Container, ReceiptName};
use crate::store::{BlobStore, StoreError};

/// How many entries are read concurrently.
const READS_AT_ONCE: usize = 32;

/// The number of users with a change, by its cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub by_notification: u64,
    pub by_sweep: u64,
    pub by_operator: u64,
}

/// All pages are stored; the checkpoint itself is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PreparedCheckpoint {
    pub(super) previous: Option<CheckpointLink>,
    pub(super) people: u64,
    pub(super) pages: Vec<PageLink>,
    pub(super) changes: Changes,
    pub(super) cut: Vec<UserId>,
}

#[derive(Debug)]
pub struct CheckpointDraft<'a> {
    blobs: &'a dyn BlobStore,
    known: Ends<'a>,
    /// The users of the page that is not full yet.
    page: Vec<EndSource>,
    prepared: PreparedCheckpoint,
}

impl<'a> CheckpointDraft<'a> {
    /// Begins before anything is listed, so that the listing contains whatever the previous checkpoint names. Returns
    /// `None` if the day has its checkpoint.
    pub async fn begin(blobs: &'a dyn BlobStore, now: Timestamp) -> Result<Option<Self>, StoreError> {
        let newest = days(blobs).await?.last().copied();
        if newest.is_some_and(|newest| newest >= Offset::UTC.to_datetime(now).date()) {
            return Ok(None);
        }
        let previous = match newest {
            Some(newest) => read(blobs, newest).await?,
            None => None,
        };
        let known = Ends::of(blobs, previous.as_ref().and_then(|stored| stored.checkpoint.as_ref().ok()), None);
        let previous = previous.map(|stored| CheckpointLink { day: stored.day, sha256: stored.sha256 });
        let prepared = PreparedCheckpoint { previous, ..PreparedCheckpoint::default() };
        Ok(Some(Self { blobs, known, page: Vec::new(), prepared }))
    }

    /// Adds the user who comes next in the listings, after those who are in the previous checkpoint alone.
    pub async fn add(&mut self, listed: ListedEnd) -> Result<(), StoreError> {
        self.add_unlisted(Some(listed.user)).await?;
        let known = match self.known.peek().await? {
            Some(user) if user == listed.user => self.known.take(),
            _ => None,
        };
        if listed.seq == 0 && known.is_none() {
            return Ok(());
        }
        self.push(EndSource { listed, known }).await
    }

    /// After the last user.
    pub async fn end(mut self) -> Result<PreparedCheckpoint, StoreError> {
        self.add_unlisted(None).await?;
        self.store_page().await?;
        Ok(self.prepared)
    }

    /// Adds the users of the previous checkpoint that no listing shows any more.
    async fn add_unlisted(&mut self, before: Option<UserId>) -> Result<(), StoreError> {
        while let Some(user) = self.known.peek().await?.filter(|user| before.is_none_or(|before| *user < before)) {
            let known = self.known.take();
            let listed = ListedEnd { user, seq: 0, entry: None, receipts: Vec::new() };
            self.push(EndSource { listed, known }).await?;
        }
        Ok(())
    }

    async fn push(&mut self, end: EndSource) -> Result<(), StoreError> {
        self.page.push(end);
        if self.page.len() == ENDS_PER_PAGE { self.store_page().await } else { Ok(()) }
    }

    async fn store_page(&mut self) -> Result<(), StoreError> {
        let ends = read_ends(self.blobs, std::mem::take(&mut self.page)).await?;
        ends.iter().for_each(|end| self.prepared.count(end));
        let ends: Vec<TrailEnd> = ends.into_iter().map(|read| read.end).collect();
        let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return Ok(()) };
        let (first, last) = (first.user_id, last.user_id);
        let content = Bytes::from(contract::to_bytes(&CheckpointPage { v: V1, ends }));
        let sha256 = Digest::of(&content);
        // A page that was just read as it should be need not be sent again.
        if !self.known.whole.contains(&sha256) {
            self.blobs.create(Container::Audit, &names::checkpoint_page(sha256), "application/json", content).await?;
        }
        self.prepared.pages.push(PageLink { sha256, first, last });
        Ok(())
    }
}

impl PreparedCheckpoint {
    fn count(&mut self, read: &ObservedEnd) {
        self.people += 1;
        match (read.is_cut, read.change) {
            (true, _) => self.cut.push(read.end.user_id),
            (false, Some(CauseKind::Notification)) => self.changes.by_notification += 1,
            (false, Some(CauseKind::Sweep)) => self.changes.by_sweep += 1,
            (false, Some(CauseKind::Operator)) => self.changes.by_operator += 1,
            (false, None) => {}
        }
    }
}

/// A user in the listing, in the previous checkpoint, or in both.
#[derive(Debug)]
struct EndSource {
    listed: ListedEnd,
    known: Option<TrailEnd>,
}

/// The end of a user's trail, with the digest of its newest entry.
struct ObservedEnd {
    end: TrailEnd,
    is_cut: bool,
    /// The cause of the newest entry, if the previous checkpoint knew the user but not this entry.
    change: Option<CauseKind>,
}

impl EndSource {
    async fn read(mut self, blobs: &dyn BlobStore) -> Result<Option<ObservedEnd>, StoreError> {
        let receipts = self.read_receipts(blobs).await?;
        let observed = self.read_entry(blobs).await?;
        Ok(observed.map(|observed| ObservedEnd { end: TrailEnd { receipts, ..observed.end }, ..observed }))
    }

    /// The newest receipts: those that the previous checkpoint knew as it recorded them, whatever became of them since.
    async fn read_receipts(&mut self, blobs: &dyn BlobStore) -> Result<Vec<ReceiptEnd>, StoreError> {
        let mut ends = self.known.as_mut().map(|known| std::mem::take(&mut known.receipts)).unwrap_or_default();
        for (name, listed) in std::mem::take(&mut self.listed.receipts) {
            let known = ends.iter().position(|end| end.target == name.target);
            if known.is_some_and(|at| (ends[at].seq, ends[at].number) >= (name.seq, name.number)) {
                continue;
            }
            // What comes new to a user who is known is little, and is read: metadata is not evidence.
            let sha256 = match listed.filter(|_| self.known.is_none()) {
                Some(listed) => listed,
                None => match blobs.get(Container::Receipts, &name.to_string(), MAX_CONTRACT_BYTES as u64).await {
                    // As for entries below: verification reports it.
                    Ok(None) | Err(StoreError::TooLarge { .. }) => continue,
                    Ok(Some(content)) => Digest::of(&content),
                    Err(error) => return Err(error),
                },
            };
            let ReceiptName { seq, target, number, .. } = name;
            let end = ReceiptEnd { target, seq, number, sha256 };
            match known {
                Some(at) => ends[at] = end,
                None if ends.len() < MAX_RECEIPTS_PER_END => ends.push(end),
                None => {}
            }
        }
        ends.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(ends)
    }

    async fn read_entry(self, blobs: &dyn BlobStore) -> Result<Option<ObservedEnd>, StoreError> {
        let ListedEnd { user, seq, entry, .. } = self.listed;
        let end = |sha256| TrailEnd { user_id: user, seq, sha256, receipts: Vec::new() };
        match (self.known, entry) {
            (Some(known), _) if known.seq >= seq => {
                let is_cut = known.seq > seq;
                Ok(Some(ObservedEnd { end: known, is_cut, change: None }))
            }
            (None, Some(EntryDigest { sha256, .. })) => {
                Ok(Some(ObservedEnd { end: end(sha256), is_cut: false, change: None }))
            }
            (known, _) => {
                let Some(bytes) = entry_bytes(blobs, user, seq).await? else {
                    return Ok(known.map(|end| ObservedEnd { end, is_cut: true, change: None }));
                };
                let cause = decode(user, seq, &bytes).map(|committed| committed.entry.cause.kind);
                if let Err(error @ (AuditError::Unreadable { .. } | AuditError::Misplaced { .. })) = &cause {
                    tracing::error!(user.id = %user, %error, "the audit trail is damaged: run `photorelay audit verify`");
                }
                let change = known.and(cause.ok());
                Ok(Some(ObservedEnd { end: end(Digest::of(&bytes)), is_cut: false, change }))
            }
        }
    }
}

async fn entry_bytes(blobs: &dyn BlobStore, user: UserId, seq: u32) -> Result<Option<Bytes>, StoreError> {
    match blobs.get(Container::Audit, &names::audit_entry(user, seq), MAX_CONTRACT_BYTES as u64).await {
        // photorelay never writes such a blob. Verification reports it; there is no digest to record here.
        Err(StoreError::TooLarge { .. }) => Ok(None),
        read => read,
    }
}

async fn read_ends(blobs: &dyn BlobStore, users: Vec<EndSource>) -> Result<Vec<ObservedEnd>, StoreError> {
    futures::stream::iter(users)
        .map(|user| user.read(blobs))
        .buffered(READS_AT_ONCE)
        .try_filter_map(|read| std::future::ready(Ok(read)))
        .try_collect()
        .await
}
