//! Counts the users that the storage knows, and those that wait for a target: as the sweep that just ended has listed
//! them, or by the same listings.

use jiff::Timestamp;
use photorelay_core::approvals::decisions;
use photorelay_core::audit;
use photorelay_core::contract::{ApprovalReason, EntryKind, Note, NoteKind, PendingApproval, Succession};
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::receipts;
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, Pager, StoreError};
use photorelay_core::target::Targets;

use super::status::{RefusedPhoto, Trail};
use crate::jobs::forgotten::erase;
use crate::jobs::state_listing::{StateListing, UserRecord};
use crate::jobs::user_tally::UserTally;

/// The most documents of a kind that are read to count them.
const MAX_READS: u64 = 500;

/// Lists all users once.
pub(super) async fn tally(blobs: &dyn BlobStore, targets: &Targets) -> Result<UserTally, StoreError> {
    let mut tally = UserTally::default();
    let mut state = StateListing::open(blobs);
    while let Some(user) = state.peek().await? {
        tally.add(targets, user, &state.take(user).await?);
    }
    Ok(tally)
}

/// Reads what those who wait are waiting for.
pub(super) async fn of(storage: &Storage, targets: &Targets, tally: &UserTally) -> Result<Trail, StoreError> {
    let mut trail = Trail {
        people: tally.people,
        unsettled: tally.unsettled,
        out_of_scope: tally.out_of_scope,
        forgotten: tally.forgotten.len() as u64,
        is_more: tally.is_more,
        ..Trail::default()
    };
    for (user, record) in &tally.waiting {
        count_unacknowledged(storage, targets, *user, record, &mut trail).await?;
    }
    trail.replaced = count_replaced(&*storage.blobs).await?;
    trail.contested = count_contested(&*storage.blobs).await?;
    Ok(trail)
}

/// Erases the likenesses of forgotten users.
pub(super) async fn erase_forgotten(blobs: &dyn BlobStore, tally: &UserTally) -> Result<(), StoreError> {
    for user in &tally.forgotten {
        match erase(blobs, *user).await {
            Ok(_) => {}
            // The rest of the watchdog's work does not wait for a role.
            Err(error @ StoreError::Denied { .. }) => {
                tracing::error!(user.id = %user, %error, "a forgotten user's likeness is not erased");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Pairs of users who are one object of a target and both live.
async fn count_contested(blobs: &dyn BlobStore) -> Result<u64, StoreError> {
    let mut successions = Pager::new(blobs, Container::Agents, names::SUCCESSIONS_PREFIX, |blob| Some(blob.name));
    let (mut read, mut contested) = (0, 0);
    while let Some(name) = successions.next().await?.filter(|_| read < MAX_READS) {
        read += 1;
        let Some(found) = documents::read::<Succession>(blobs, Container::Agents, &name).await? else { continue };
        // Each pair is recorded for both.
        let is_first = name == names::succession(found.earlier, found.later, &found.target);
        contested += u64::from(found.contested && is_first);
    }
    Ok(contested)
}

/// The undecided items of entries that a target has shown before another writer replaced them.
async fn count_replaced(blobs: &dyn BlobStore) -> Result<u64, StoreError> {
    let mut held = Pager::new(blobs, Container::Agents, names::HELD_PREFIX, |blob| Some(blob.name));
    let (mut read, mut replaced) = (0, 0);
    while let Some(name) = held.next().await?.filter(|_| read < MAX_READS) {
        read += 1;
        let Some(pending) = documents::read::<PendingApproval>(blobs, Container::Agents, &name).await? else {
            continue;
        };
        if pending.held_for != ApprovalReason::Foreign || pending.receipts == 0 {
            continue;
        }
        let is_decided = decisions::counting(blobs, pending.decision_name()).await?.is_some();
        let receipts = receipts::names_of(blobs, pending.user_id).await?;
        let is_covered = receipts.iter().any(|receipt| pending.is_covered_by(receipt));
        replaced += u64::from(!is_decided && !is_covered);
    }
    Ok(replaced)
}

/// What a user waits for whose newest entry lacks a receipt of some target.
async fn count_unacknowledged(
    storage: &Storage,
    targets: &Targets,
    user: UserId,
    record: &UserRecord,
    trail: &mut Trail,
) -> Result<(), StoreError> {
    let blobs = &*storage.blobs;
    let all: Vec<u32> = (1..=record.trail).collect();
    let (newest, is_readable) = match audit::newest_not_refused(blobs, user, &all).await {
        Ok(newest) => (newest, true),
        Err(audit::AuditError::Store(error)) => return Err(error),
        // `audit verify` reports it.
        Err(_) => (None, false),
    };
    let newest_shown = newest.as_ref().map_or(0, |newest| newest.entry.seq);
    trail.refused += u64::from(is_readable && newest_shown < record.trail);
    let Some(entry) = newest.map(|newest| newest.entry).filter(|entry| entry.kind.concerns_targets()) else {
        return Ok(());
    };
    let (mut waits, mut is_held, mut is_dry_run) = (false, false, false);
    for target in targets.serving(entry.identity.domain.as_deref()) {
        if record.receipt(&target.name) >= entry.seq {
            continue;
        }
        let note = documents::read::<Note>(blobs, Container::Agents, &names::note(user, &target.name)).await?;
        match note {
            Some(note) if note.seq >= entry.seq && note.note == NoteKind::DryRun => is_dry_run = true,
            Some(note) if note.seq >= entry.seq => is_held = true,
            _ => waits = true,
        }
    }
    trail.held += u64::from(is_held && !waits);
    trail.dry_run += u64::from(is_dry_run && !is_held && !waits);
    trail.removals += u64::from(entry.kind == EntryKind::Removed && (waits || is_held || is_dry_run));
    if waits {
        trail.unacknowledged += 1;
        let oldest = trail.oldest_unacknowledged.unwrap_or(Timestamp::MAX);
        trail.oldest_unacknowledged = Some(oldest.min(entry.observed_at));
    }
    Ok(())
}

/// Every user whose newest photo was refused, with the reason.
pub(super) async fn refused(blobs: &dyn BlobStore) -> Result<Vec<RefusedPhoto>, StoreError> {
    let mut refused = Vec::new();
    let mut state = StateListing::open(blobs);
    while let Some(user_id) = state.peek().await? {
        let record = state.take(user_id).await?;
        if record.trail == 0 || record.is_forgotten() {
            continue;
        }
        let entry = match audit::read(blobs, user_id, record.trail).await {
            Ok(newest) => newest.map(|newest| newest.entry),
            Err(audit::AuditError::Store(error)) => return Err(error),
            Err(_) => None,
        };
        if let Some(entry) = entry.filter(|entry| entry.kind == EntryKind::Refused) {
            let reason = entry.reason.unwrap_or_default();
            refused.push(RefusedPhoto { user_id, seq: entry.seq, at: entry.observed_at, reason });
        }
    }
    Ok(refused)
}
