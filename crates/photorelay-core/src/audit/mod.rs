//! A user's audit trail: entries that are created once, numbered without gaps and chained by their digests.
//!
//! Creating entry `n+1` *if it does not exist* is the only decision in the system. This module must never overwrite
//! or delete an entry. It owns the failure "two writers for one user": exactly one of them commits.

mod checkpoint;
mod digest_metadata;
mod listing;
mod verify;

pub use checkpoint::{
    Changes, CheckpointDraft, PreparedCheckpoint, StoredCheckpoint, Taken, newest_checkpoint, recent_checkpoints,
    take_checkpoint, take_prepared,
};
pub use digest_metadata::{EntryDigest, ListedEnd, ListedReceipt, keep_newest, receipt_digest, receipt_metadata};
pub use listing::TrailUsers;
pub use verify::{Finding, Problem, Report, VerifyProgress, verify_all, verify_all_watched, verify_person};

use bytes::Bytes;
use jiff::Timestamp;

use crate::contract::{self, AuditEntry, Cause, ContractError, EntryKind, Identity, Seen, V1OrV2};
use crate::id::{Digest, TenantId, UserId};
use crate::names::{self, Container};
use crate::store::{BlobStore, Creation, StoreError, list_all};
use crate::trace::TraceContext;

/// A committed entry with the digest that the next entry must name.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    pub entry: AuditEntry,
    pub sha256: Digest,
}

/// What is known of an entry before its photo: who it is about, what led to it and what Graph showed.
#[derive(Debug, Clone)]
pub struct NewEntry {
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub kind: EntryKind,
    pub cause: Cause,
    pub begun_at: Timestamp,
    pub seen: Seen,
    pub identity: Identity,
    pub trace: TraceContext,
}

impl NewEntry {
    /// The entry that follows the newest one, or a first entry: numbered, chained, observed now, without a photo.
    pub fn following(self, newest: Option<&Committed>) -> AuditEntry {
        let (seq, previous) = newest.map_or((1, Digest::ZERO), |newest| (newest.entry.seq + 1, newest.sha256));
        AuditEntry {
            v: V1OrV2::V2,
            seq,
            previous,
            tenant_id: self.tenant_id,
            user_id: self.user_id,
            kind: self.kind,
            cause: self.cause,
            begun_at: Some(self.begun_at),
            observed_at: Timestamp::now(),
            seen: self.seen,
            photo: None,
            renditions: Vec::new(),
            identity: self.identity,
            by: None,
            reason: None,
            traceparent: Some(self.trace.to_string()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blob exists but is not a valid entry. Never repaired automatically: an operator must investigate.
    #[error("audit entry {user}/{seq:08} cannot be read: {source}")]
    Unreadable { user: UserId, seq: u32, source: ContractError },
    /// The blob is an entry of another user or with another number.
    #[error("audit entry {user}/{seq:08} is misplaced: it names {says_user}/{says_seq:08}")]
    Misplaced { user: UserId, seq: u32, says_user: UserId, says_seq: u32 },
}

/// Reads one entry; `None` if it does not exist.
pub async fn read(blobs: &dyn BlobStore, user: UserId, seq: u32) -> Result<Option<Committed>, AuditError> {
    let name = names::audit_entry(user, seq);
    let Some(bytes) = blobs.get(Container::Audit, &name, contract::MAX_CONTRACT_BYTES as u64).await? else {
        return Ok(None);
    };
    decode(user, seq, &bytes).map(Some)
}

pub(crate) fn decode(user: UserId, seq: u32, bytes: &[u8]) -> Result<Committed, AuditError> {
    let entry: AuditEntry = contract::parse(bytes).map_err(|source| AuditError::Unreadable { user, seq, source })?;
    if (entry.user_id, entry.seq) != (user, seq) {
        return Err(AuditError::Misplaced { user, seq, says_user: entry.user_id, says_seq: entry.seq });
    }
    Ok(Committed { sha256: Digest::of(bytes), entry })
}

/// The sequence numbers of a user's trail, in order.
pub async fn sequence_numbers(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<u32>, StoreError> {
    let listed = list_all(blobs, Container::Audit, &names::person_prefix(user)).await?;
    Ok(listed.iter().filter_map(|blob| names::parse_audit_entry(&blob.name)).map(|(_, seq)| seq).collect())
}

/// The newest of these entries that is not [`EntryKind::Refused`]: the one that targets should show.
pub async fn newest_not_refused(
    blobs: &dyn BlobStore,
    user: UserId,
    sequence: &[u32],
) -> Result<Option<Committed>, AuditError> {
    for seq in sequence.iter().rev() {
        match read(blobs, user, *seq).await? {
            Some(committed) if committed.entry.kind == EntryKind::Refused => {}
            found => return Ok(found),
        }
    }
    Ok(None)
}

/// Creates the entry unless there is one of its number; [`NewEntry::following`] gives it number and predecessor.
///
/// Returns `None` if the number is taken: another writer was faster, or a retry of this request had already succeeded.
pub async fn commit(blobs: &dyn BlobStore, entry: AuditEntry) -> Result<Option<Committed>, StoreError> {
    let bytes = contract::to_bytes(&entry);
    let sha256 = Digest::of(&bytes);
    let name = names::audit_entry(entry.user_id, entry.seq);
    let metadata = digest_metadata::entry_metadata(sha256, entry.cause.kind);
    let bytes = Bytes::from(bytes);
    Ok(match blobs.create_with_metadata(Container::Audit, &name, "application/json", bytes, &metadata).await? {
        Creation::Created => Some(Committed { entry, sha256 }),
        Creation::AlreadyExists => None,
    })
}
