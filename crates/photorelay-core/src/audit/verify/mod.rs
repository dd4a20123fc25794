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
mod report;
mod walk;

use futures::TryStreamExt as _;

use super::checkpoint::Ends;
use crate::id::UserId;
use crate::store::{BlobStore, StoreError};
use walk::{CheckpointBaseline, Walk, WalkItem};

pub use finding::{Finding, Problem};
pub use report::Report;

/// How many people are looked at together. Each holds one photo in memory.
const PEOPLE_AT_ONCE: usize = 16;

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
