//! Brings one person in one target up to the audit trail.
//!
//! The order is the safety: find the person, read the target first, then list the trail, take its newest entry that is
//! not refused, verify it, replace exactly the value that was read, read back, list again, and only then leave the
//! receipt. So an older entry never replaces a newer one, whoever else is writing.
//! A message only says whom to look at. It is never believed for what should be shown.

mod acquire;
mod decide;
mod deletion_threshold;
mod plan;
mod records;
mod trail;
mod undo;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use photorelay_core::audit::{self, AuditError};
use photorelay_core::contract::{
    self, ApprovalReason, ContractError, EntryKind, Identity, NoteKind, Outcome, WriteBack,
};
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::vault::VaultError;
use tokio_util::sync::CancellationToken;

use crate::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use crate::policy::WritePolicy;
use crate::quota::WriteQuota;
use decide::Permission;
pub use plan::{DriftState, Plan};
use records::ActOutcome;
use trail::Newest;
pub use undo::Undone;

/// What the agent is and may do.
#[derive(Debug, Clone)]
pub struct WritebackSettings {
    pub tenant: TenantId,
    /// The target's name, as in receipts.
    pub target: String,
    /// This agent's name, as in receipts.
    pub agent: String,
    /// Say what would be written, and write to no target.
    pub dry_run: bool,
    /// For the heartbeat.
    pub certificate_expires_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub struct WriteBacks {
    storage: Storage,
    target: Arc<dyn Connector>,
    settings: Arc<WritebackSettings>,
    policy: Arc<WritePolicy>,
    budget: Arc<tokio::sync::Mutex<WriteQuota>>,
    stop: CancellationToken,
    /// How many people the trail has, as counted on this day for the removal brake.
    people: Arc<Mutex<Option<(Date, u32)>>>,
}

/// How the way ended for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WritebackOutcome {
    /// There is a receipt for this entry.
    Receipt { seq: u32, outcome: Outcome },
    /// There is a note instead.
    Noted(NoteKind),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteBackError {
    /// The message or what it points to can never be right: it is dead-lettered with this reason.
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

impl From<ConnectorError> for WriteBackError {
    fn from(error: ConnectorError) -> Self {
        match error {
            ConnectorError::Refused(reason) | ConnectorError::OutOfScope(reason) => Self::Hopeless(reason),
            ConnectorError::Failed(reason) => Self::Failed(reason),
            ConnectorError::Down(reason) => Self::Down(reason),
        }
    }
}

/// How often a person is started again because somebody else writes at the same time.
const MAX_ROUNDS: u32 = 8;

enum Round {
    Done(WritebackOutcome),
    /// Start again, with the identity that the newest entry holds.
    Again(Identity),
}

impl WriteBacks {
    pub fn new(storage: Storage, target: Arc<dyn Connector>, settings: WritebackSettings) -> Self {
        Self {
            storage,
            target,
            settings: Arc::new(settings),
            policy: Arc::new(WritePolicy::default()),
            budget: Arc::default(),
            stop: CancellationToken::new(),
            people: Arc::default(),
        }
    }

    /// Keeps to this policy instead of the default, under which whatever is in doubt waits for an operator.
    pub fn with_policy(self, policy: WritePolicy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    /// Writes no more than this.
    pub fn with_budget(self, budget: WriteQuota) -> Self {
        Self { budget: Arc::new(tokio::sync::Mutex::new(budget)), ..self }
    }

    /// Waits for nothing any more once this is cancelled.
    pub(crate) fn until(self, stop: CancellationToken) -> Self {
        Self { stop, ..self }
    }

    /// Changes with every setting that decides what is written.
    pub(crate) fn fingerprint(&self) -> Digest {
        self.policy.fingerprint(self.settings.dry_run, &self.target.scope())
    }

    pub fn settings(&self) -> &WritebackSettings {
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
    pub async fn bring_up(&self, user: UserId, message: &WriteBack) -> Result<WritebackOutcome, WriteBackError> {
        if let Some(reason) = self.excluded(user) {
            return self.note(user, message.data.seq, NoteKind::OutOfScope, reason).await;
        }
        let mut identity = message.data.identity.clone();
        let mut paid = false;
        for _ in 0..MAX_ROUNDS {
            match self.round(user, message, &identity, &mut paid).await? {
                Round::Done(done) => return Ok(done),
                Round::Again(of_newest) => identity = of_newest,
            }
        }
        Err(WriteBackError::Failed(format!("somebody else wrote during every one of {MAX_ROUNDS} rounds")))
    }

    /// Why nobody is looked for.
    fn excluded(&self, user: UserId) -> Option<&'static str> {
        (!self.policy.includes(user)).then_some("not on the pilot's list (PHOTORELAY_PILOT)")
    }

    async fn round(
        &self,
        user: UserId,
        message: &WriteBack,
        identity: &Identity,
        paid: &mut bool,
    ) -> Result<Round, WriteBackError> {
        // The target first: whoever writes after this read makes our own write fail.
        let found = match self.target.find(user, identity).await {
            Ok(found) => Ok(found),
            Err(ConnectorError::Refused(reason)) => Err(ActOutcome::Refused { reason, shows: None }),
            Err(ConnectorError::OutOfScope(reason)) => Err(ActOutcome::Noted { kind: NoteKind::OutOfScope, reason }),
            Err(error) => return Err(error.into()),
        };
        let newest = self.newest(user, message).await?;
        let committed = &newest.committed;
        let seq = committed.entry.seq;
        if committed.entry.identity != *identity {
            return Ok(Round::Again(newest.committed.entry.identity));
        }
        let ending = match found {
            Ok((place, present)) => self.act(user, &newest, &place, present.as_ref(), paid).await?,
            Err(ending) => ending,
        };
        match ending {
            ActOutcome::Again => return Ok(Round::Again(identity.clone())),
            ActOutcome::Noted { kind, reason } => return Ok(Round::Done(self.note(user, seq, kind, &reason).await?)),
            ActOutcome::Refused { .. } => {}
            // The receipt says what the target shows and that nothing newer should be there.
            ActOutcome::Shows { .. } => {
                if audit::sequence_numbers(&*self.storage.blobs, user).await? != newest.sequence {
                    return Ok(Round::Again(identity.clone()));
                }
            }
        }
        let outcome = self.receipt(user, message, committed, ending).await?;
        Ok(Round::Done(WritebackOutcome::Receipt { seq, outcome }))
    }

    /// Makes the target show what the newest entry says, as far as the policy lets it.
    async fn act(
        &self,
        user: UserId,
        newest: &Newest,
        place: &EntryRef,
        present: Option<&Bytes>,
        paid: &mut bool,
    ) -> Result<ActOutcome, WriteBackError> {
        let seq = newest.committed.entry.seq;
        let shows = present.map(|value| Digest::of(value));
        let wanted = match newest.committed.entry.kind {
            EntryKind::Captured | EntryKind::Restored => match self.rendition(user, &newest.committed).await? {
                Ok(wanted) => Some(wanted),
                Err(reason) => return Ok(ActOutcome::Refused { reason, shows }),
            },
            EntryKind::Removed => None,
            EntryKind::Forgotten => return Ok(ActOutcome::noted(NoteKind::Held, "this person was forgotten")),
            EntryKind::Refused => unreachable_kind(seq)?,
        };
        let after = wanted.as_deref().map(Digest::of);
        if shows == after {
            return Ok(ActOutcome::Shows { outcome: Outcome::Unchanged, before: shows, after });
        }
        let mut decided = false;
        if let Some(present) = present {
            let permission = match wanted {
                Some(_) => self.may_replace(user, newest, present).await?,
                None => self.may_clear(user, newest, present).await?,
            };
            match permission {
                Permission::Granted { by_operator } => decided = by_operator,
                Permission::Never { kind, reason } => return Ok(ActOutcome::Noted { kind, reason }),
                Permission::Waits { reason, .. } if self.settings.dry_run => {
                    let reason = format!("would wait for an operator: {reason}");
                    return Ok(ActOutcome::Noted { kind: NoteKind::DryRun, reason });
                }
                Permission::Waits { held_for, reason } => {
                    return self.hold(user, seq, held_for, Digest::of(present), reason).await;
                }
                Permission::WithinThreshold if self.settings.dry_run => {}
                Permission::WithinThreshold => {
                    if let Err(reason) = self.take_deletion_slot(user, seq).await? {
                        return self.hold(user, seq, ApprovalReason::Removal, Digest::of(present), reason).await;
                    }
                }
            }
        }
        if self.settings.dry_run {
            let would = match (&wanted, after) {
                (Some(wanted), Some(after)) => format!("would write {} bytes, SHA-256 {after}", wanted.len()),
                _ => "would remove the photo".to_owned(),
            };
            return Ok(ActOutcome::Noted { kind: NoteKind::DryRun, reason: would });
        }
        if !*paid {
            let waited = self.acquire_write().await?;
            *paid = true;
            if waited {
                // What was read is old by now.
                return Ok(ActOutcome::Again);
            }
        }
        if let Some(present) = present {
            self.back_up(user, newest, present).await?;
        }
        match self.write(place, present, wanted.as_ref()).await {
            Ok(Replacement::Done) => {}
            Ok(Replacement::ChangedMeanwhile) => return Ok(ActOutcome::Again),
            Err(ConnectorError::Refused(reason)) => return Ok(ActOutcome::Refused { reason, shows }),
            Err(error) => return Err(error.into()),
        }
        if decided {
            self.release(user, seq).await?;
        }
        Ok(ActOutcome::Shows { outcome: Outcome::Written, before: shows, after })
    }

    /// Replaces the value that was read, and reads back what is there then.
    pub(crate) async fn write(
        &self,
        place: &EntryRef,
        present: Option<&Bytes>,
        wanted: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        let replacement = self.target.replace(place, present, wanted).await?;
        let shown = self.target.read(place).await?;
        Ok(if shown.as_ref() == wanted { replacement } else { Replacement::ChangedMeanwhile })
    }
}

/// The newest entry that is not refused cannot be refused.
fn unreachable_kind<T>(seq: u32) -> Result<T, WriteBackError> {
    Err(WriteBackError::Hopeless(format!("entry {seq} is refused and was taken for the newest that is not")))
}
