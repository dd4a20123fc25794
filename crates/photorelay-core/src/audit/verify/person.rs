//! Verifies one user: the chain of entries, the photos that they name, and the evidence in the head, the receipts and the
//! newest checkpoint.

use super::evidence::{self, is_cut, report_cut};
use super::finding::{Problem, checkpoint_blob};
use super::report::Report;
use super::walk::Traces;
use super::{photos, receipts};
use crate::audit::digest_metadata::contradicts;
use crate::audit::{self, AuditError, Committed};
use crate::contract::Head;
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError};

pub(super) async fn verify(blobs: &dyn BlobStore, traces: Traces) -> Result<Report, StoreError> {
    let mut report = Report {
        people: u64::from(!traces.entries.is_empty()),
        entries: traces.entries.len() as u64,
        ..Report::default()
    };
    for name in &traces.foreign {
        report.find(traces.user, None, Problem::ForeignBlob { blob: format!("{}/{name}", Container::Audit) });
    }
    let trail = chain(blobs, traces.user, &traces.entries, &mut report).await?;
    metadata(&traces, &trail, &mut report);
    photos::verify(blobs, &traces, &trail, &mut report).await?;
    receipts::verify(blobs, &traces, &trail, &mut report).await?;
    checkpoint(blobs, &traces, &trail, &mut report).await?;
    receipts::verify_recorded(blobs, &traces, &mut report).await?;
    if traces.has_head {
        head(blobs, &traces, &mut report).await?;
    }
    Ok(report)
}

/// Reads every entry. Only the first break in the chain is reported: later ones follow from it or cannot be
/// distinguished from its consequences.
async fn chain(
    blobs: &dyn BlobStore,
    user: UserId,
    sequence: &[u32],
    report: &mut Report,
) -> Result<Vec<Committed>, StoreError> {
    let mut trail: Vec<Committed> = Vec::with_capacity(sequence.len());
    let mut expected = (1, Digest::ZERO);
    let mut whole = true;
    for seq in sequence.iter().copied() {
        if whole && seq != expected.0 {
            report.find(user, expected.0, Problem::EntryMissing);
            whole = false;
        }
        let problem = match audit::read(blobs, user, seq).await {
            Ok(Some(committed)) => {
                let names = committed.entry.previous;
                let broken = whole && names != expected.1;
                let problem = broken.then_some(Problem::ChainBroken { names, found: expected.1 });
                expected = (seq + 1, committed.sha256);
                trail.push(committed);
                problem
            }
            // Listed a moment ago, and deleted since.
            Ok(None) => Some(Problem::EntryMissing),
            Err(AuditError::Store(StoreError::TooLarge { bytes, limit, .. })) => {
                Some(Problem::EntryUnreadable { why: format!("its {bytes} bytes exceed the limit of {limit}") })
            }
            Err(AuditError::Store(error)) => return Err(error),
            Err(AuditError::Unreadable { source, .. }) => Some(Problem::EntryUnreadable { why: source.to_string() }),
            Err(AuditError::Misplaced { says_user, says_seq, .. }) => Some(Problem::EntryUnreadable {
                why: format!("it names itself {}", names::audit_entry(says_user, says_seq)),
            }),
        };
        if let Some(problem) = problem {
            if whole {
                report.find(user, seq, problem);
            }
            whole = false;
        }
    }
    Ok(trail)
}

/// The metadata of an entry, where there is any, says what its bytes say: the next checkpoint would record it.
fn metadata(traces: &Traces, trail: &[Committed], report: &mut Report) {
    for Committed { entry, sha256 } in trail {
        let listed = traces.entry_metadata.get(&entry.seq);
        if listed.is_some_and(|metadata| contradicts(metadata, *sha256, Some(entry.cause.kind))) {
            let blob = format!("{}/{}", Container::Audit, names::audit_entry(traces.user, entry.seq));
            report.find(traces.user, entry.seq, Problem::MetadataChanged { blob });
        }
    }
}

/// The entry that the newest checkpoint names must still exist, with the same bytes.
async fn checkpoint(
    blobs: &dyn BlobStore,
    traces: &Traces,
    trail: &[Committed],
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some((end, day)) = &traces.known else { return Ok(()) };
    let checkpoint = checkpoint_blob(*day);
    if is_cut(blobs, end.seq, traces).await? {
        report_cut(end.seq, traces, checkpoint, report);
        return Ok(());
    }
    match trail.iter().find(|committed| committed.entry.seq == end.seq) {
        Some(found) if found.sha256 != end.sha256 => {
            let (saw, found) = (end.sha256, found.sha256);
            report.find(traces.user, end.seq, Problem::NotWhatTheCheckpointSaw { checkpoint, saw, found });
        }
        _ => {}
    }
    Ok(())
}

async fn head(blobs: &dyn BlobStore, traces: &Traces, report: &mut Report) -> Result<(), StoreError> {
    let name = names::head(traces.user);
    let Some((head, _)) = evidence::read::<Head>(blobs, traces.user, Container::State, &name, report).await? else {
        return Ok(());
    };
    if is_cut(blobs, head.seq, traces).await? {
        report_cut(head.seq, traces, format!("{}/{name}", Container::State), report);
    }
    Ok(())
}
