//! Appends an operator's entry to a user's trail, whatever other writers commit at the same time.

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use photorelay_core::audit::{self, Committed, NewEntry};
use photorelay_core::contract::{AuditEntry, CaptureStatus, Cause, CauseKind, EntryKind, Head, Identity, Seen};
use photorelay_core::heads;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::store::BlobStore;
use photorelay_core::telemetry::metrics;
use photorelay_core::trace::TraceContext;

/// Other writers commit for one user a few times a day.
const MAX_ROUNDS: u32 = 8;

/// The newest entry of the trail.
pub(super) async fn newest(blobs: &dyn BlobStore, user: UserId) -> Result<Option<Committed>> {
    match audit::sequence_numbers(blobs, user).await?.last() {
        Some(seq) => Ok(audit::read(blobs, user, *seq).await?),
        None => Ok(None),
    }
}

/// Commits an entry of this kind with what `complete` adds to it, given the newest entry. Asked again for every entry
/// that another writer commits first. `tenant_id` is for a user without an entry: any other entry has that of the trail.
pub(super) async fn append(
    blobs: &dyn BlobStore,
    tenant_id: Option<TenantId>,
    user_id: UserId,
    kind: EntryKind,
    signature: &OperatorSignature,
    complete: impl AsyncFn(AuditEntry, Option<&Committed>) -> Result<AuditEntry>,
) -> Result<Committed> {
    let trace = TraceContext::start();
    let cause = Cause::now(CauseKind::Operator, trace.trace_id());
    let begun_at = Timestamp::now();
    for _ in 0..MAX_ROUNDS {
        let newest = newest(blobs, user_id).await?;
        let (tenant_id, seen, identity) = match newest.as_ref().map(|newest| &newest.entry) {
            Some(entry) => (entry.tenant_id, entry.seen.clone(), entry.identity.clone()),
            None => {
                let tenant_id = tenant_id
                    .with_context(|| format!("{user_id} has no entry that names the tenant: set PHOTORELAY_TENANT_ID"));
                (tenant_id?, Seen { sha256: None, media_etag: None }, Identity::default())
            }
        };
        let cause = cause.clone();
        let next = NewEntry { tenant_id, user_id, kind, cause, begun_at, seen, identity, trace };
        let next = next.following(newest.as_ref());
        let signed = AuditEntry { by: Some(signature.by()), reason: signature.reason(), ..next };
        let entry = complete(signed, newest.as_ref()).await?;
        if let Some(committed) = audit::commit(blobs, entry).await? {
            metrics::committed(committed.entry.kind, CauseKind::Operator);
            roll_head(blobs, &committed).await?;
            return Ok(committed);
        }
    }
    bail!("another writer added to the trail of {user_id} {MAX_ROUNDS} times in a row; try again")
}

/// Keeps what Graph showed, so that the next check is cheap and changes nothing. A head that is behind is left to that
/// check.
async fn roll_head(blobs: &dyn BlobStore, committed: &Committed) -> Result<()> {
    let entry = &committed.entry;
    let head = match heads::read(blobs, entry.user_id).await? {
        Some(head) if head.seq + 1 == entry.seq => Head { seq: entry.seq, absent_since: None, ..head },
        None if entry.seq == 1 => Head::at(entry.user_id, 1, entry.observed_at),
        _ => return Ok(()),
    };
    let capture_status =
        if entry.kind == EntryKind::Forgotten { CaptureStatus::Forgotten } else { head.capture_status };
    Ok(heads::write(blobs, &Head { capture_status, ..head }).await?)
}
