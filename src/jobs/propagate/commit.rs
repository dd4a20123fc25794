//! Step 6: creates audit entry `n+1`, the only point of decision. It owns the failure "two workers for one user": the
//! one that comes second commits nothing and starts again.

use photorelay_core::audit::{self, Committed, NewEntry};
use photorelay_core::contract::{AuditEntry, EntryKind, PhotoFacts, RenditionFacts, Seen};
use photorelay_core::photo::Rendition;
use photorelay_core::telemetry::metrics;

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::ReconcileError;
use super::photo::NewPhoto;
use crate::graph::GraphUser;

/// The entry that records a new photo.
pub(super) fn entry(
    cx: &Reconciliation<'_>,
    newest: Option<&Committed>,
    seen: Seen,
    photo: &NewPhoto,
    user: &GraphUser,
) -> AuditEntry {
    let decoded = match photo {
        NewPhoto::Refused { reason } => {
            let refused = next_entry(cx, EntryKind::Refused, seen, user).following(newest);
            return AuditEntry { reason: Some(reason.clone()), ..refused };
        }
        NewPhoto::Decoded(decoded) => decoded,
    };
    AuditEntry {
        photo: Some(PhotoFacts {
            sha256: decoded.sha256,
            bytes: decoded.bytes.len() as u64,
            content_type: decoded.content_type.to_owned(),
            width: decoded.width,
            height: decoded.height,
            fingerprint: None,
        }),
        renditions: decoded.renditions.iter().map(facts).collect(),
        ..next_entry(cx, EntryKind::Captured, seen, user).following(newest)
    }
}

/// The entry that records that the photo is gone.
pub(super) fn removal(cx: &Reconciliation<'_>, newest: &Committed, user: &GraphUser) -> AuditEntry {
    let seen = Seen { sha256: None, media_etag: None };
    next_entry(cx, EntryKind::Removed, seen, user).following(Some(newest))
}

/// None if the number is taken: what is known of the trail is out of date.
pub(super) async fn commit(
    cx: &mut Reconciliation<'_>,
    entry: AuditEntry,
) -> Result<Option<Committed>, ReconcileError> {
    let seq = entry.seq;
    let Some(committed) = audit::commit(cx.blobs(), entry).await? else {
        cx.journal.note(Step::Commit, || format!("entry {seq} exists already: starting again"));
        return Ok(None);
    };
    cx.journal.note(Step::Commit, || format!("committed as entry {seq}"));
    metrics::committed(committed.entry.kind, committed.entry.cause.kind);
    tracing::info!(
        user.id = %cx.user,
        seq,
        kind = ?committed.entry.kind,
        cause = ?committed.entry.cause.kind,
        reason = committed.entry.reason,
        photo.sha256 = committed.entry.photo.as_ref().map(|photo| tracing::field::display(photo.sha256)),
        trace = %cx.trace,
        "committed"
    );
    Ok(Some(committed))
}

fn next_entry(cx: &Reconciliation<'_>, kind: EntryKind, seen: Seen, user: &GraphUser) -> NewEntry {
    NewEntry {
        tenant_id: cx.settings.tenant,
        user_id: cx.user,
        kind,
        cause: cx.message.cause.clone(),
        begun_at: cx.begun_at,
        seen,
        identity: user.identity(),
        trace: cx.trace,
    }
}

fn facts(rendition: &Rendition) -> RenditionFacts {
    RenditionFacts {
        name: rendition.name.clone(),
        sha256: rendition.sha256,
        bytes: rendition.bytes.len() as u64,
        width: rendition.width,
        height: rendition.height,
    }
}
