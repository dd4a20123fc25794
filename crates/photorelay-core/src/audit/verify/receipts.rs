//! Verifies a user's receipts: each agrees with its name and with its entry, none is missing from the row of an entry,
//! and those that the newest checkpoint recorded are there, unchanged.
//!
//! A receipt that was changed so that it still agrees with everything, such as `written` to `refused`, can be found only
//! once a checkpoint has recorded it, and only while it was the newest one in its target.

use super::evidence;
use super::finding::{Finding, Problem, checkpoint_blob};
use super::report::Report;
use super::walk::Traces;
use crate::audit::Committed;
use crate::audit::digest_metadata::contradicts;
use crate::contract::{AuditEntry, EntryKind, MAX_CONTRACT_BYTES, Outcome, Receipt};
use crate::id::Digest;
use crate::names::{Container, ReceiptName};
use crate::store::{BlobStore, StoreError};

pub(super) async fn verify(
    blobs: &dyn BlobStore,
    traces: &Traces,
    trail: &[Committed],
    report: &mut Report,
) -> Result<(), StoreError> {
    if let Some(newest) = traces.receipts.last()
        && evidence::is_cut(blobs, newest.seq, traces).await?
    {
        evidence::report_cut(newest.seq, traces, shown(newest), report);
    }
    // From the newest on: rewriting an entry means rewriting all later ones, or breaks the chain, and one finding says so.
    let mut is_rewritten = false;
    let is_broken = report.findings.iter().any(|finding| matches!(finding.problem, Problem::ChainBroken { .. }));
    for (at, name) in traces.receipts.iter().enumerate().rev() {
        let previous = ReceiptName { number: name.number - 1, ..name.clone() };
        let follows = at.checked_sub(1).is_some_and(|before| traces.receipts[before] == previous);
        if previous.number > 0 && !follows {
            let (receipt, evidence) = (shown(&previous), shown(name));
            report.find(traces.user, name.seq, Problem::ReceiptMissing { receipt, evidence });
        }
        let (container, blob) = (Container::Receipts, name.to_string());
        let found = evidence::read::<Receipt>(blobs, traces.user, container, &blob, report).await?;
        let Some((receipt, sha256)) = found else { continue };
        if traces.receipt_metadata.get(name).is_some_and(|metadata| contradicts(metadata, sha256, None)) {
            report.find(traces.user, name.seq, Problem::MetadataChanged { blob: shown(name) });
        }
        let says =
            ReceiptName { user: receipt.user_id, seq: receipt.seq, target: receipt.target.clone(), ..name.clone() };
        if says != *name {
            let why = format!("it names itself {says}");
            report.find(traces.user, name.seq, Problem::ReceiptContradicts { receipt: shown(name), why });
            continue;
        }
        let Some(found) = trail.iter().find(|committed| committed.entry.seq == name.seq) else { continue };
        if receipt.entry_sha256 != found.sha256 {
            let (receipt, saw, found) = (shown(name), receipt.entry_sha256, found.sha256);
            if !is_rewritten && (!is_broken || at + 1 == traces.receipts.len()) {
                report.find(traces.user, name.seq, Problem::NotWhatTheAgentSaw { receipt, saw, found });
            }
            is_rewritten = true;
        } else if let Some(why) = contradiction(&receipt, &found.entry) {
            report.find(traces.user, name.seq, Problem::ReceiptContradicts { receipt: shown(name), why });
        }
    }
    Ok(())
}

/// Why no agent can have left this receipt for this entry.
fn contradiction(receipt: &Receipt, entry: &AuditEntry) -> Option<String> {
    let shows_photo = matches!(entry.kind, EntryKind::Captured | EntryKind::Restored);
    match (receipt.outcome, receipt.after) {
        (Outcome::Written | Outcome::Unchanged, after) if shows_photo => {
            let is_of_entry = |after: Digest| entry.renditions.iter().any(|rendition| rendition.sha256 == after);
            (!after.is_some_and(is_of_entry))
                .then(|| "the target cannot have shown a value that is no rendition".to_owned())
        }
        (Outcome::Written, Some(_)) => Some("the entry has no photo that could have been written".to_owned()),
        (Outcome::Refused, _) if receipt.reason.is_none() => Some("it gives no reason".to_owned()),
        _ => None,
    }
}

/// The receipts that the newest checkpoint recorded must still exist, with the same bytes. Of an entry that is gone or
/// changed itself, that is said already.
pub(super) async fn verify_recorded(
    blobs: &dyn BlobStore,
    traces: &Traces,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some((end, day)) = &traces.known else { return Ok(()) };
    for recorded in &end.receipts {
        let is_cut = traces.entries.last().is_none_or(|last| *last < recorded.seq);
        // Metadata that was changed explains nothing about the bytes.
        let explains = |finding: &Finding| !matches!(finding.problem, Problem::MetadataChanged { .. });
        let mut explained = report.findings.iter().filter(|finding| explains(finding));
        if is_cut || explained.any(|finding| finding.seq == Some(recorded.seq)) {
            continue;
        }
        let name = ReceiptName {
            user: traces.user,
            seq: recorded.seq,
            target: recorded.target.clone(),
            number: recorded.number,
        };
        let (receipt, checkpoint) = (shown(&name), checkpoint_blob(*day));
        let problem = match blobs.get(Container::Receipts, &name.to_string(), MAX_CONTRACT_BYTES as u64).await {
            Ok(Some(bytes)) if Digest::of(&bytes) == recorded.sha256 => continue,
            Ok(None) => Problem::ReceiptMissing { receipt, evidence: checkpoint },
            Ok(Some(_)) | Err(StoreError::TooLarge { .. }) => Problem::ReceiptChanged { receipt, checkpoint },
            Err(error) => return Err(error),
        };
        report.find(traces.user, recorded.seq, problem);
    }
    Ok(())
}

fn shown(name: &ReceiptName) -> String {
    format!("{}/{name}", Container::Receipts)
}
