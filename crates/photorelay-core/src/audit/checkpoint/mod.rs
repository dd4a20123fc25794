//! Takes the daily checkpoint: the end of every user's trail and the newest receipts, chained to the previous one.
//!
//! A checkpoint is create-once, so one of several writers wins, and the next run reuses the pages of an interrupted
//! one. Each checkpoint carries forward what the previous one recorded: an end is never replaced by an earlier one, so
//! the evidence of a truncated trail survives. A digest comes from the previous checkpoint, from the stored bytes, or
//! from what their writer has put beside them as metadata; why that is safe is said in `digest_metadata`. A sweep drafts
//! the checkpoint from the listing that it makes anyway; without a draft, this lists by itself.

mod draft;
mod stored;

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

pub use draft::{Changes, CheckpointDraft, PreparedCheckpoint};
pub(super) use stored::{Ends, days, read};
pub use stored::{StoredCheckpoint, newest_checkpoint, recent_checkpoints};

use super::listing::NewestOfUsers;
use crate::contract::{self, Checkpoint, V1};
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, Creation, StoreError};

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

/// Takes the checkpoint of the day. Returns `None` if it already exists or if there is no trail at all.
pub async fn take_checkpoint(blobs: &dyn BlobStore, now: Timestamp) -> Result<Option<Taken>, StoreError> {
    let Some(mut draft) = CheckpointDraft::begin(blobs, now).await? else { return Ok(None) };
    let mut listed = NewestOfUsers::new(blobs);
    while let Some(end) = listed.next().await? {
        draft.add(end).await?;
    }
    store(blobs, draft.end().await?, now).await
}

/// The same from a draft that was made of a listing shortly before.
pub async fn take_prepared(
    blobs: &dyn BlobStore,
    prepared: PreparedCheckpoint,
    now: Timestamp,
) -> Result<Option<Taken>, StoreError> {
    // Another sweep may have taken one meanwhile, of another day.
    if days(blobs).await?.last().copied() == prepared.previous.map(|previous| previous.day) {
        store(blobs, prepared, now).await
    } else {
        take_checkpoint(blobs, now).await
    }
}

async fn store(
    blobs: &dyn BlobStore,
    prepared: PreparedCheckpoint,
    now: Timestamp,
) -> Result<Option<Taken>, StoreError> {
    let day = day_of(now);
    let PreparedCheckpoint { previous, people, pages, changes, cut } = prepared;
    if people == 0 || previous.is_some_and(|previous| previous.day >= day) {
        return Ok(None);
    }
    let checkpoint = Checkpoint { v: V1, day, taken_at: now, previous, people, pages };
    let content = Bytes::from(contract::to_bytes(&checkpoint));
    let sha256 = Digest::of(&content);
    match blobs.create(Container::Audit, &names::checkpoint(day), "application/json", content).await? {
        Creation::Created => Ok(Some(Taken { day, sha256, people, changes, cut })),
        Creation::AlreadyExists => Ok(None),
    }
}

fn day_of(now: Timestamp) -> Date {
    Offset::UTC.to_datetime(now).date()
}
