//! Brings one person in one target up to the audit trail.
//!
//! The order is the safety: find the person, read the target first, then list the trail, take its newest entry that is
//! not refused, verify it, replace exactly the value that was read, read back, list again, and only then leave the
//! receipt. So an older entry never replaces a newer one, whoever else is writing.
//! A message only says whom to look at. It is never believed for what should be shown.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::audit::{self, AuditError, Committed};
use photorelay_core::contract::{
    self, ContractError, Identity, Kind, Note, NoteKind, Outcome, Receipt, RenditionFacts, V1, WriteBack,
};
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{Metadata, StoreError};
use photorelay_core::vault::{self, VaultError};

use crate::target::{Place, Replacement, Target, TargetError};

/// What the agent is and may do.
#[derive(Debug, Clone)]
pub struct Settings {
    pub tenant: TenantId,
    /// The target's name, as in receipts.
    pub target: String,
    /// This agent's name, as in receipts.
    pub agent: String,
    /// Say what would be written, and write to no target.
    pub dry_run: bool,
}

#[derive(Debug, Clone)]
pub struct WriteBacks {
    storage: Storage,
    target: Arc<dyn Target>,
    settings: Arc<Settings>,
}

/// How the way ended for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// There is a receipt for this entry.
    Receipt { seq: u32, outcome: Outcome },
    /// There is a note instead.
    Noted(NoteKind),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteBackError {
    /// The message or what it points to can never be right: it is buried with this reason.
    #[error("{0}")]
    Hopeless(String),
    /// This item may succeed later; others go on.
    #[error("{0}")]
    Failed(String),
    /// The storage or the target as a whole does not work now: the agent pauses.
    #[error("{0}")]
    Down(String),
}

impl From<StoreError> for WriteBackError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } | StoreError::Denied { .. } | StoreError::Missing { .. } => {
                Self::Down(error.to_string())
            }
            StoreError::Full { .. } => Self::Down(error.to_string()),
            StoreError::TooLarge { .. } | StoreError::Invalid { .. } => Self::Hopeless(error.to_string()),
        }
    }
}

impl From<AuditError> for WriteBackError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Store(error) => error.into(),
            broken => Self::Hopeless(format!("{broken}: run `photorelay audit verify`")),
        }
    }
}

impl From<VaultError> for WriteBackError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            broken => Self::Hopeless(format!("{broken}: run `photorelay audit verify`")),
        }
    }
}

/// How often a person is started again because somebody else writes at the same time.
const MAX_ROUNDS: u32 = 8;

/// So many entries are looked through for the value that a target shows.
const RECENT_ENTRIES: usize = 8;

enum Round {
    Done(Done),
    /// Start again, with the identity that the newest entry holds.
    Again(Identity),
}

impl WriteBacks {
    pub fn new(storage: Storage, target: Arc<dyn Target>, settings: Settings) -> Self {
        Self { storage, target, settings: Arc::new(settings) }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads a message and says whom it is about.
    pub fn read(&self, body: &[u8]) -> Result<(UserId, WriteBack), WriteBackError> {
        let hopeless = |error: ContractError| WriteBackError::Hopeless(format!("not a write-back message: {error}"));
        let message: WriteBack = contract::parse(body).map_err(hopeless)?;
        if !message.is_from(self.settings.tenant) {
            return Err(WriteBackError::Hopeless("the message comes from another tenant".to_owned()));
        }
        let user = message.user_id().map_err(WriteBackError::Hopeless)?;
        Ok((user, message))
    }

    /// Brings this person up to at least the entry that the message names.
    pub async fn bring_up(&self, user: UserId, message: &WriteBack) -> Result<Done, WriteBackError> {
        let mut identity = message.data.identity.clone();
        for _ in 0..MAX_ROUNDS {
            match self.round(user, message, &identity).await? {
                Round::Done(done) => return Ok(done),
                Round::Again(of_newest) => identity = of_newest,
            }
        }
        Err(WriteBackError::Failed(format!("somebody else wrote during every one of {MAX_ROUNDS} rounds")))
    }

    async fn round(&self, user: UserId, message: &WriteBack, identity: &Identity) -> Result<Round, WriteBackError> {
        // The target first: whoever writes after this read makes our own write fail.
        let found = match self.look(user, identity).await {
            Ok(found) => Ok(found),
            Err(TargetError::Refused(reason)) => Err(reason),
            Err(TargetError::Failed(reason)) => return Err(WriteBackError::Failed(reason)),
            Err(TargetError::Down(reason)) => return Err(WriteBackError::Down(reason)),
        };
        let (sequence, newest) = self.newest(user, message).await?;
        let seq = newest.entry.seq;
        if newest.entry.identity != *identity {
            return Ok(Round::Again(newest.entry.identity));
        }
        let receipt =
            |outcome, reason, before, after| self.receipt(user, message, &newest, outcome, reason, before, after);
        let (place, present) = match found {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(user.id = %user, seq, reason, "refused");
                receipt(Outcome::Refused, Some(reason), None, None).await?;
                return Ok(Round::Done(Done::Receipt { seq, outcome: Outcome::Refused }));
            }
        };
        let before = present.as_deref().map(Digest::of);
        let wanted = match newest.entry.kind {
            Kind::Captured | Kind::Restored => self.rendition(user, &newest).await?,
            Kind::Removed => return self.note(user, seq, NoteKind::Held, "a removal waits for approval").await,
            Kind::Forgotten => return self.note(user, seq, NoteKind::Held, "this person was forgotten").await,
            Kind::Refused => unreachable_kind(seq)?,
        };
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(reason) => {
                tracing::warn!(user.id = %user, seq, reason, "refused");
                receipt(Outcome::Refused, Some(reason), before, before).await?;
                return Ok(Round::Done(Done::Receipt { seq, outcome: Outcome::Refused }));
            }
        };
        let after = Digest::of(&wanted);
        let outcome = if before == Some(after) { Outcome::Unchanged } else { Outcome::Written };
        if outcome == Outcome::Written {
            if self.settings.dry_run {
                let would = format!("would write {} bytes, SHA-256 {after}", wanted.len());
                return self.note(user, seq, NoteKind::DryRun, &would).await;
            }
            if let Some(present) = &present {
                self.keep_foreign(user, &newest, present).await?;
            }
            match self.write(&place, present.as_ref(), &wanted).await? {
                Replacement::Done => {}
                Replacement::ChangedMeanwhile => return Ok(Round::Again(identity.clone())),
            }
        }
        // A receipt says what the target shows and that nothing newer should be there.
        if audit::sequence_numbers(&*self.storage.blobs, user).await? != sequence {
            return Ok(Round::Again(identity.clone()));
        }
        receipt(outcome, None, before, Some(after)).await?;
        tracing::info!(user.id = %user, seq, ?outcome, trace = newest.entry.traceparent, "brought up");
        Ok(Round::Done(Done::Receipt { seq, outcome }))
    }

    async fn look(&self, user: UserId, identity: &Identity) -> Result<(Place, Option<Bytes>), TargetError> {
        let place = self.target.find(user, identity).await?;
        let present = self.target.read(&place).await?;
        Ok((place, present))
    }

    /// The person's sequence numbers and the newest entry that is not refused, verified.
    async fn newest(&self, user: UserId, message: &WriteBack) -> Result<(Vec<u32>, Committed), WriteBackError> {
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
        if seq > 1 {
            let previous = audit::read(blobs, user, seq - 1).await?;
            if previous.is_none_or(|previous| previous.sha256 != newest.entry.previous) {
                return Err(WriteBackError::Hopeless(format!(
                    "the chain is broken between entries {} and {seq}: run `photorelay audit verify`",
                    seq - 1
                )));
            }
        }
        Ok((sequence, newest))
    }

    /// The bytes that this target should show; `Err` inside says why it never can.
    async fn rendition(&self, user: UserId, newest: &Committed) -> Result<Result<Bytes, String>, WriteBackError> {
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
    async fn keep_foreign(&self, user: UserId, newest: &Committed, present: &Bytes) -> Result<(), WriteBackError> {
        let sha256 = Digest::of(present);
        if self.is_ours(user, newest.entry.seq, sha256).await? {
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
    async fn is_ours(&self, user: UserId, newest: u32, sha256: Digest) -> Result<bool, WriteBackError> {
        for seq in (1..newest).rev().take(RECENT_ENTRIES) {
            let entry = audit::read(&*self.storage.blobs, user, seq).await?;
            if entry.is_some_and(|earlier| earlier.entry.renditions.iter().any(|r| r.sha256 == sha256)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Replaces the value that was read, and reads back what is there then.
    async fn write(
        &self,
        place: &Place,
        present: Option<&Bytes>,
        wanted: &Bytes,
    ) -> Result<Replacement, WriteBackError> {
        let write = async {
            let replacement = self.target.replace(place, present, Some(wanted)).await?;
            let shown = self.target.read(place).await?;
            Ok(if shown.as_ref() == Some(wanted) { replacement } else { Replacement::ChangedMeanwhile })
        };
        write.await.map_err(|error| match error {
            TargetError::Refused(reason) | TargetError::Failed(reason) => WriteBackError::Failed(reason),
            TargetError::Down(reason) => WriteBackError::Down(reason),
        })
    }

    /// Leaves the receipt of the entry, and of the announced one if a later entry was brought up instead.
    #[expect(clippy::too_many_arguments, reason = "a receipt has so many members")]
    async fn receipt(
        &self,
        user: UserId,
        message: &WriteBack,
        newest: &Committed,
        outcome: Outcome,
        reason: Option<String>,
        before: Option<Digest>,
        after: Option<Digest>,
    ) -> Result<(), WriteBackError> {
        let receipt = Receipt {
            v: V1,
            user_id: user,
            seq: newest.entry.seq,
            target: self.settings.target.clone(),
            outcome,
            reason,
            entry_sha256: newest.sha256,
            before,
            after,
            server: self.target.server(),
            agent: self.settings.agent.clone(),
            at: Timestamp::now(),
            traceparent: newest.entry.traceparent.clone(),
        };
        self.create_receipt(&receipt).await?;
        if newest.entry.seq > message.data.seq {
            let superseded = Receipt {
                seq: message.data.seq,
                outcome: Outcome::Superseded,
                reason: Some(format!("by entry {}", newest.entry.seq)),
                entry_sha256: message.data.entry_sha256,
                traceparent: message.traceparent.clone(),
                ..receipt
            };
            self.create_receipt(&superseded).await?;
        }
        Ok(())
    }

    async fn create_receipt(&self, receipt: &Receipt) -> Result<(), WriteBackError> {
        let name = names::receipt(receipt.user_id, receipt.seq, &receipt.target);
        let content = Bytes::from(contract::to_bytes(receipt));
        // One that exists already says the same of an earlier time.
        self.storage.blobs.create(Container::Receipts, &name, "application/json", content).await?;
        Ok(())
    }

    async fn note(&self, user: UserId, seq: u32, kind: NoteKind, reason: &str) -> Result<Round, WriteBackError> {
        let note = Note {
            v: V1,
            user_id: user,
            seq,
            target: self.settings.target.clone(),
            note: kind,
            reason: reason.to_owned(),
            agent: self.settings.agent.clone(),
            at: Timestamp::now(),
        };
        let name = names::note(user, &self.settings.target);
        let content = Bytes::from(contract::to_bytes(&note));
        self.storage.blobs.put(Container::Agents, &name, "application/json", content, &Metadata::new()).await?;
        tracing::info!(user.id = %user, seq, note = ?kind, reason, "not written");
        Ok(Round::Done(Done::Noted(kind)))
    }
}

/// The newest entry that is not refused cannot be refused.
fn unreachable_kind<T>(seq: u32) -> Result<T, WriteBackError> {
    Err(WriteBackError::Hopeless(format!("entry {seq} is refused and was taken for the newest that is not")))
}
