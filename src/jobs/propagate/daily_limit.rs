//! More captures within a day than the settings allow are put off: that is probably a loop.
//!
//! Nothing is lost: the head stays without an ETag, and one check comes back when the day is over.

use jiff::{SignedDuration, Timestamp};
use photorelay_core::audit;
use photorelay_core::contract::{self, CaptureStatus, CheckMessage, Head};
use photorelay_core::heads;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::Outgoing;

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::{ReconcileError, ReconcileOutcome, Round};

/// When the user may be captured again, if there were as many captures as a day allows.
pub(super) async fn reached(cx: &Reconciliation<'_>, seq: u32) -> Result<Option<Timestamp>, ReconcileError> {
    let limit = cx.settings.captures_per_day;
    let Some(oldest) = (seq + 1).checked_sub(limit).filter(|oldest| *oldest > 0) else { return Ok(None) };
    let Some(oldest) = audit::read(cx.blobs(), cx.user, oldest).await? else { return Ok(None) };
    let now = Timestamp::now();
    // A clock that was ahead must not keep the user waiting longer than a day.
    let until = oldest.entry.observed_at.min(now) + SignedDuration::from_hours(24);
    Ok((until > now).then_some(until))
}

/// Sends the check that comes back, unless one is on its way.
pub(super) async fn park(
    cx: &mut Reconciliation<'_>,
    head: Option<&Head>,
    seq: u32,
    until: Timestamp,
) -> Result<Round, ReconcileError> {
    let now = Timestamp::now();
    let is_parked =
        head.is_some_and(|head| matches!(head.capture_status, CaptureStatus::Parked { until } if until > now));
    cx.journal.note(Step::CompareContent, || format!("too many changes within a day: checked again at {until}"));
    if !is_parked {
        let parked = Head { capture_status: CaptureStatus::Parked { until }, ..Head::at(cx.user, seq, now) };
        heads::write(cx.blobs(), &parked).await?;
        let check = CheckMessage { users: vec![cx.user], attempt: 0, ..cx.message.clone() };
        let message = Outgoing::after(until.duration_since(now).unsigned_abs(), contract::to_bytes(&check));
        cx.queues().send(CHECKS_QUEUE, vec![message]).await?;
        tracing::warn!(
            user.id = %cx.user,
            limit = cx.settings.captures_per_day,
            %until,
            "too many photo changes within a day, possibly a loop; checked again later"
        );
    }
    Ok(Round::Done(ReconcileOutcome::Parked { until }))
}
