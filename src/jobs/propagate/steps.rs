//! One reconciliation of one user: the eight steps, in their order.
//!
//! 1. `read_trail`: read the head and whether the trail goes further; if it does, announce that entry and roll the
//!    head forward
//! 2. `compare`: an ETag equal to the head's ends the reconciliation
//! 3. `fetch` the photo and take its digest
//! 4. `examine` it: content that is known, or an echo, goes straight to 8
//! 5. `store` photo and renditions, create-once
//! 6. `commit`: create audit entry `n+1`, the only point of decision; if it is taken, start again with a new read of
//!    Graph
//! 7. `announce` the entry
//! 8. `confirm`: read the ETag once more; unchanged: write the head, otherwise start again
//!
//! A round must never reuse what an earlier one read from Graph, and never writes to a target. This file owns the
//! failures "the process died between two steps" and "another worker was faster".

use jiff::Timestamp;
use photorelay_core::contract::{CaptureStatus, Head};

use super::context::Reconciliation;
use super::examine::Examined;
use super::fetch::Fetched;
use super::membership::Membership;
use super::outcome::{ReconcileError, ReconcileOutcome, Round};
use super::{absence, announce, commit, compare, confirm, daily_limit, examine, fetch, membership, read_trail, store};
use crate::graph::PhotoState;

/// How often a reconciliation starts again before the user goes back to the queue.
const MAX_ROUNDS: u32 = 8;

/// Reconciles until nothing is left to do. `state` is what Graph said last; every further round asks anew.
pub(super) async fn reconcile(
    cx: &mut Reconciliation<'_>,
    mut state: PhotoState,
) -> Result<ReconcileOutcome, ReconcileError> {
    for _ in 0..MAX_ROUNDS {
        match round(cx, &state).await? {
            Round::Done(outcome) => return Ok(outcome),
            Round::Again => state = cx.graph.photo_state(cx.user).await?,
        }
    }
    Err(ReconcileError::Unstable(MAX_ROUNDS))
}

/// Steps 1 and 2, and on to the rest if Graph shows a photo that may be new.
async fn round(cx: &mut Reconciliation<'_>, state: &PhotoState) -> Result<Round, ReconcileError> {
    let head = read_trail::read_trail(cx).await?;
    if head.as_ref().is_some_and(|head| head.capture_status == CaptureStatus::Forgotten) {
        return Ok(Round::Done(ReconcileOutcome::Forgotten));
    }
    match state {
        PhotoState::NoSuchUser => Ok(Round::Done(ReconcileOutcome::NoSuchUser)),
        PhotoState::Absent { shape } => absence::photo_absent(cx, head.as_ref(), shape).await,
        PhotoState::Present { media_etag } if compare::is_unchanged(cx, head.as_ref(), media_etag) => {
            Ok(Round::Done(ReconcileOutcome::Nothing))
        }
        PhotoState::Present { media_etag } => photo_present(cx, head.as_ref(), media_etag).await,
    }
}

/// Steps 3 to 8.
async fn photo_present(
    cx: &mut Reconciliation<'_>,
    head: Option<&Head>,
    media_etag: &str,
) -> Result<Round, ReconcileError> {
    let seq = head.map_or(0, |head| head.seq);
    let user = match membership::of_user_with_photo(cx, head, media_etag).await? {
        Membership::InScope(user) => user,
        Membership::Outside(outcome) => return Ok(Round::Done(outcome)),
    };
    let place = cx.room.enter().await;
    // Bytes can be as old as this request; the hold time counts from here.
    let asked_at = Timestamp::now();
    let content = match fetch::fetch(cx).await? {
        Fetched::Content(content) => content,
        Fetched::Absent { shape } => return absence::photo_absent(cx, head, &shape).await,
        Fetched::NoSuchUser => return Ok(Round::Done(ReconcileOutcome::NoSuchUser)),
    };
    let newest = read_trail::newest_entry(cx, seq).await?;
    let examined = examine::examine(cx, &content, newest.as_ref(), media_etag).await?;
    let (at_seq, outcome) = match &examined {
        Examined::Known => (seq, ReconcileOutcome::Nothing),
        Examined::Echo { of_seq, .. } => (seq, ReconcileOutcome::Echo { of_seq: *of_seq }),
        Examined::Lost(photo) => {
            store::store(cx, photo).await?;
            (seq, ReconcileOutcome::Nothing)
        }
        Examined::New(photo) => {
            if let Some(until) = daily_limit::reached(cx, seq).await? {
                return daily_limit::park(cx, head, seq, until).await;
            }
            store::store(cx, photo).await?;
            let entry = commit::entry(cx, newest.as_ref(), content.seen(media_etag), photo, &user);
            let Some(committed) = commit::commit(cx, entry).await? else { return Ok(Round::Again) };
            announce::announce(cx, &committed).await?;
            (committed.entry.seq, ReconcileOutcome::of_entry(&committed.entry))
        }
    };
    let fetched = confirm::FetchedState {
        media_etag,
        sha256: content.sha256(),
        asked_at,
        echo: examined.echo_seen_at(asked_at),
        settles_after: confirm::settles_after(cx.settings.hold, &examined, newest.as_ref()),
    };
    // A user who waits to be confirmed holds no photo.
    drop((content, examined, place));
    match confirm::confirm(cx, head, at_seq, fetched).await? {
        true => Ok(Round::Done(outcome)),
        false => Ok(Round::Again),
    }
}
