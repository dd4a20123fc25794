//! Step 1: where the trail ends, and what was left half done there.
//!
//! Entries that the head does not know were committed by a worker that died or was faster. Each is announced before
//! the head rolls forward to it, without an ETag: a head must never be ahead of an announcement.

use jiff::Timestamp;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{CaptureStatus, EntryKind, Head};
use photorelay_core::heads;

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::ReconcileError;
use crate::jobs::announce::announce;

/// The head, at the end of the trail.
pub(super) async fn read_trail(cx: &mut Reconciliation<'_>) -> Result<Option<Head>, ReconcileError> {
    let blobs = cx.blobs();
    let mut head = heads::read(blobs, cx.user).await?;
    if head.is_none() {
        // A head that was lost is rebuilt from the newest entry; earlier ones are covered by it.
        let Some(newest) = audit::sequence_numbers(blobs, cx.user).await?.last().copied() else {
            cx.journal.note(Step::ReadTrail, || "no head and no audit entry: this is the first check".to_owned());
            return Ok(None);
        };
        head = Some(Head::at(cx.user, newest - 1, Timestamp::now()));
    }
    while let Some(known) = &head {
        let Some(next) = audit::read(blobs, cx.user, known.seq + 1).await? else { break };
        let seq = next.entry.seq;
        let targets = announce(cx.queues(), &cx.settings.targets, &next).await?;
        cx.journal.note(Step::ReadTrail, || format!("entry {seq} was left half done: announced to {targets:?} again"));
        let rolled = Head {
            sha256: next.entry.seen.sha256,
            capture_status: capture_status_after(next.entry.kind),
            ..Head::at(cx.user, seq, Timestamp::now())
        };
        heads::write(blobs, &rolled).await?;
        head = Some(rolled);
    }
    if let Some(head) = &head {
        cx.journal.note(Step::ReadTrail, || {
            let settled = if head.settled { "settled" } else { "not settled" };
            let etag = head.media_etag.as_deref().unwrap_or("not known");
            format!("head at entry {}, {settled}, ETag {etag}", head.seq)
        });
    }
    Ok(head)
}

/// The entry that the next one has to be chained to.
pub(super) async fn newest_entry(cx: &Reconciliation<'_>, seq: u32) -> Result<Option<Committed>, ReconcileError> {
    if seq == 0 {
        return Ok(None);
    }
    let newest = audit::read(cx.blobs(), cx.user, seq).await?;
    newest.map(Some).ok_or(ReconcileError::TrailCut { seq })
}

fn capture_status_after(kind: EntryKind) -> CaptureStatus {
    match kind {
        EntryKind::Forgotten => CaptureStatus::Forgotten,
        EntryKind::Captured | EntryKind::Removed | EntryKind::Restored | EntryKind::Refused => CaptureStatus::Active,
    }
}
