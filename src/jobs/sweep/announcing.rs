//! Announces again what a target should have acknowledged by now: its message, or the receipt, may be lost.
//!
//! At growing intervals, so that a target that is down for a week is not flooded with messages. Whoever left a note
//! has the entry and knows why it waits.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{self, MAX_CONTRACT_BYTES, Note};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};

use super::state_listing::UserRecord;
use super::{SweepSettings, Window, decide};
use crate::jobs::announce::announce;

/// Whether the entry had to be announced again, and was.
pub(super) async fn announce_again(
    storage: &Storage,
    settings: &SweepSettings,
    record: &UserRecord,
    newest: &Committed,
    window: Window,
) -> Result<bool, StoreError> {
    let entry = &newest.entry;
    if !entry.kind.concerns_targets() || !is_due(entry.observed_at, settings.announce_after, window) {
        return Ok(false);
    }
    for target in settings.targets.serving(entry.identity.domain.as_deref()) {
        let is_waiting = record.receipt(&target.name) < entry.seq
            && !has_note(&*storage.blobs, entry.user_id, &target.name, entry.seq).await?;
        if is_waiting {
            let told = announce(&*storage.queues, &settings.targets, newest).await?;
            return Ok(!told.is_empty());
        }
    }
    Ok(false)
}

/// Whether a moment of announcing again lies in the window.
fn is_due(observed_at: Timestamp, first: Duration, window: Window) -> bool {
    let times = |at: Timestamp| {
        let age = Duration::try_from(at.duration_since(observed_at)).unwrap_or_default();
        decide::times_due(age, first)
    };
    times(window.now) > window.previous.map_or(0, times)
}

async fn has_note(blobs: &dyn BlobStore, user: UserId, target: &str, seq: u32) -> Result<bool, StoreError> {
    let name = names::note(user, target);
    let bytes = match blobs.get(Container::Agents, &name, MAX_CONTRACT_BYTES as u64).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) | Err(StoreError::TooLarge { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(contract::parse::<Note>(&bytes).is_ok_and(|note| note.seq >= seq))
}
