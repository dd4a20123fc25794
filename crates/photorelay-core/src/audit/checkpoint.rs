//! Takes the daily checkpoint: where everybody's trail ends, chained to the checkpoint before it.
//!
//! Create-once, so of several writers one wins, and one that was cut off leaves pages that the next one uses. What a
//! checkpoint has known is carried on: an end is never replaced by an earlier one, so evidence of a cut tail stays.
//! It must never vouch for what it did not read, and holds one page of people, however many there are.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use super::listing::Names;
use super::{AuditError, decode};
use crate::contract::{
    self, CauseKind, Checkpoint, CheckpointLink, CheckpointPage, Contract, ENDS_PER_PAGE, MAX_CONTRACT_BYTES, PageLink,
    TrailEnd, V1,
};
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, Creation, StoreError};

/// Entries that are read side by side.
const READS_AT_ONCE: usize = 32;

/// What a checkpoint found beside what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub day: Date,
    /// Of the checkpoint's bytes: noted elsewhere, it proves that no later one was forged.
    pub sha256: Digest,
    pub people: u64,
    /// Newest entries since the checkpoint before, of people who were in that one.
    pub changes: Changes,
    /// People whose trail ends before what the checkpoint before has known.
    pub cut: Vec<UserId>,
}

/// How many people had a change, by what led to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub by_notification: u64,
    pub by_sweep: u64,
    pub by_operator: u64,
}

/// Takes the checkpoint of the day, unless there is one or nobody has a trail.
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
    let mut trail = Trail(Names::new(blobs, Container::Audit, ""));
    let mut taken = Taken { day, sha256: Digest::ZERO, people: 0, changes: Changes::default(), cut: Vec::new() };
    let mut pages = Vec::new();
    loop {
        let some = next_people(&mut trail, &mut known).await?;
        if some.is_empty() {
            break;
        }
        let ends: Vec<Read> = futures::stream::iter(some)
            .map(|person| person.read(blobs))
            .buffered(READS_AT_ONCE)
            .try_filter_map(|read| std::future::ready(Ok(read)))
            .try_collect()
            .await?;
        for read in &ends {
            taken.count(read);
        }
        let ends: Vec<TrailEnd> = ends.into_iter().map(|read| read.end).collect();
        pages.extend(store_page(blobs, ends).await?);
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
    fn count(&mut self, read: &Read) {
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

/// Somebody of the listing, of the checkpoint before, or of both.
struct Person {
    user: UserId,
    /// Where the trail ends; 0 if there is none.
    seq: u32,
    known: Option<TrailEnd>,
}

/// What a person's end turned out to be.
struct Read {
    end: TrailEnd,
    is_cut: bool,
    /// What led to the newest entry, if it was not known before though the person was.
    change: Option<CauseKind>,
}

impl Person {
    async fn read(self, blobs: &dyn BlobStore) -> Result<Option<Read>, StoreError> {
        match self.known {
            Some(end) if end.seq >= self.seq => {
                return Ok(Some(Read { end, is_cut: end.seq > self.seq, change: None }));
            }
            _ => {}
        }
        let name = names::audit_entry(self.user, self.seq);
        let bytes = match blobs.get(Container::Audit, &name, MAX_CONTRACT_BYTES as u64).await {
            Ok(bytes) => bytes,
            // Nobody of us wrote it, and verifying names it; there is no digest to vouch for.
            Err(StoreError::TooLarge { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(bytes) = bytes else {
            return Ok(self.known.map(|end| Read { end, is_cut: true, change: None }));
        };
        let cause = decode(self.user, self.seq, &bytes).map(|committed| committed.entry.cause.kind);
        if let Err(error @ (AuditError::Unreadable { .. } | AuditError::Misplaced { .. })) = &cause {
            tracing::error!(user.id = %self.user, %error, "the trail has to be looked at: photorelay audit verify");
        }
        let end = TrailEnd { user_id: self.user, seq: self.seq, sha256: Digest::of(&bytes) };
        Ok(Some(Read { end, is_cut: false, change: self.known.and(cause.ok()) }))
    }
}

async fn next_people(trail: &mut Trail<'_>, known: &mut Ends<'_>) -> Result<Vec<Person>, StoreError> {
    let mut people = Vec::new();
    while people.len() < ENDS_PER_PAGE {
        let listed = trail.peek().await?;
        let end = known.peek().await?;
        let Some(user) = listed.into_iter().chain(end.map(|end| end.user_id)).min() else { break };
        let seq = if listed == Some(user) { trail.take(user).await? } else { 0 };
        let known = if end.is_some_and(|end| end.user_id == user) { known.take() } else { None };
        people.push(Person { user, seq, known });
    }
    Ok(people)
}

/// None if the page is empty.
async fn store_page(blobs: &dyn BlobStore, ends: Vec<TrailEnd>) -> Result<Option<PageLink>, StoreError> {
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return Ok(None) };
    let (first, last) = (first.user_id, last.user_id);
    let content = Bytes::from(contract::to_bytes(&CheckpointPage { v: V1, ends }));
    let sha256 = Digest::of(&content);
    blobs.create(Container::Audit, &names::checkpoint_page(sha256), "application/json", content).await?;
    Ok(Some(PageLink { sha256, first, last }))
}

/// The ends of trails as a listing of `audit` shows them.
struct Trail<'a>(Names<'a>);

impl Trail<'_> {
    async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
        while self.0.next_unowned().await?.is_some() {}
        self.0.owner().await
    }

    async fn take(&mut self, user: UserId) -> Result<u32, StoreError> {
        let mut newest = 0;
        while let Some(name) = self.0.next_of(user).await? {
            if let Some((_, seq)) = names::parse_audit_entry(&name) {
                newest = seq.max(newest);
            }
        }
        Ok(newest)
    }
}

/// A checkpoint as it stands in the storage.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCheckpoint {
    pub day: Date,
    /// Of its bytes, whatever they are.
    pub sha256: Digest,
    /// Or why it cannot be read.
    pub checkpoint: Result<Checkpoint, String>,
}

/// The newest checkpoint that there is.
pub async fn newest_checkpoint(blobs: &dyn BlobStore) -> Result<Option<StoredCheckpoint>, StoreError> {
    match days(blobs).await?.last() {
        Some(day) => read(blobs, *day).await,
        None => Ok(None),
    }
}

/// The days that have a checkpoint, in order.
pub(super) async fn days(blobs: &dyn BlobStore) -> Result<Vec<Date>, StoreError> {
    let mut listed = Names::new(blobs, Container::Audit, names::CHECKPOINTS_PREFIX);
    let mut days = Vec::new();
    while let Some(name) = listed.next().await? {
        // Pages come after the days, and are many.
        if names::is_checkpoint_page(&name) {
            break;
        }
        days.extend(names::parse_checkpoint(&name));
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
                Ok(checkpoint) => Err(format!("it says that it is of {}", checkpoint.day)),
                Err(error) => Err(error.to_string()),
            };
            (Digest::of(&bytes), checkpoint)
        }
        Err(error @ StoreError::TooLarge { .. }) => (Digest::ZERO, Err(error.to_string())),
        Err(error) => return Err(error),
    };
    Ok(Some(StoredCheckpoint { day, sha256, checkpoint }))
}

/// The ends that a checkpoint holds, page after page.
pub(super) struct Ends<'a> {
    blobs: &'a dyn BlobStore,
    pages: std::vec::IntoIter<PageLink>,
    page: VecDeque<TrailEnd>,
    only: Option<UserId>,
    /// Pages that are not what the checkpoint says, and were passed over; `true` for one that is missing.
    pub(super) broken: Vec<(Digest, bool)>,
}

impl<'a> Ends<'a> {
    /// Of everybody, or of one person only.
    pub(super) fn of(blobs: &'a dyn BlobStore, checkpoint: Option<&Checkpoint>, only: Option<UserId>) -> Self {
        let pages = checkpoint.map(|checkpoint| checkpoint.pages.clone()).unwrap_or_default();
        let pages = pages.into_iter().filter(|page| only.is_none_or(|user| (page.first..=page.last).contains(&user)));
        let pages: Vec<PageLink> = pages.collect();
        Self { blobs, pages: pages.into_iter(), page: VecDeque::new(), only, broken: Vec::new() }
    }

    pub(super) async fn peek(&mut self) -> Result<Option<TrailEnd>, StoreError> {
        while self.page.is_empty() {
            let Some(link) = self.pages.next() else { return Ok(None) };
            let name = names::checkpoint_page(link.sha256);
            let bytes = match self.blobs.get(Container::Audit, &name, CheckpointPage::MAX_BYTES as u64).await {
                Ok(bytes) => bytes,
                Err(StoreError::TooLarge { .. }) => Some(Bytes::new()),
                Err(error) => return Err(error),
            };
            let is_missing = bytes.is_none();
            let is_true = |bytes: &Bytes| Digest::of(bytes) == link.sha256;
            let page = bytes.filter(is_true).and_then(|bytes| contract::parse::<CheckpointPage>(&bytes).ok());
            match page {
                Some(page) => {
                    self.page = page.ends.into();
                    self.page.retain(|end| self.only.is_none_or(|only| only == end.user_id));
                }
                None => self.broken.push((link.sha256, is_missing)),
            }
        }
        Ok(self.page.front().copied())
    }

    /// The end that was just peeked at.
    pub(super) fn take(&mut self) -> Option<TrailEnd> {
        self.page.pop_front()
    }
}
