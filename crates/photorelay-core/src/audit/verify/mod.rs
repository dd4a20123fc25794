//! Verifies the audit trail: finds changed, missing and inserted entries, photos that do not match their digests, and
//! receipts that do not match their names, their entries or the checkpoint.
//!
//! Heads, receipts and the newest checkpoint reveal a truncated trail and a user whose trail is missing altogether; the
//! checkpoints themselves are chained. Verification only reads and must never repair anything. It holds one page of
//! each listing and a few users at a time, so 100,000 users need no more memory than ten. A commit that happens during
//! the verification is not reported as a problem: before reporting a truncated trail, it reads the entry once more. The
//! hash chain cannot reveal a forged newest entry that no agent has acted on. Digests are always taken from the bytes;
//! metadata that says something else is a finding and decides nothing.

mod chain;
mod evidence;
mod finding;
mod person;
mod photos;
mod receipts;
mod report;
mod walk;

use std::sync::atomic::{AtomicU64, Ordering};

use futures::TryStreamExt as _;

use super::checkpoint::Ends;
use crate::id::UserId;
use crate::store::{BlobStore, StoreError};
use walk::{CheckpointBaseline, Walk, WalkItem};

pub use finding::{Finding, Problem};
pub use report::Report;

/// How many users are verified concurrently. Each of them holds one photo in memory.
const USERS_AT_ONCE: usize = 16;

/// Verifies one user. An `Err` means that the verification could not run, not that it found a problem.
pub async fn verify_person(blobs: &dyn BlobStore, user: UserId) -> Result<Report, StoreError> {
    // Read before the entries are listed, so that the listing must contain everything the checkpoint names.
    let newest = chain::newest_readable(blobs).await?;
    let ends = Ends::of(blobs, newest.as_ref(), Some(user));
    let known = CheckpointBaseline { day: newest.map(|newest| newest.day), ends };
    verify(blobs, Walk::of_person(blobs, user, known), Report::default(), &VerifyProgress::default()).await
}

/// Verifies all users. An `Err` means that the verification could not finish, not that it found a problem.
pub async fn verify_all(blobs: &dyn BlobStore) -> Result<Report, StoreError> {
    verify_all_watched(blobs, &VerifyProgress::default()).await
}

/// The same, for those who want to see how far it has come.
pub async fn verify_all_watched(blobs: &dyn BlobStore, progress: &VerifyProgress) -> Result<Report, StoreError> {
    let (newest, report) = chain::verify(blobs).await?;
    let ends = Ends::of(blobs, newest.as_ref(), None);
    let known = CheckpointBaseline { day: newest.map(|newest| newest.day), ends };
    verify(blobs, Walk::of_all_users(blobs, known), report, progress).await
}

/// How far a verification has come; read while it runs.
#[derive(Debug, Default)]
pub struct VerifyProgress {
    people: AtomicU64,
    findings: AtomicU64,
}

impl VerifyProgress {
    /// Users who were verified.
    pub fn people(&self) -> u64 {
        self.people.load(Ordering::Relaxed)
    }

    pub fn findings(&self) -> u64 {
        self.findings.load(Ordering::Relaxed)
    }

    fn reached(&self, report: &Report) {
        self.people.store(report.people, Ordering::Relaxed);
        self.findings.store(report.findings.len() as u64, Ordering::Relaxed);
    }
}

async fn verify(
    blobs: &dyn BlobStore,
    walk: Walk<'_>,
    report: Report,
    progress: &VerifyProgress,
) -> Result<Report, StoreError> {
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
        .try_buffered(USERS_AT_ONCE)
        .try_fold(report, |mut sum, report| async move {
            sum.add(report);
            progress.reached(&sum);
            Ok(sum)
        })
        .await
}
