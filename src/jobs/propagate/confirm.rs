//! Step 8: reads the ETag once more and writes the head.
//!
//! What Graph showed counts as stable only if the ETag is still the one from before the fetch. It is settled only if
//! the bytes were requested a hold time after they were first seen: bytes fetched before, and confirmed after, can be
//! old ones.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{EchoSighting, EntryKind, Head};
use photorelay_core::heads;
use photorelay_core::id::Digest;

use super::context::Reconciliation;
use super::examine::Examined;
use super::journal::Step;
use super::outcome::ReconcileError;
use crate::graph::{BatchedAnswer, PhotoState};

/// How long the sweep keeps fetching a refused photo again.
const REFUSED_SETTLES_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What Graph showed in one round, and when it was asked.
pub(super) struct FetchedState<'a> {
    pub(super) media_etag: &'a str,
    pub(super) sha256: Option<Digest>,
    pub(super) asked_at: Timestamp,
    pub(super) echo: Option<EchoSighting>,
    /// How long the same has to be seen before it counts as settled.
    pub(super) settles_after: Duration,
}

/// The hold time, or longer for a photo that was refused before: the refused bytes may have been half of a photo, or a
/// proxy's page, in an answer that claimed to be complete.
pub(super) fn settles_after(hold: Duration, examined: &Examined, newest: Option<&Committed>) -> Duration {
    let is_refused = newest.is_some_and(|newest| newest.entry.kind == EntryKind::Refused);
    match examined {
        Examined::Known if is_refused => hold.max(REFUSED_SETTLES_AFTER),
        _ => hold,
    }
}

/// What Graph shows now: read together with others of the message if they come to this step at the same time.
async fn read_again(cx: &mut Reconciliation<'_>) -> Result<PhotoState, ReconcileError> {
    match cx.seats.state.read(cx.user).await {
        BatchedAnswer::Known(state) => Ok(state),
        BatchedAnswer::Failed(error) => Err(error.into()),
        BatchedAnswer::Unclear => Ok(cx.graph.photo_state(cx.user).await?),
    }
}

/// Whether the ETag still holds; the head is written then. `before` is the head as step 1 found it.
pub(super) async fn confirm(
    cx: &mut Reconciliation<'_>,
    before: Option<&Head>,
    seq: u32,
    fetched: FetchedState<'_>,
) -> Result<bool, ReconcileError> {
    let media_etag = fetched.media_etag;
    match read_again(cx).await? {
        PhotoState::Present { media_etag: after } if after == media_etag => {}
        _ => {
            cx.journal.note(Step::Confirm, || "Graph shows something else by now: starting again".to_owned());
            return Ok(false);
        }
    }
    let now = Timestamp::now();
    let same = before.filter(|head| {
        head.seq == seq && head.media_etag.as_deref() == Some(media_etag) && head.sha256 == fetched.sha256
    });
    let held = |since: Timestamp| Duration::try_from(fetched.asked_at.duration_since(since)).unwrap_or_default();
    let head = Head {
        media_etag: Some(media_etag.to_owned()),
        sha256: fetched.sha256,
        settled: same.is_some_and(|head| head.settled || held(head.since) >= fetched.settles_after),
        since: same.map_or(now, |head| head.since),
        fetched_at: Some(fetched.asked_at),
        echo: fetched.echo.or_else(|| before.and_then(|head| head.echo.clone())),
        ..Head::at(cx.user, seq, now)
    };
    heads::write(cx.blobs(), &head).await?;
    cx.journal.note(Step::Confirm, || {
        format!("ETag {media_etag} still holds; head written at entry {seq}, settled: {}", head.settled)
    });
    Ok(true)
}
