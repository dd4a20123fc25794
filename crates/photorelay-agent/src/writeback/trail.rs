//! What the trail says that a target should show: the newest entry that is not refused, its chain link and its
//! rendition, all verified. A message is never believed for any of it.

use bytes::Bytes;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{RenditionFacts, WriteBack};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::vault::{self, VaultError};

use super::{WriteBackError, WriteBacks};

/// So many entries before the last two are looked through for the value that a target shows.
const RECENT_ENTRIES: usize = 8;

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

    /// A value that we did not write is kept before it is overwritten, so that a first fill can be undone.
    pub(super) async fn keep_foreign(
        &self,
        user: UserId,
        newest: &Newest,
        present: &Bytes,
    ) -> Result<(), WriteBackError> {
        let sha256 = Digest::of(present);
        if self.is_ours(user, newest, sha256).await? {
            return Ok(());
        }
        let name = names::kept_value(user, sha256);
        let blobs = &self.storage.blobs;
        blobs.create(Container::Receipts, &name, "application/octet-stream", present.clone()).await?;
        tracing::info!(user.id = %user, blob = %format!("receipts/{name}"), "a value that we did not write was kept");
        Ok(())
    }

    /// Whether a recent entry of the trail made this value; the one before is the usual case. A value of ours that is
    /// older is kept like a foreign one, which costs a blob and nothing else.
    async fn is_ours(&self, user: UserId, newest: &Newest, sha256: Digest) -> Result<bool, WriteBackError> {
        let Some(previous) = &newest.previous else { return Ok(false) };
        if shows(previous, sha256) {
            return Ok(true);
        }
        for seq in (1..previous.entry.seq).rev().take(RECENT_ENTRIES) {
            let earlier = audit::read(&*self.storage.blobs, user, seq).await?;
            if earlier.is_some_and(|earlier| shows(&earlier, sha256)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether the entry made this value.
fn shows(committed: &Committed, sha256: Digest) -> bool {
    committed.entry.renditions.iter().any(|rendition| rendition.sha256 == sha256)
}
