//! Adds an operator's entry to a person's trail, however many others write there at the same time.

use anyhow::{Result, bail};
use jiff::Timestamp;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{AuditEntry, CaptureStatus, Cause, CauseKind, EntryKind, Head, Identity, Seen, V1};
use photorelay_core::heads;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::store::BlobStore;
use photorelay_core::telemetry::metrics;
use photorelay_core::trace::TraceContext;

/// Others commit for one person a few times a day.
const MAX_ROUNDS: u32 = 8;

/// The newest entry of the trail.
pub(super) async fn newest(blobs: &dyn BlobStore, user: UserId) -> Result<Option<Committed>> {
    match audit::sequence_numbers(blobs, user).await?.last() {
        Some(seq) => Ok(audit::read(blobs, user, *seq).await?),
        None => Ok(None),
    }
}

/// Commits what `decide` makes of a blank entry and the newest one. It is asked again whenever somebody was faster.
pub(super) async fn append(
    blobs: &dyn BlobStore,
    tenant: TenantId,
    user: UserId,
    decide: impl AsyncFn(AuditEntry, Option<&Committed>) -> Result<AuditEntry>,
) -> Result<Committed> {
    let trace = TraceContext::start();
    for _ in 0..MAX_ROUNDS {
        let newest = newest(blobs, user).await?;
        let (seq, previous) = Committed::next(newest.as_ref());
        let (seen, identity) = match &newest {
            Some(newest) => (newest.entry.seen.clone(), newest.entry.identity.clone()),
            None => (Seen { sha256: None, media_etag: None }, Identity::default()),
        };
        let blank = AuditEntry {
            v: V1,
            seq,
            previous,
            tenant_id: tenant,
            user_id: user,
            kind: EntryKind::Refused,
            cause: Cause { kind: CauseKind::Operator, id: trace.trace_id() },
            observed_at: Timestamp::now(),
            seen,
            photo: None,
            renditions: Vec::new(),
            identity,
            reason: None,
            traceparent: Some(trace.to_string()),
        };
        let entry = decide(blank, newest.as_ref()).await?;
        if let Some(committed) = audit::commit(blobs, entry).await? {
            metrics::committed(committed.entry.kind, CauseKind::Operator);
            roll_head(blobs, &committed).await?;
            return Ok(committed);
        }
    }
    bail!("somebody else wrote to the trail of {user} every time; try again")
}

/// What Graph showed stays known, so that the next look is a cheap one that changes nothing. A head that is behind is
/// left to that look.
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
