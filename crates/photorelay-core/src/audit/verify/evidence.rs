//! What other blobs say about a trail: a head, a receipt or a checkpoint that names an entry.

use super::finding::{Finding, Problem};
use super::report::Report;
use super::walk::Traces;
use crate::audit::{self, AuditError};
use crate::contract::Contract;
use crate::documents::{self, Document};
use crate::id::{Digest, UserId};
use crate::names::Container;
use crate::store::{BlobStore, StoreError};

/// Whether the trail ends before this entry. Reads the entry again, because it may have been committed after the listing
/// was made.
pub(super) async fn is_cut(blobs: &dyn BlobStore, seq: u32, traces: &Traces) -> Result<bool, StoreError> {
    if seq <= traces.entries.last().copied().unwrap_or(0) {
        return Ok(false);
    }
    match audit::read(blobs, traces.user, seq).await {
        Ok(found) => Ok(found.is_none()),
        Err(AuditError::Store(StoreError::TooLarge { .. })) => Ok(false),
        Err(AuditError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

pub(super) fn report_cut(seq: u32, traces: &Traces, evidence: String, report: &mut Report) {
    match traces.entries.last() {
        Some(end) => report.find(traces.user, seq, Problem::TailCut { trail_ends_at: *end, evidence }),
        None => {
            // One piece of evidence is enough to report a missing user.
            let is_missing = |f: &Finding| matches!(f.problem, Problem::PersonMissing { .. });
            if !report.findings.iter().any(is_missing) {
                report.find(traces.user, None, Problem::PersonMissing { evidence });
            }
        }
    }
}

/// Reads a head or a receipt, and takes its digest. One that cannot be read is a finding; one that no longer exists is not.
pub(super) async fn read<C: Contract>(
    blobs: &dyn BlobStore,
    user: UserId,
    container: Container,
    name: &str,
    report: &mut Report,
) -> Result<Option<(C, Digest)>, StoreError> {
    Ok(match documents::inspect_with_digest(blobs, container, name).await? {
        Document::Absent => None,
        Document::Valid(document) => Some(document),
        Document::Unreadable(why) => {
            report.find(user, None, Problem::EvidenceUnreadable { blob: format!("{container}/{name}"), why });
            None
        }
    })
}
