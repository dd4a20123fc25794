//! Between steps 2 and 3: whether the user's photos are carried at all, which takes the user's properties and groups.
//!
//! Nothing is fetched for a user outside the scope; the head records the reason.

use jiff::Timestamp;
use photorelay_core::contract::{CaptureStatus, Head};
use photorelay_core::heads;

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::{ReconcileError, ReconcileOutcome};
use crate::graph::GraphUser;

pub(super) enum Membership {
    InScope(GraphUser),
    Outside(ReconcileOutcome),
}

/// Looks the user up and records in the head that they are out of scope, if they are.
pub(super) async fn of_user_with_photo(
    cx: &mut Reconciliation<'_>,
    head: Option<&Head>,
    media_etag: &str,
) -> Result<Membership, ReconcileError> {
    let reason = match of_user(cx).await? {
        Membership::Outside(ReconcileOutcome::OutOfScope { reason }) => reason,
        other => return Ok(other),
    };
    cx.journal.note(Step::CompareEtag, || format!("out of scope: {reason}"));
    let outside = Head {
        media_etag: Some(media_etag.to_owned()),
        capture_status: CaptureStatus::OutOfScope { reason: reason.clone() },
        ..Head::at(cx.user, head.map_or(0, |head| head.seq), Timestamp::now())
    };
    let is_recorded =
        head.is_some_and(|head| head.media_etag == outside.media_etag && head.capture_status == outside.capture_status);
    if !is_recorded {
        heads::write(cx.blobs(), &outside).await?;
    }
    Ok(Membership::Outside(ReconcileOutcome::OutOfScope { reason }))
}

/// Looks the user up, without recording anything.
pub(super) async fn of_user(cx: &Reconciliation<'_>) -> Result<Membership, ReconcileError> {
    let Some(user) = cx.batch.get(cx.graph, cx.user).await? else {
        return Ok(Membership::Outside(ReconcileOutcome::NoSuchUser));
    };
    Ok(match exclusion(cx, &user).await? {
        None => Membership::InScope(user),
        Some(reason) => Membership::Outside(ReconcileOutcome::OutOfScope { reason: reason.to_owned() }),
    })
}

/// Why the user's photos are not carried, if they are not.
async fn exclusion(cx: &Reconciliation<'_>, user: &GraphUser) -> Result<Option<&'static str>, ReconcileError> {
    let scope = &cx.settings.scope;
    if let Some(reason) = scope.exclusion(user) {
        return Ok(Some(reason));
    }
    let is_admitted = match scope.admits(cx.user) {
        Some(is_admitted) => is_admitted,
        None => cx.batch.is_in_groups(cx.graph, &scope.groups, cx.user).await?,
    };
    Ok((!is_admitted).then(|| scope.outside_groups()))
}
