//! What follows from a check that failed: when the user is checked again, and whether a message waits for that.
//!
//! A user for whom Graph fails is checked ever more seldom, first by messages and then by the sweep, and has one waiting
//! check at most. It owns the failure "Graph fails for this user, for days".

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::{UnreadableUser, V1};
use photorelay_core::id::UserId;
use photorelay_core::retry;
use photorelay_core::store::{BlobStore, StoreError};

use super::outcome::ReconcileError;
use crate::jobs::unreadable;

/// Between the attempts, unless the server asked for a longer delay.
const FIRST_DELAY: Duration = Duration::from_secs(2);
/// Until the second check of what no retry cures.
const FIRST_LONG_DELAY: Duration = Duration::from_secs(3600);
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 3600);
/// A check that is due later than this is left to the sweep.
const LONGEST_IN_QUEUE: Duration = Duration::from_secs(30 * 60);

/// What becomes of a user whose check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextCheck {
    /// By a message after this delay.
    Queued { delay: Duration },
    /// Another check waits already, or the sweep sends one when it is due.
    NotQueued,
    /// An operator has to find out why.
    DeadLettered,
}

/// The delay after a failure that says nothing about a single user.
pub(super) fn common_delay(error: &ReconcileError, attempt: u32) -> Duration {
    retry::backoff(FIRST_DELAY, LONGEST_IN_QUEUE, attempt).max(error.retry_after().unwrap_or_default())
}

/// Records the failure of a user's check, and decides on the next one. `attempt` is that of the message.
pub(super) async fn next_check(
    blobs: &dyn BlobStore,
    user: UserId,
    attempt: u32,
    error: &ReconcileError,
    now: Timestamp,
) -> Result<NextCheck, StoreError> {
    if !error.is_about_the_user() {
        tracing::warn!(user.id = %user, %error, attempt, "goes back to the queue");
        return Ok(NextCheck::Queued { delay: common_delay(error, attempt) });
    }
    let known = unreadable::read(blobs, user).await?;
    // A message that follows a failure is the check that was waited for, whatever its clock says.
    if let Some(known) = known.as_ref().filter(|known| attempt == 0 && known.next_check_at > now) {
        tracing::debug!(user.id = %user, %error, until = %known.next_check_at, "another check waits already");
        return Ok(NextCheck::NotQueued);
    }
    // Notifications come at any time and must not make the user wait longer.
    let failures = known.as_ref().map_or(1, |known| known.failures.saturating_add(u32::from(attempt > 0)));
    let (delay, is_queued) = delay_after(error, failures);
    let next_check_at = now + delay;
    let unreadable = UnreadableUser {
        v: V1,
        user_id: user,
        reason: error.in_short(),
        operation: error.operation().to_owned(),
        failures,
        since: known.map_or(now, |known| known.since),
        next_check_at,
    };
    unreadable::write(blobs, &unreadable).await?;
    // Once: what repeats for days is in `photorelay status`.
    if failures == 1 {
        tracing::warn!(user.id = %user, %error, next = %next_check_at, "the check failed and is repeated later");
    } else {
        tracing::info!(user.id = %user, %error, failures, next = %next_check_at, "the check failed again");
    }
    Ok(match is_queued {
        _ if failures == 1 && !error.is_transient() => NextCheck::DeadLettered,
        true => NextCheck::Queued { delay },
        false => NextCheck::NotQueued,
    })
}

/// The delay doubles with each failure. A message waits if it is short, or what Graph asked for.
fn delay_after(error: &ReconcileError, failures: u32) -> (Duration, bool) {
    let first = if error.is_lasting() { FIRST_LONG_DELAY } else { FIRST_DELAY };
    let grown = first.saturating_mul(2_u32.saturating_pow(failures - 1)).min(LONGEST_DELAY);
    match error.retry_after().filter(|asked| *asked >= grown) {
        Some(asked) => (asked, true),
        None => (grown, grown <= LONGEST_IN_QUEUE),
    }
}
