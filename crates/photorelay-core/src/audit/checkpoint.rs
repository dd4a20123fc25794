//! Takes the daily checkpoint: the end of every user's trail and the newest receipts, chained to the previous one.
//!
//! A checkpoint is create-once, so one of several writers wins, and the next run reuses the pages of an interrupted
//! one. Each checkpoint carries forward what the previous one recorded: an end is never replaced by an earlier one, so
//! the evidence of a truncated trail survives. This module must never record a digest that it did not compute from the
//! stored bytes or copy from the previous checkpoint. It holds one page of users in memory, whatever the tenant's size.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::listing::{NewestOfUsers, OwnedBlobs};
use super::{AuditError, decode};
use crate::contract::{
    self, CauseKind, Checkpoint, CheckpointLink, CheckpointPage, Contract, ENDS_PER_PAGE, MAX_CONTRACT_BYTES,
    MAX_RECEIPTS_PER_END, PageLink, ReceiptEnd, TrailEnd, V1,
};
use crate::id::{Digest, UserId};
use crate::names::{self, Container, ReceiptName};
use crate::store::{BlobStore, Creation, StoreError};

/// How many entries are read concurrently.
const READS_AT_ONCE: usize = 32;

/// A checkpoint that was just taken, and the changes since the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub day: Date,
    /// SHA-256 of the checkpoint's bytes. Recorded elsewhere, it proves later that this checkpoint was not forged.
    pub sha256: Digest,
    pub people: u64,
    /// New newest entries since the previous checkpoint, of users who were in that one.
    pub changes: Changes,
    /// Users whose trail now ends before the entry that the previous checkpoint recorded.
    pub cut: Vec<UserId>,
}

/// The number of users with a change, by its cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub by_notification: u64,
    pub by_sweep: u64,
    pub by_operator: u64,
}

/// Takes the checkpoint of the day. Returns `None` if it already exists or if there is no trail at all.
pub async fn take_checkpoint(blobs: &dyn BlobStore, now: Timestamp) -> Result<Option<Taken>, StoreError> {
    let day = Offset::UTC.to_datetime(now).date();
    let newest = days(blobs).await?.last().copied();
    if newest.is_some_and(|newest| newest >= day) {
        return Ok(None);
    }
    let previous = match newest {
        Some(newest) => read(blobs, newest).await?,
        None => None,
    };
    let mut known = Ends::of(blobs, previous.as_ref().and_then(|stored| stored.checkpoint.as_ref().ok()), None);
    let mut listed = NewestOfUsers::new(blobs);
    let mut taken = Taken { day, sha256: Digest::ZERO, people: 0, changes: Changes::default(), cut: Vec::new() };
    let mut pages = Vec::new();
    loop {
        let users = next_page(&mut listed, &mut known).await?;
        if users.is_empty() {
            break;
        }
        let ends = read_ends(blobs, users).await?;
        ends.iter().for_each(|end| taken.count(end));
        pages.extend(store_page(blobs, ends.into_iter().map(|read| read.end).collect()).await?);
    }
    if taken.people == 0 {
        return Ok(None);
    }
    let previous = previous.map(|stored| CheckpointLink { day: stored.day, sha256: stored.sha256 });
    let checkpoint = Checkpoint { v: V1, day, taken_at: now, previous, people: taken.people, pages };
    let content = Bytes::from(contract::to_bytes(&checkpoint));
    taken.sha256 = Digest::of(&content);
    match blobs.create(Container::Audit, &names::checkpoint(day), "application/json", content).await? {
        Creation::Created => Ok(Some(taken)),
        Creation::AlreadyExists => Ok(None),
    }
}

impl Taken {
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
struct ListedEnd {
    user: UserId,
    /// The newest entry in the listing; 0 if there is none.
    seq: u32,
    /// The newest receipt in each target.
    receipts: Vec<ReceiptName>,
    known: Option<TrailEnd>,
}

/// The end of a user's trail after reading its newest entry.
struct ObservedEnd {
    end: TrailEnd,
    is_cut: bool,
    /// The cause of the newest entry, if the previous checkpoint knew the user but not this entry.
    change: Option<CauseKind>,
}

impl ListedEnd {
    async fn read(mut self, blobs: &dyn BlobStore) -> Result<Option<ObservedEnd>, StoreError> {
        let receipts = self.read_receipts(blobs).await?;
        let observed = self.read_entry(blobs).await?;
        Ok(observed.map(|observed| ObservedEnd { end: TrailEnd { receipts, ..observed.end }, ..observed }))
    }

    /// The newest receipts: those that the previous checkpoint knew as it recorded them, whatever became of them since.
    async fn read_receipts(&mut self, blobs: &dyn BlobStore) -> Result<Vec<ReceiptEnd>, StoreError> {
        let mut ends = self.known.as_ref().map(|known| known.receipts.clone()).unwrap_or_default();
        for name in std::mem::take(&mut self.receipts) {
            let known = ends.iter().position(|end| end.target == name.target);
            if known.is_some_and(|at| (ends[at].seq, ends[at].number) >= (name.seq, name.number)) {
                continue;
            }
            let content = match blobs.get(Container::Receipts, &name.to_string(), MAX_CONTRACT_BYTES as u64).await {
                // As for entries below: verification reports it.
                Ok(None) | Err(StoreError::TooLarge { .. }) => continue,
                Ok(Some(content)) => content,
                Err(error) => return Err(error),
            };
            let ReceiptName { seq, target, number, .. } = name;
            let end = ReceiptEnd { target, seq, number, sha256: Digest::of(&content) };
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
        if let Some(end) = self.known.as_ref().filter(|end| end.seq >= self.seq).cloned() {
            let is_cut = end.seq > self.seq;
            return Ok(Some(ObservedEnd { end, is_cut, change: None }));
        }
        let name = names::audit_entry(self.user, self.seq);
        let bytes = match blobs.get(Container::Audit, &name, MAX_CONTRACT_BYTES as u64).await {
            Ok(bytes) => bytes,
            // photorelay never writes such a blob. Verification reports it; there is no digest to record here.
            Err(StoreError::TooLarge { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(bytes) = bytes else {
            return Ok(self.known.map(|end| ObservedEnd { end, is_cut: true, change: None }));
        };
        let cause = decode(self.user, self.seq, &bytes).map(|committed| committed.entry.cause.kind);
        if let Err(error @ (AuditError::Unreadable { .. } | AuditError::Misplaced { .. })) = &cause {
            tracing::error!(user.id = %self.user, %error, "the audit trail is damaged: run `photorelay audit verify`");
        }
        let end = TrailEnd { user_id: self.user, seq: self.seq, sha256: Digest::of(&bytes), receipts: Vec::new() };
        Ok(Some(ObservedEnd { end, is_cut: false, change: self.known.and(cause.ok()) }))
    }
}

async fn read_ends(blobs: &dyn BlobStore, users: Vec<ListedEnd>) -> Result<Vec<ObservedEnd>, StoreError> {
    futures::stream::iter(users)
        .map(|user| user.read(blobs))
        .buffered(READS_AT_ONCE)
        .try_filter_map(|read| std::future::ready(Ok(read)))
        .try_collect()
        .await
}

/// The users of the next page; empty after the last one.
async fn next_page(listed: &mut NewestOfUsers<'_>, known: &mut Ends<'_>) -> Result<Vec<ListedEnd>, StoreError> {
    let mut page = Vec::new();
    while page.len() < ENDS_PER_PAGE {
        let in_trail = listed.next_user().await?;
        let in_checkpoint = known.peek().await?;
        let Some(user) = in_trail.into_iter().chain(in_checkpoint).min() else { break };
        let (seq, receipts) = (listed.newest_entry(user).await?, listed.newest_receipts(user).await?);
        let known = if in_checkpoint == Some(user) { known.take() } else { None };
        page.push(ListedEnd { user, seq, receipts, known });
    }
    Ok(page)
}

/// Returns `None` if the page is empty.
async fn store_page(blobs: &dyn BlobStore, ends: Vec<TrailEnd>) -> Result<Option<PageLink>, StoreError> {
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return Ok(None) };
    let (first, last) = (first.user_id, last.user_id);
    let content = Bytes::from(contract::to_bytes(&CheckpointPage { v: V1, ends }));
    let sha256 = Digest::of(&content);
    blobs.create(Container::Audit, &names::checkpoint_page(sha256), "application/json", content).await?;
    Ok(Some(PageLink { sha256, first, last }))
}

/// A checkpoint as it is stored, readable or not.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCheckpoint {
    pub day: Date,
    /// SHA-256 of the stored bytes, whatever they are.
    pub sha256: Digest,
    /// The checkpoint, or why it cannot be read.
    pub checkpoint: Result<Checkpoint, String>,
}

/// The newest checkpoint.
pub async fn newest_checkpoint(blobs: &dyn BlobStore) -> Result<Option<StoredCheckpoint>, StoreError> {
    match days(blobs).await?.last() {
        Some(day) => read(blobs, *day).await,
        None => Ok(None),
    }
}

/// The newest checkpoints, at most this many, the newest first.
pub async fn recent_checkpoints(blobs: &dyn BlobStore, most: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
    let mut recent = Vec::new();
    for day in days(blobs).await?.into_iter().rev().take(most) {
        recent.extend(read(blobs, day).await?);
    }
    Ok(recent)
}

/// The days that have a checkpoint, in order.
pub(super) async fn days(blobs: &dyn BlobStore) -> Result<Vec<Date>, StoreError> {
    let mut listed = OwnedBlobs::new(blobs, Container::Audit, names::CHECKPOINTS_PREFIX);
    let mut days = Vec::new();
    while let Some(blob) = listed.next().await? {
        // The many pages sort after the days.
        if names::is_checkpoint_page(&blob.name) {
            break;
        }
        days.extend(names::parse_checkpoint(&blob.name));
    }
    Ok(days)
}

pub(super) async fn read(blobs: &dyn BlobStore, day: Date) -> Result<Option<StoredCheckpoint>, StoreError> {
    let name = names::checkpoint(day);
    let (sha256, checkpoint) = match blobs.get(Container::Audit, &name, Checkpoint::MAX_BYTES as u64).await {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => {
            let checkpoint = match contract::parse::<Checkpoint>(&bytes) {
                Ok(checkpoint) if checkpoint.day == day => Ok(checkpoint),
                Ok(checkpoint) => Err(format!("it names the day {}", checkpoint.day)),
                Err(error) => Err(error.to_string()),
            };
            (Digest::of(&bytes), checkpoint)
        }
        Err(error @ StoreError::TooLarge { .. }) => (Digest::ZERO, Err(error.to_string())),
        Err(error) => return Err(error),
    };
    Ok(Some(StoredCheckpoint { day, sha256, checkpoint }))
}

/// The trail ends that a checkpoint holds, read page by page.
pub(super) struct Ends<'a> {
    blobs: &'a dyn BlobStore,
    pages: std::vec::IntoIter<PageLink>,
    page: VecDeque<TrailEnd>,
    only: Option<UserId>,
    /// Pages that do not match the checkpoint and were skipped; `true` for one that is missing.
    pub(super) broken: Vec<(Digest, bool)>,
}

impl<'a> Ends<'a> {
    /// The ends of all users, or of one user only.
    pub(super) fn of(blobs: &'a dyn BlobStore, checkpoint: Option<&Checkpoint>, only: Option<UserId>) -> Self {
        let pages = checkpoint.map(|checkpoint| checkpoint.pages.clone()).unwrap_or_default();
        let pages = pages.into_iter().filter(|page| only.is_none_or(|user| (page.first..=page.last).contains(&user)));
        let pages: Vec<PageLink> = pages.collect();
        Self { blobs, pages: pages.into_iter(), page: VecDeque::new(), only, broken: Vec::new() }
    }

    /// The user of the next end.
    pub(super) async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
        while self.page.is_empty() {
            let Some(link) = self.pages.next() else { return Ok(None) };
            let name = names::checkpoint_page(link.sha256);
            let bytes = match self.blobs.get(Container::Audit, &name, CheckpointPage::MAX_BYTES as u64).await {
                Ok(bytes) => bytes,
                Err(StoreError::TooLarge { .. }) => Some(Bytes::new()),
                Err(error) => return Err(error),
            };
            let is_missing = bytes.is_none();
            let matches = |bytes: &Bytes| Digest::of(bytes) == link.sha256;
            let page = bytes.filter(matches).and_then(|bytes| contract::parse::<CheckpointPage>(&bytes).ok());
            match page {
                Some(page) => {
                    self.page = page.ends.into();
                    self.page.retain(|end| self.only.is_none_or(|only| only == end.user_id));
                }
                None => self.broken.push((link.sha256, is_missing)),
            }
        }
        Ok(self.page.front().map(|end| end.user_id))
    }

    /// Takes the end of the user that [`Self::peek`] returned.
    pub(super) fn take(&mut self) -> Option<TrailEnd> {
        self.page.pop_front()
    }
}
