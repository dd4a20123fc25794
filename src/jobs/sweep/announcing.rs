//! Announces again what a target should have acknowledged by now: its message, or the receipt, may be lost.
//!
//! At growing intervals, so that a target that is down for a week is not flooded with messages. An agent that left a
//! note has the entry and reports why it waits.

use photorelay_core::audit::Committed;
use photorelay_core::contract::Note;
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};

use super::settings::SweepSettings;
use super::window::Window;
use crate::jobs::announce::announce;
use crate::jobs::state_listing::UserRecord;

/// Whether the entry had to be announced again, and was.
pub(super) async fn announce_again(
    storage: &Storage,
    settings: &SweepSettings,
    record: &UserRecord,
    newest: &Committed,
    window: Window,
) -> Result<bool, StoreError> {
    let entry = &newest.entry;
    if !entry.kind.concerns_targets() || !window.has_announcement_due(entry.observed_at, settings.announce_after) {
        return Ok(false);
    }
    for target in settings.targets.serving(entry.identity.domain.as_deref()) {
        let is_waiting = record.receipt(&target.name) < entry.seq
            && !has_note(&*storage.blobs, entry.user_id, &target.name, entry.seq).await?;
        if is_waiting {
            let announced_to = announce(&*storage.queues, &settings.targets, newest).await?;
            return Ok(!announced_to.is_empty());
        }
    }
    Ok(false)
}

async fn has_note(blobs: &dyn BlobStore, user: UserId, target: &str, seq: u32) -> Result<bool, StoreError> {
    let note: Option<Note> = documents::read(blobs, Container::Agents, &names::note(user, target)).await?;
    Ok(note.is_some_and(|note| note.seq >= seq))
}
