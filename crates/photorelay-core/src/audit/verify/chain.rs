//! Verifies the chain of daily checkpoints: each one names the digest of the one before it.
//!
//! Only the pages of the newest checkpoint are read, because it carries forward what all earlier ones recorded. A
//! newest checkpoint that was deleted, or forged consistently, can be detected only by comparing its digest with the
//! one that was logged when it was taken.

use super::finding::{Finding, Problem, checkpoint_blob};
use super::report::Report;
use crate::audit::checkpoint::{self, StoredCheckpoint};
use crate::contract::Checkpoint;
use crate::store::{BlobStore, StoreError};

/// The newest readable checkpoint, and a report of what is wrong with any checkpoint.
pub(super) async fn verify(blobs: &dyn BlobStore) -> Result<(Option<Checkpoint>, Report), StoreError> {
    let mut report = Report::default();
    let mut newest = None;
    let mut before: Option<StoredCheckpoint> = None;
    for day in checkpoint::days(blobs).await? {
        let Some(stored) = checkpoint::read(blobs, day).await? else { continue };
        report.checkpoints += 1;
        report.newest_checkpoint = Some((day, stored.sha256));
        let problem = match &stored.checkpoint {
            Ok(checkpoint) => broken_link(before.as_ref(), checkpoint),
            Err(why) => Some(Problem::EvidenceUnreadable { blob: checkpoint_blob(day), why: why.clone() }),
        };
        report.findings.extend(problem.map(Finding::without_user));
        if let Ok(checkpoint) = &stored.checkpoint {
            newest = Some(checkpoint.clone());
        }
        before = Some(stored);
    }
    Ok((newest, report))
}

/// The newest readable checkpoint.
pub(super) async fn newest_readable(blobs: &dyn BlobStore) -> Result<Option<Checkpoint>, StoreError> {
    for day in checkpoint::days(blobs).await?.into_iter().rev() {
        if let Some(StoredCheckpoint { checkpoint: Ok(checkpoint), .. }) = checkpoint::read(blobs, day).await? {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

fn broken_link(before: Option<&StoredCheckpoint>, checkpoint: &Checkpoint) -> Option<Problem> {
    let named_by = checkpoint_blob(checkpoint.day);
    let missing = |day| Some(Problem::CheckpointMissing { blob: checkpoint_blob(day), named_by: named_by.clone() });
    match (before, checkpoint.previous) {
        (None, None) => None,
        (None, Some(previous)) => missing(previous.day),
        (Some(before), Some(previous)) if previous.day > before.day => missing(previous.day),
        (Some(before), Some(previous)) if previous.day == before.day => (before.sha256 != previous.sha256)
            .then(|| Problem::CheckpointChanged { blob: checkpoint_blob(before.day), named_by: named_by.clone() }),
        (Some(before), _) => {
            Some(Problem::CheckpointUnchained { blob: checkpoint_blob(before.day), after: named_by.clone() })
        }
    }
}
