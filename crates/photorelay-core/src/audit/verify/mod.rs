//! Walks the trail and names what is broken: a changed, missing or inserted entry, a photo that does not match, and,
//! against heads, receipts and the newest checkpoint, a tail that was cut off or a person who is missing altogether. The
//! checkpoints themselves are chained.
//!
//! It reads and never repairs. It holds one page of each listing and a few people at a time, so 100,000 people need no
//! more memory than ten. Somebody who commits while it runs is not taken for a thief: before a cut tail is reported,
//! the entry is asked for once more. What the hash chain cannot show is a forged newest entry that nobody has acted on.

mod chain;
mod finding;
mod person;
mod walk;

use futures::TryStreamExt as _;

use jiff::civil::Date;

use super::checkpoint::Ends;
use crate::id::{Digest, UserId};
use crate::store::{BlobStore, StoreError};
use walk::{CheckpointBaseline, Walk, WalkItem};

pub use finding::{Finding, Problem};

/// How many people are looked at together. Each holds one photo in memory.
const PEOPLE_AT_ONCE: usize = 16;

/// What a verification looked at and found, in the order of the trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub people: u64,
    pub entries: u64,
    /// Photos and renditions that exist and match their digests.
    pub blobs: u64,
    pub checkpoints: u64,
    /// The day and digest of the newest one: compare it with the digest that was logged when it was taken.
    pub newest_checkpoint: Option<(Date, Digest)>,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, other: Report) {
        self.people += other.people;
        self.entries += other.entries;
        self.blobs += other.blobs;
        self.findings.extend(other.findings);
    }
}

/// Verifies what concerns one person. An `Err` means that it could not look, not that something is wrong.
pub async fn verify_person(blobs: &dyn BlobStore, user: UserId) -> Result<Report, StoreError> {
    // Read before the listing of entries, so that whatever it knows must be in there.
    let newest = chain::newest_readable(blobs).await?;
    let ends = Ends::of(blobs, newest.as_ref(), Some(user));
    let known = CheckpointBaseline { day: newest.map(|newest| newest.day), ends };
    verify(blobs, Walk::of_person(blobs, user, known), Report::default()).await
}

/// Verifies everybody. An `Err` means that it could not look to the end, not that something is wrong.
pub async fn verify_all(blobs: &dyn BlobStore) -> Result<Report, StoreError> {
    let (newest, report) = chain::verify(blobs).await?;
    let ends = Ends::of(blobs, newest.as_ref(), None);
    let known = CheckpointBaseline { day: newest.map(|newest| newest.day), ends };
    verify(blobs, Walk::of_everybody(blobs, known), report).await
}

async fn verify(blobs: &dyn BlobStore, walk: Walk<'_>, report: Report) -> Result<Report, StoreError> {
    let items = futures::stream::try_unfold(walk, |mut walk| async move {
        Ok::<_, StoreError>(walk.next().await?.map(|item| (item, walk)))
    });
    items
        .map_ok(|item| async move {
            match item {
                WalkItem::User(traces) => person::verify(blobs, traces).await,
                WalkItem::Foreign(finding) => Ok(Report { findings: vec![finding], ..Report::default() }),
            }
        })
        .try_buffered(PEOPLE_AT_ONCE)
        .try_fold(report, |mut sum, report| async move {
            sum.add(report);
            Ok(sum)
        })
        .await
}
