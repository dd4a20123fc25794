//! Brings one person in one target up to the audit trail.
//!
//! The order is the safety: find the person, read the target first, then list the trail, take its newest entry that is
//! not refused, verify it, replace exactly the value that was read, read back, list again, and only then leave the
//! receipt. So an older entry never replaces a newer one, whoever else is writing.
//! A message only says whom to look at. It is never believed for what should be shown.

mod records;
mod trail;

use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::audit::{self, AuditError};
use photorelay_core::contract::{self, ContractError, Identity, Kind, NoteKind, Outcome, WriteBack};
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::vault::VaultError;

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
        let newest = self.newest(user, message).await?;
        let committed = &newest.committed;
        let seq = committed.entry.seq;
        if committed.entry.identity != *identity {
            return Ok(Round::Again(newest.committed.entry.identity));
        }
        let receipt =
            |outcome, reason, before, after| self.receipt(user, message, committed, outcome, reason, before, after);
        let (place, present) = match found {
            Ok(found) => found,
            Err(reason) => {
                tracing::warn!(user.id = %user, seq, reason, "refused");
                receipt(Outcome::Refused, Some(reason), None, None).await?;
                return Ok(Round::Done(Done::Receipt { seq, outcome: Outcome::Refused }));
            }
        };
        let before = present.as_deref().map(Digest::of);
        let wanted = match committed.entry.kind {
            Kind::Captured | Kind::Restored => self.rendition(user, committed).await?,
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
            match self.write(&place, present.as_ref(), &wanted).await {
                Ok(Replacement::Done) => {}
                Ok(Replacement::ChangedMeanwhile) => return Ok(Round::Again(identity.clone())),
                Err(TargetError::Refused(reason)) => {
                    tracing::warn!(user.id = %user, seq, reason, "refused");
                    receipt(Outcome::Refused, Some(reason), before, before).await?;
                    return Ok(Round::Done(Done::Receipt { seq, outcome: Outcome::Refused }));
                }
                Err(TargetError::Failed(reason)) => return Err(WriteBackError::Failed(reason)),
                Err(TargetError::Down(reason)) => return Err(WriteBackError::Down(reason)),
            }
        }
        // A receipt says what the target shows and that nothing newer should be there.
        if audit::sequence_numbers(&*self.storage.blobs, user).await? != newest.sequence {
            return Ok(Round::Again(identity.clone()));
        }
        receipt(outcome, None, before, Some(after)).await?;
        tracing::info!(user.id = %user, seq, ?outcome, trace = committed.entry.traceparent, "brought up");
        Ok(Round::Done(Done::Receipt { seq, outcome }))
    }

    async fn look(&self, user: UserId, identity: &Identity) -> Result<(Place, Option<Bytes>), TargetError> {
        let place = self.target.find(user, identity).await?;
        let present = self.target.read(&place).await?;
        Ok((place, present))
    }

    /// Replaces the value that was read, and reads back what is there then.
    async fn write(&self, place: &Place, present: Option<&Bytes>, wanted: &Bytes) -> Result<Replacement, TargetError> {
        let replacement = self.target.replace(place, present, Some(wanted)).await?;
        let shown = self.target.read(place).await?;
        Ok(if shown.as_ref() == Some(wanted) { replacement } else { Replacement::ChangedMeanwhile })
    }
}

/// The newest entry that is not refused cannot be refused.
fn unreachable_kind<T>(seq: u32) -> Result<T, WriteBackError> {
    Err(WriteBackError::Hopeless(format!("entry {seq} is refused and was taken for the newest that is not")))
}
