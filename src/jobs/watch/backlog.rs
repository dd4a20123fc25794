//! Counts everybody who has a past, and who waits for a target, from the same bulk listings as the sweep.

use jiff::Timestamp;
use photorelay_core::audit;
use photorelay_core::contract::{EntryKind, Note};
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::target::Targets;

use super::read;
use super::status::Trail;
use crate::jobs::forgotten::delete_photos;
use crate::jobs::sweep::state_listing::{StateListing, UserRecord};

/// So many entries are read to tell how long they have waited; with more of them, everybody waits for the same reason.
const READ_AT_MOST: u64 = 500;

/// Goes through everybody once. What is stored for people who were forgotten is deleted on the way, if asked to.
pub(super) async fn take(storage: &Storage, targets: &Targets, deletes_forgotten: bool) -> Result<Trail, StoreError> {
    let mut trail = Trail::default();
    let mut ledger = StateListing::open(&*storage.blobs);
    let mut read = 0;
    while let Some(user) = ledger.peek().await? {
        let record = ledger.take(user).await?;
        trail.people += u64::from(record.trail > 0);
        if record.is_forgotten() {
            trail.forgotten += 1;
            if deletes_forgotten {
                delete_photos(&*storage.blobs, user).await?;
            }
            continue;
        }
        if let Some(head) = &record.head {
            trail.out_of_scope += u64::from(head.out_of_scope);
            trail.unsettled += u64::from(!head.settled && head.etag.is_some() && !head.out_of_scope);
        }
        if record.trail == 0 || targets.all().iter().all(|target| record.receipt(&target.name) >= record.trail) {
            continue;
        }
        if read == READ_AT_MOST {
            trail.is_more = true;
            continue;
        }
        read += 1;
        count(storage, targets, user, &record, &mut trail).await?;
    }
    Ok(trail)
}

/// What a person whose newest entry has no receipt of every target waits for.
async fn count(
    storage: &Storage,
    targets: &Targets,
    user: photorelay_core::id::UserId,
    record: &UserRecord,
    trail: &mut Trail,
) -> Result<(), StoreError> {
    let blobs = &*storage.blobs;
    let all: Vec<u32> = (1..=record.trail).collect();
    let newest = match audit::newest_not_refused(blobs, user, &all).await {
        Ok(newest) => newest,
        Err(audit::AuditError::Store(error)) => return Err(error),
        // Verifying names it.
        Err(_) => None,
    };
    let Some(entry) = newest.map(|newest| newest.entry).filter(|entry| entry.kind.concerns_targets()) else {
        return Ok(());
    };
    let (mut waits, mut is_held) = (false, false);
    for target in targets.serving(entry.identity.domain.as_deref()) {
        if record.receipt(&target.name) >= entry.seq {
            continue;
        }
        let note = read::<Note>(blobs, Container::Agents, &names::note(user, &target.name)).await?;
        match note {
            Some(note) if note.seq >= entry.seq => is_held = true,
            _ => waits = true,
        }
    }
    trail.held += u64::from(is_held && !waits);
    trail.removals += u64::from(entry.kind == EntryKind::Removed && (waits || is_held));
    if waits {
        trail.unacknowledged += 1;
        let oldest = trail.oldest_unacknowledged.unwrap_or(Timestamp::MAX);
        trail.oldest_unacknowledged = Some(oldest.min(entry.observed_at));
    }
    Ok(())
}
