//! Reads stored checkpoints, and the trail ends on their pages.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use jiff::civil::Date;

use crate::audit::listing::OwnedBlobs;
use crate::contract::{self, Checkpoint, CheckpointPage, Contract, PageLink, TrailEnd};
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError};

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
pub(in crate::audit) async fn days(blobs: &dyn BlobStore) -> Result<Vec<Date>, StoreError> {
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

pub(in crate::audit) async fn read(blobs: &dyn BlobStore, day: Date) -> Result<Option<StoredCheckpoint>, StoreError> {
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
#[derive(Debug)]
pub(in crate::audit) struct Ends<'a> {
    blobs: &'a dyn BlobStore,
    pages: std::vec::IntoIter<PageLink>,
    page: VecDeque<TrailEnd>,
    only: Option<UserId>,
    /// Pages that do not match the checkpoint and were skipped; `true` for one that is missing.
    pub(in crate::audit) broken: Vec<(Digest, bool)>,
    /// Pages that were read as the checkpoint names them.
    pub(super) whole: BTreeSet<Digest>,
}

impl<'a> Ends<'a> {
    /// The ends of all users, or of one user only.
    pub(in crate::audit) fn of(
        blobs: &'a dyn BlobStore,
        checkpoint: Option<&Checkpoint>,
        only: Option<UserId>,
    ) -> Self {
        let pages = checkpoint.map(|checkpoint| checkpoint.pages.clone()).unwrap_or_default();
        let pages = pages.into_iter().filter(|page| only.is_none_or(|user| (page.first..=page.last).contains(&user)));
        let pages: Vec<PageLink> = pages.collect();
        Self {
            blobs,
            pages: pages.into_iter(),
            page: VecDeque::new(),
            only,
            broken: Vec::new(),
            whole: BTreeSet::new(),
        }
    }

    /// The user of the next end.
    pub(in crate::audit) async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
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
                    self.whole.insert(link.sha256);
                    self.page = page.ends.into();
                    self.page.retain(|end| self.only.is_none_or(|only| only == end.user_id));
                }
                None => self.broken.push((link.sha256, is_missing)),
            }
        }
        Ok(self.page.front().map(|end| end.user_id))
    }

    /// Takes the end of the user that [`Self::peek`] returned.
    pub(in crate::audit) fn take(&mut self) -> Option<TrailEnd> {
        self.page.pop_front()
    }
}
