//! What the trail says that a target should show: the newest entry that is not refused, its chain link and its
//! rendition, all verified. A message is never believed for any of it.

use bytes::Bytes;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{EntryKind, Outcome, Receipt, RenditionFacts, WriteBack};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::StoreError;
use photorelay_core::vault::{self, VaultError};

use crate::documents;

use super::{WriteBackError, WriteBacks};

/// The newest entry that is not refused.
pub(super) struct Newest {
    /// Every number of the person's trail when it was listed.
    pub(super) sequence: Vec<u32>,
    pub(super) committed: Committed,
    /// The entry that it is chained to.
    previous: Option<Committed>,
}

impl WriteBacks {
    /// Reads and verifies what the target should show.
    pub(super) async fn newest(&self, user: UserId, message: &WriteBack) -> Result<Newest, WriteBackError> {
        let blobs = &*self.storage.blobs;
        let sequence = audit::sequence_numbers(blobs, user).await?;
        let announced = message.data.seq;
        if sequence.last().is_none_or(|last| *last < announced) {
            return Err(WriteBackError::Failed(format!(
                "entry {announced} was announced, but the audit trail ends before it: run `photorelay audit verify`"
            )));
        }
        let newest = audit::newest_not_refused(blobs, user, &sequence)
            .await?
            .ok_or_else(|| WriteBackError::Hopeless("every entry of the trail is refused".to_owned()))?;
        let seq = newest.entry.seq;
        if seq == announced && newest.sha256 != message.data.entry_sha256 {
            return Err(WriteBackError::Hopeless(format!(
                "the message names another entry {announced} than the one in the trail: it is forged, or the trail was changed"
            )));
        }
        if newest.entry.tenant_id != self.settings.tenant {
            return Err(WriteBackError::Hopeless(format!("entry {seq} belongs to another tenant")));
        }
        let previous = match seq {
            1 => None,
            _ => audit::read(blobs, user, seq - 1).await?,
        };
        // The first entry names none before it; that was verified when it was read.
        if seq > 1 && previous.as_ref().is_none_or(|previous| previous.sha256 != newest.entry.previous) {
            return Err(WriteBackError::Hopeless(format!(
                "the chain is broken between entries {} and {seq}: run `photorelay audit verify`",
                seq - 1
            )));
        }
        Ok(Newest { sequence, committed: newest, previous })
    }

    /// The bytes that this target should show; `Err` inside says why it never can.
    pub(super) async fn rendition(
        &self,
        user: UserId,
        newest: &Committed,
    ) -> Result<Result<Bytes, String>, WriteBackError> {
        let name = self.target.rendition();
        let entry = &newest.entry;
        let (Some(photo), Some(rendition)) = (&entry.photo, entry.renditions.iter().find(|r| r.name == name)) else {
            return Ok(Err(format!("entry {} has no rendition `{name}`: it was not configured then", entry.seq)));
        };
        let limit = self.target.limit();
        if rendition.bytes > limit {
            return Ok(Err(format!("the rendition has {} bytes, and the target takes {limit}", rendition.bytes)));
        }
        Ok(Ok(self.read_rendition(user, photo.sha256, rendition, limit).await?))
    }

    async fn read_rendition(
        &self,
        user: UserId,
        photo: Digest,
        rendition: &RenditionFacts,
        limit: u64,
    ) -> Result<Bytes, VaultError> {
        let blob = names::rendition(user, photo, &rendition.name, rendition.sha256);
        vault::read_verified(&*self.storage.blobs, &blob, rendition.sha256, limit).await
    }

    /// What the target shows is kept before it is gone, so that a first fill can be undone. A value that we wrote is in
    /// the vault already, and is kept besides where the person has no photo any more.
    pub(super) async fn back_up(&self, user: UserId, newest: &Newest, present: &Bytes) -> Result<(), WriteBackError> {
        let sha256 = Digest::of(present);
        if newest.committed.entry.kind != EntryKind::Removed && self.is_ours(user, newest, sha256).await? {
            return Ok(());
        }
        let name = names::kept_value(user, sha256);
        let blobs = &self.storage.blobs;
        blobs.create(Container::Receipts, &name, "application/octet-stream", present.clone()).await?;
        tracing::info!(user.id = %user, blob = %format!("receipts/{name}"), "the value that is replaced was kept");
        Ok(())
    }

    /// Whether we wrote this value: an entry of the trail made it, or a receipt names it. The entry before the newest is
    /// the usual case; an agent that died after writing left no receipt, and one whose renditions are made otherwise now
    /// left no entry that still makes them.
    pub(super) async fn is_ours(&self, user: UserId, newest: &Newest, sha256: Digest) -> Result<bool, WriteBackError> {
        let blobs = &*self.storage.blobs;
        let Some(previous) = &newest.previous else { return Ok(self.is_receipted(user, sha256).await?) };
        if shows(previous, sha256) || shows(&newest.committed, sha256) {
            return Ok(true);
        }
        if self.is_receipted(user, sha256).await? {
            return Ok(true);
        }
        for seq in (1..previous.entry.seq).rev() {
            if audit::read(blobs, user, seq).await?.is_some_and(|earlier| shows(&earlier, sha256)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a receipt says that this target showed this value because we wanted it to.
    async fn is_receipted(&self, user: UserId, sha256: Digest) -> Result<bool, StoreError> {
        let receipts = documents::receipts(&*self.storage.blobs, user, &self.settings.target).await?;
        let shown = |receipt: &Receipt| matches!(receipt.outcome, Outcome::Written | Outcome::Unchanged);
        Ok(receipts.iter().any(|receipt| shown(receipt) && receipt.after == Some(sha256)))
    }
}

/// Whether the entry made this value.
pub(crate) fn shows(committed: &Committed, sha256: Digest) -> bool {
    committed.entry.renditions.iter().any(|rendition| rendition.sha256 == sha256)
}
