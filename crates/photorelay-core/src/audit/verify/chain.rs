//! Verifies the chain of the daily checkpoints: each names the one before it with its digest.
//!
//! Only the newest one's pages are read: it carries on what all earlier ones have known. A newest checkpoint that was
//! deleted, or forged with all of its right, can be told only by the digest that was logged when it was taken.

use super::finding::{Finding, Problem, checkpoint_blob};
use super::report::Report;
use crate::audit::checkpoint::{self, StoredCheckpoint};
use crate::contract::Checkpoint;
use crate::store::{BlobStore, StoreError};

/// The newest checkpoint that can be read, and what is wrong with any of them.
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
        report.findings.extend(problem.map(Finding::of_nobody));
        if let Ok(checkpoint) = &stored.checkpoint {
            newest = Some(checkpoint.clone());
        }
        before = Some(stored);
    }
    Ok((newest, report))
}

/// The newest checkpoint that can be read.
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
