//! A photo that is not found: nothing is removed on one answer.
//!
//! Not-found counts only if targets are supposed to show a photo and the user exists. Then a second check follows
//! after the hold time; only if that one finds nothing either, the trail has not moved and no worker saw the photo in
//! between, an entry of kind `removed` is committed. Anything that does not fit starts the hold time anew.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{self, Absence, CheckMessage, EntryKind, FetchPolicy, Head};
use photorelay_core::heads;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::Outgoing;

use super::context::Reconciliation;
use super::journal::Step;
use super::membership::{self, Membership};
use super::outcome::{ReconcileError, ReconcileOutcome, Round};
use super::{announce, commit, read_trail};
use crate::graph::{GraphUser, PhotoState};

pub(super) async fn photo_absent(
    cx: &mut Reconciliation<'_>,
    head: Option<&Head>,
    shape: &str,
) -> Result<Round, ReconcileError> {
    let seq = head.map_or(0, |head| head.seq);
    let newest = read_trail::newest_entry(cx, seq).await?;
    let Some(newest) = newest.filter(|_| head.is_some()) else {
        cx.journal.note(Step::CompareEtag, || format!("no photo ({shape}), and there was none before"));
        return Ok(Round::Done(ReconcileOutcome::NoPhoto));
    };
    if !expects_photo(cx, &newest).await? {
        cx.journal.note(Step::CompareEtag, || format!("no photo ({shape}), as the trail says"));
        return Ok(Round::Done(ReconcileOutcome::NoPhoto));
    }
    let user = match membership::of_user(cx).await? {
        Membership::InScope(user) => user,
        Membership::Outside(outcome) => return Ok(Round::Done(outcome)),
    };
    let now = Timestamp::now();
    let hold = cx.settings.hold;
    let absent_since = head.and_then(|head| head.absent_since);
    if let Some(first_seen_at) = second_check_of(cx.message, seq, absent_since) {
        let waited = Duration::try_from(now.duration_since(first_seen_at)).unwrap_or_default();
        if waited >= hold {
            // A batch can be wrong about one user; a removal needs an answer about that user alone.
            if let PhotoState::Present { .. } = cx.graph.photo_state(cx.user).await? {
                return Ok(Round::Again);
            }
            return commit_removal(cx, &newest, &user, now).await;
        }
        // Clocks differ: the message came early and has to come again.
        send_second_check(cx, seq, first_seen_at, hold - waited).await?;
    } else if absent_since.is_none_or(|since| now.duration_since(since).unsigned_abs() >= hold * 2) {
        // This is the first answer without a photo, or the second check that was due is lost.
        let absent = Head { absent_since: Some(now), ..Head::at(cx.user, seq, now) };
        heads::write(cx.blobs(), &absent).await?;
        // The write may have overwritten the head of a worker that saw the photo.
        if let PhotoState::Present { .. } = cx.graph.photo_state(cx.user).await? {
            return Ok(Round::Again);
        }
        send_second_check(cx, seq, now, hold).await?;
        tracing::warn!(user.id = %cx.user, "photo not found; it counts only if a second check finds none either");
    }
    cx.journal.note(Step::CompareEtag, || format!("photo not found ({shape}): a second check follows after {hold:?}"));
    Ok(Round::Done(ReconcileOutcome::Missing))
}

/// Steps 6 and 7 for a removal. There is no ETag to confirm.
async fn commit_removal(
    cx: &mut Reconciliation<'_>,
    newest: &Committed,
    user: &GraphUser,
    now: Timestamp,
) -> Result<Round, ReconcileError> {
    let entry = commit::removal(cx, newest, user);
    let Some(committed) = commit::commit(cx, entry).await? else { return Ok(Round::Again) };
    announce::announce(cx, &committed).await?;
    let seq = committed.entry.seq;
    heads::write(cx.blobs(), &Head::at(cx.user, seq, now)).await?;
    Ok(Round::Done(ReconcileOutcome::Removed { seq }))
}

/// Whether targets are supposed to show a photo that Graph showed: the newest entry that is not refused has one.
async fn expects_photo(cx: &Reconciliation<'_>, newest: &Committed) -> Result<bool, ReconcileError> {
    if newest.entry.kind != EntryKind::Refused {
        return Ok(newest.entry.expects_photo());
    }
    let earlier: Vec<u32> = (1..newest.entry.seq).collect();
    let shown = audit::newest_not_refused(cx.blobs(), cx.user, &earlier).await?;
    Ok(shown.is_some_and(|shown| shown.entry.expects_photo()))
}

/// When the photo was first not found, if this message is the second check of just that.
fn second_check_of(message: &CheckMessage, seq: u32, absent_since: Option<Timestamp>) -> Option<Timestamp> {
    let absence = message.absence.as_ref()?;
    (absence.seq == seq && absent_since == Some(absence.first_seen_at)).then_some(absence.first_seen_at)
}

async fn send_second_check(
    cx: &Reconciliation<'_>,
    seq: u32,
    first_seen_at: Timestamp,
    delay: Duration,
) -> Result<(), ReconcileError> {
    let check = CheckMessage {
        users: vec![cx.user],
        fetch_policy: FetchPolicy::IfChanged,
        attempt: 0,
        absence: Some(Absence { seq, first_seen_at }),
        ..cx.message.clone()
    };
    let message = Outgoing::after(delay, contract::to_bytes(&check));
    Ok(cx.queues().send(CHECKS_QUEUE, vec![message]).await?)
}
