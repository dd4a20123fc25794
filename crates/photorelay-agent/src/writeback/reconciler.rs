//! The order of a write-back, which is what makes it safe: find the user and read the target first, then list the trail,
//! take its newest entry that is not refused, verify it, replace exactly the value that was read, read back, list again,
//! and only then leave the receipt. So an older entry never replaces a newer one, whatever other writers do.
//!
//! `deciding` works out what has to happen. A message only says which user to look at. It is never trusted for what should be shown. One that asks to undo an entry
//! (`undo_request.rs`) can have a backup put back or a photo of ours cleared, as often as the day has deletion slots.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::approvals::ApprovalStore;
use photorelay_core::contract::{self, ApprovalReason, ContractError, Identity, NoteKind, Outcome, WriteBack};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::deletion_threshold::DeletionThreshold;
use super::error::WriteBackError;
use super::next_step::{Change, Leave, NextStep, Observed};
use super::outcome::{ActOutcome, ReceivedMessage, Settlement, Unwritten, WritebackOutcome};
use super::receipt_reader::ReceiptReader;
use super::receipt_writer::ReceiptWriter;
use super::settings::WritebackSettings;
use super::succession::{ObjectOwner, Successions};
use super::trail::{Desired, TrailReader};
use super::turn::WriteTurns;
use crate::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use crate::policy::WritePolicy;
use crate::quota::{QuotaLimits, WriteQuota};
use crate::stop_switch::StopCheck;

/// How often a user is started again because another writer interferes.
const MAX_ROUNDS: u32 = 8;
/// Locks that users share by the hash of their id: more than items can be in flight.
const LOCKS: usize = 1024;

#[derive(Debug, Clone)]
pub struct Reconciler {
    pub(super) connector: Arc<dyn Connector>,
    pub(super) settings: Arc<WritebackSettings>,
    pub(super) policy: Arc<WritePolicy>,
    pub(super) trail: TrailReader,
    pub(super) approvals: ApprovalStore,
    pub(super) deletion_threshold: DeletionThreshold,
    pub(super) receipts: ReceiptReader,
    pub(super) successions: Successions,
    pub(super) writer: ReceiptWriter,
    pub(super) turns: WriteTurns,
    /// Held while a user is worked on: two writes for one user are never in flight together.
    users: Arc<[Mutex<()>; LOCKS]>,
}

/// How far one round came.
enum Progress {
    Done(WritebackOutcome),
    /// Start again, with the identity that the newest entry holds.
    Again(Identity),
}

impl Reconciler {
    /// Under the default policy, whatever is in doubt waits for an operator; the quota has no limits.
    pub fn new(storage: &Storage, connector: Arc<dyn Connector>, settings: WritebackSettings) -> Self {
        let blobs = &storage.blobs;
        let (target, agent) = (settings.target.as_str(), settings.agent.as_str());
        let trail = TrailReader::new(blobs, settings.tenant);
        Self {
            connector,
            policy: Arc::default(),
            approvals: ApprovalStore::new(blobs, target),
            deletion_threshold: DeletionThreshold::new(blobs, trail.clone(), target, agent),
            receipts: ReceiptReader::new(blobs, target),
            successions: Successions::new(blobs, target, !settings.dry_run),
            writer: ReceiptWriter::new(blobs, target, agent),
            turns: WriteTurns {
                quota: Arc::new(WriteQuota::new(storage, QuotaLimits::default(), target, agent)),
                switch: StopCheck::new(blobs, target),
                stop: CancellationToken::new(),
            },
            trail,
            users: Arc::new([const { Mutex::const_new(()) }; LOCKS]),
            settings: Arc::new(settings),
        }
    }

    pub fn with_policy(self, policy: WritePolicy) -> Self {
        Self { policy: Arc::new(policy), ..self }
    }

    pub fn with_quota(mut self, quota: WriteQuota) -> Self {
        self.turns.quota = Arc::new(quota);
        self
    }

    /// Waits for no turn any more once this is cancelled.
    pub(crate) fn until(mut self, stop: CancellationToken) -> Self {
        self.turns.stop = stop;
        self
    }

    pub fn settings(&self) -> &WritebackSettings {
        &self.settings
    }

    pub(crate) fn trail(&self) -> &TrailReader {
        &self.trail
    }

    /// Saves what the day had so far: figures and writes. That one fails keeps the other from nothing.
    pub(crate) async fn save_counts(&self) -> Result<(), StoreError> {
        let figures = self.writer.figures().save().await;
        self.turns.quota.settle().await.and(figures)
    }

    /// Changes with every setting that decides what is written.
    pub(crate) fn fingerprint(&self) -> Digest {
        self.policy.fingerprint(self.settings.dry_run, &self.connector.scope())
    }

    /// Reads a message and says which user it is about.
    pub fn read(&self, body: &[u8]) -> Result<(UserId, WriteBack), WriteBackError> {
        let hopeless = |error: ContractError| WriteBackError::Hopeless(format!("not a write-back message: {error}"));
        let message: WriteBack = contract::parse(body).map_err(hopeless)?;
        if !message.is_from(self.settings.tenant) {
            return Err(WriteBackError::Hopeless("the message comes from another tenant".to_owned()));
        }
        let user = message.user_id().map_err(WriteBackError::Hopeless)?;
        Ok((user, message))
    }

    /// Brings this user up to at least the entry that the message names, while no other task of this process works on
    /// the same user.
    pub async fn bring_up(&self, user: UserId, message: &WriteBack) -> Result<WritebackOutcome, WriteBackError> {
        let received = ReceivedMessage::now(message);
        let _alone = self.alone(user).await;
        if let Some(reason) = self.excluded(user) {
            let note = Unwritten::because(NoteKind::OutOfScope, reason);
            return Ok(self.writer.note(user, message.data.seq, note).await?);
        }
        let mut identity = message.data.identity.clone();
        let mut has_turn = false;
        for _ in 0..MAX_ROUNDS {
            match self.round(user, received, &identity, &mut has_turn).await? {
                Progress::Done(outcome) => return Ok(outcome),
                Progress::Again(of_newest) => identity = of_newest,
            }
        }
        Err(WriteBackError::Failed(format!("another writer interfered in every one of {MAX_ROUNDS} rounds")))
    }

    /// Keeps other tasks of this process from this user.
    pub(super) async fn alone(&self, user: UserId) -> MutexGuard<'_, ()> {
        self.users[lock_of(user)].lock().await
    }

    /// Why the user is not looked for.
    pub(super) fn excluded(&self, user: UserId) -> Option<&'static str> {
        (!self.policy.includes(user)).then_some("not on the pilot's list (PHOTORELAY_PILOT)")
    }

    async fn round(
        &self,
        user: UserId,
        received: ReceivedMessage<'_>,
        identity: &Identity,
        has_turn: &mut bool,
    ) -> Result<Progress, WriteBackError> {
        // The target first: a change that is made after this read makes our own write fail.
        let found = match self.connector.find(user, identity).await {
            Ok(found) => Ok(found),
            Err(ConnectorError::Refused(reason)) => Err(Settlement::refused(reason, None)),
            Err(ConnectorError::OutOfScope(reason)) => {
                Err(ActOutcome::Noted(Unwritten::because(NoteKind::OutOfScope, reason)))
            }
            Err(error) => return Err(error.into()),
        };
        let newest = self.trail.newest(user, received.message).await?;
        if newest.committed.entry.identity != *identity {
            return Ok(Progress::Again(newest.committed.entry.identity));
        }
        if newest.desired == Desired::Photo
            && let Some(reason) = self.successions.left(&newest.committed).await?
        {
            let note = Unwritten::because(NoteKind::OutOfScope, reason);
            return Ok(Progress::Done(self.writer.note(user, newest.seq(), note).await?));
        }
        let outcome = match found {
            Ok((entry, present)) => match self.successions.owner(user, &entry).await? {
                ObjectOwner::Own { earlier } => {
                    let (present, earlier) = (present.as_ref(), earlier.as_slice());
                    let observed = Observed { user, newest: &newest, entry: &entry, present, earlier };
                    self.act(observed, has_turn).await?
                }
                ObjectOwner::TakenOver(by) => {
                    ActOutcome::Noted(Unwritten::because(NoteKind::OutOfScope, by.to_string()))
                }
                ObjectOwner::Contested(with) => {
                    Settlement::refused(with.to_string(), present.as_deref().map(Digest::of))
                }
            },
            Err(outcome) => outcome,
        };
        let settlement = match outcome {
            ActOutcome::Again => return Ok(Progress::Again(identity.clone())),
            ActOutcome::Noted(note) => {
                return Ok(Progress::Done(self.writer.note(user, newest.seq(), note).await?));
            }
            ActOutcome::Settled(settlement) => settlement,
        };
        // The receipt says what the target shows and that nothing newer should be there.
        if settlement.outcome != Outcome::Refused && self.trail.sequence(user).await? != newest.sequence {
            return Ok(Progress::Again(identity.clone()));
        }
        let server = self.connector.server();
        let (outcome, is_news) = self.writer.settle(received, &newest.committed, settlement, server).await?;
        if !is_news && matches!(outcome, WritebackOutcome::Receipt { .. }) {
            // A new receipt covers what waited; without one, another writer has put our value back.
            self.approvals.release(user, newest.seq()).await?;
        }
        Ok(Progress::Done(outcome))
    }

    /// Makes the target show what the newest entry says, as far as the policy lets it.
    async fn act(&self, observed: Observed<'_>, has_turn: &mut bool) -> Result<ActOutcome, WriteBackError> {
        let shows = observed.shows();
        Ok(match self.next_step(observed).await? {
            NextStep::Nothing => match self.claim(observed).await {
                Ok(()) => Settlement::shown(Outcome::Unchanged, shows, shows),
                Err(ConnectorError::Refused(reason)) => Settlement::refused(reason, shows),
                Err(error) => return Err(error.into()),
            },
            NextStep::Refuse { reason } => Settlement::refused(reason, shows),
            NextStep::Note { kind, reason } => ActOutcome::Noted(Unwritten::because(kind, reason).showing(shows)),
            step if self.settings.dry_run => {
                let would = Unwritten::because(NoteKind::DryRun, format!("would {}", step.describe()));
                ActOutcome::Noted(would.showing(shows))
            }
            NextStep::AskOperator { present, held_for, reason } => {
                self.hold(observed, present, held_for, reason).await?
            }
            NextStep::Write(change) => self.write(observed, &change, has_turn).await?,
        })
    }

    /// Makes the entry of the target this user's.
    async fn claim(&self, observed: Observed<'_>) -> Result<(), ConnectorError> {
        let Observed { user, newest, entry, .. } = observed;
        match self.settings.dry_run {
            true => Ok(()),
            false => self.connector.claim(user, &newest.committed.entry.identity, entry).await,
        }
    }

    async fn write(
        &self,
        observed: Observed<'_>,
        change: &Change,
        has_turn: &mut bool,
    ) -> Result<ActOutcome, WriteBackError> {
        let Observed { user, newest, entry, present, .. } = observed;
        if let Some((value, Leave::DeletionSlot)) = change.replaces
            && let Err(reason) = self.deletion_threshold.take_slot(&self.policy, user, value.seq).await?
        {
            return self.hold(observed, value, ApprovalReason::Removal, reason).await;
        }
        if !*has_turn {
            let waited = self.turns.acquire().await?;
            *has_turn = true;
            if waited {
                // What was read is outdated by now.
                return Ok(ActOutcome::Again);
            }
        }
        // A value that we wrote is in the photos already, and is backed up besides where there is no photo any more.
        if let (Some(bytes), Some((value, _))) = (present, change.replaces)
            && newest.desired != Desired::Forgotten
            && (newest.desired == Desired::NoPhoto || !value.is_ours)
        {
            self.writer.back_up(user, bytes).await?;
        }
        let shows = observed.shows();
        let mut replaced = self.claim(observed).await.map(|()| Replacement::Done);
        if let Ok(Replacement::Done) = replaced {
            replaced = self.write_companions(user, &change.companions).await?;
        }
        if let Ok(Replacement::Done) = replaced {
            replaced = self.replace(entry, present, change.value.as_ref()).await;
        }
        match replaced {
            Ok(Replacement::Done) => {}
            Ok(Replacement::ChangedMeanwhile) => return Ok(ActOutcome::Again),
            Err(ConnectorError::Refused(reason)) => return Ok(Settlement::refused(reason, shows)),
            Err(error) => return Err(error.into()),
        }
        if let Some((value, Leave::Operator)) = change.replaces {
            self.approvals.release(user, value.seq).await?;
        }
        Ok(Settlement::shown(Outcome::Written, shows, change.value.as_deref().map(Digest::of)))
    }

    /// Replaces the value that was read, and reads back what is there then.
    pub(super) async fn replace(
        &self,
        entry: &EntryRef,
        present: Option<&Bytes>,
        value: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        let replacement = self.connector.replace(entry, present, value).await?;
        let shown = self.connector.read(entry).await?;
        Ok(if shown.as_ref() == value { replacement } else { Replacement::ChangedMeanwhile })
    }

    /// Has the target bring up what describes all of its entries. What fails is tried again the next time.
    pub(crate) async fn settle_target(&self) {
        if !self.settings.dry_run
            && let Err(error) = self.connector.settle().await
        {
            tracing::warn!(%error, "the target's summary is behind");
        }
    }
}

fn lock_of(user: UserId) -> usize {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    hasher.finish() as usize % LOCKS
}
