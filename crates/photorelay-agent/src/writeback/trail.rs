//! Reads what the target should show from the audit trail: the newest entry that is not refused, its chain link and its
//! rendition, all verified. A message is never trusted for any of it.
//!
//! It reads entries and photos, and writes nothing.

use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::audit::{self, AuditError, Committed, TrailUsers};
use photorelay_core::contract::{EntryKind, RenditionFacts, WriteBack};
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::vault;

use super::error::WriteBackError;

/// What an entry wants a target to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Desired {
    Photo,
    NoPhoto,
    /// The user was forgotten: no photo, and no back-up of what the target shows.
    Forgotten,
}

impl Desired {
    /// None if the entry is refused, which concerns no target.
    fn of(kind: EntryKind) -> Option<Self> {
        match kind {
            EntryKind::Captured | EntryKind::Restored => Some(Self::Photo),
            EntryKind::Removed => Some(Self::NoPhoto),
            EntryKind::Forgotten => Some(Self::Forgotten),
            EntryKind::Refused => None,
        }
    }
}

/// The newest entry that is not refused, verified.
pub(crate) struct Newest {
    /// Every number of the user's trail when it was listed.
    pub(super) sequence: Vec<u32>,
    pub(crate) committed: Committed,
    pub(super) desired: Desired,
    /// The entry that it is chained to.
    previous: Option<Committed>,
}

impl Newest {
    pub(super) fn seq(&self) -> u32 {
        self.committed.entry.seq
    }

    /// The facts of a rendition of the photo; `Err` says why there is none.
    pub(super) fn rendition(&self, name: &str) -> Result<&RenditionFacts, String> {
        let entry = &self.committed.entry;
        let found = entry.photo.as_ref().and_then(|_| entry.renditions.iter().find(|facts| facts.name == name));
        found.ok_or_else(|| format!("entry {} has no rendition `{name}`: it was not configured then", entry.seq))
    }

    /// Whether this entry or the one before it made this value: the usual case for a value of ours.
    pub(super) fn made_recently(&self, value: Digest) -> bool {
        self.previous.as_ref().is_some_and(|previous| made(previous, value) || made(&self.committed, value))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TrailReader {
    blobs: ScopedBlobs,
    tenant: TenantId,
}

impl TrailReader {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, tenant: TenantId) -> Self {
        const GRANTS: &[Grant] = &[Grant::read(Container::Audit, ""), Grant::read(Container::Photos, "")];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), tenant }
    }

    /// Every user of the trail after this one.
    pub(crate) fn users_after(&self, last: Option<UserId>) -> TrailUsers<'_> {
        TrailUsers::after(&self.blobs, last)
    }

    /// Every number of the user's trail, in order.
    pub(super) async fn sequence(&self, user: UserId) -> Result<Vec<u32>, StoreError> {
        audit::sequence_numbers(&self.blobs, user).await
    }

    /// The newest entry that is not refused, as it is in the trail: its link is not verified.
    pub(crate) async fn latest(&self, user: UserId) -> Result<Option<Committed>, AuditError> {
        let sequence = self.sequence(user).await?;
        audit::newest_not_refused(&self.blobs, user, &sequence).await
    }

    pub(crate) async fn entry(&self, user: UserId, seq: u32) -> Result<Option<Committed>, AuditError> {
        audit::read(&self.blobs, user, seq).await
    }

    /// Reads and verifies what the target should show.
    pub(crate) async fn newest(&self, user: UserId, message: &WriteBack) -> Result<Newest, WriteBackError> {
        let sequence = self.sequence(user).await?;
        let announced = message.data.seq;
        if sequence.last().is_none_or(|last| *last < announced) {
            return Err(WriteBackError::Failed(format!(
                "entry {announced} was announced, but the audit trail ends before it: run `photorelay audit verify`"
            )));
        }
        let newest = audit::newest_not_refused(&self.blobs, user, &sequence).await?;
        let (committed, desired) = newest
            .and_then(|committed| Some((Desired::of(committed.entry.kind)?, committed)))
            .map(|(desired, committed)| (committed, desired))
            .ok_or_else(|| WriteBackError::Hopeless("every entry of the trail is refused".to_owned()))?;
        let seq = committed.entry.seq;
        if seq == announced && committed.sha256 != message.data.entry_sha256 {
            return Err(WriteBackError::Hopeless(format!(
                "the message names another entry {announced} than the one in the trail: it is forged, or the trail was changed"
            )));
        }
        if committed.entry.tenant_id != self.tenant {
            return Err(WriteBackError::Hopeless(format!("entry {seq} belongs to another tenant")));
        }
        let previous = self.verified_previous(user, &committed).await?;
        Ok(Newest { sequence, committed, desired, previous })
    }

    /// The entry that this one is chained to. The first entry has none; that was verified when it was read.
    async fn verified_previous(&self, user: UserId, newest: &Committed) -> Result<Option<Committed>, WriteBackError> {
        let seq = newest.entry.seq;
        if seq == 1 {
            return Ok(None);
        }
        let previous = self.entry(user, seq - 1).await?.filter(|previous| previous.sha256 == newest.entry.previous);
        match previous {
            Some(previous) => Ok(Some(previous)),
            None => Err(WriteBackError::Hopeless(format!(
                "the chain is broken between entries {} and {seq}: run `photorelay audit verify`",
                seq - 1
            ))),
        }
    }

    /// The bytes that the target should show; `Err` inside says why it never can.
    pub(super) async fn rendition(
        &self,
        newest: &Newest,
        name: &str,
        limit: u64,
    ) -> Result<Result<Bytes, String>, WriteBackError> {
        let entry = &newest.committed.entry;
        let (rendition, photo) = match (newest.rendition(name), &entry.photo) {
            (Ok(rendition), Some(photo)) => (rendition, photo),
            (Err(reason), _) => return Ok(Err(reason)),
            (Ok(_), None) => return Ok(Err(format!("entry {} has no photo", entry.seq))),
        };
        if rendition.bytes > limit {
            return Ok(Err(format!("the rendition has {} bytes, and the target takes {limit}", rendition.bytes)));
        }
        let blob = names::rendition(entry.user_id, photo.sha256, &rendition.name, rendition.sha256);
        Ok(Ok(vault::read_verified(&self.blobs, &blob, rendition.sha256, limit).await?))
    }

    /// Whether an entry before the last two made this value.
    pub(super) async fn made_earlier(&self, newest: &Newest, value: Digest) -> Result<bool, WriteBackError> {
        let Some(previous) = &newest.previous else { return Ok(false) };
        self.any_made(previous.entry.user_id, 1..previous.entry.seq, value).await
    }

    /// Whether any entry of this user made this value.
    pub(super) async fn made_by(&self, user: UserId, value: Digest) -> Result<bool, WriteBackError> {
        let sequence = self.sequence(user).await?;
        self.any_made(user, sequence.into_iter(), value).await
    }

    /// Whether one of these entries made this value; the newest are read first.
    async fn any_made(
        &self,
        user: UserId,
        sequence: impl DoubleEndedIterator<Item = u32> + Send,
        value: Digest,
    ) -> Result<bool, WriteBackError> {
        for seq in sequence.rev() {
            if self.entry(user, seq).await?.is_some_and(|entry| made(&entry, value)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the entry made this value.
fn made(committed: &Committed, value: Digest) -> bool {
    committed.entry.renditions.iter().any(|rendition| rendition.sha256 == value)
}
