//! Undoes what we wrote to a target: puts back what it showed before, or clears what we wrote where there was nothing.
//! Operators ask for it: the agent never does this by itself.
//!
//! It first records the decision that the target stays as it was, so that no agent writes it again at once, with what an
//! operator can approve later, and then replaces exactly what it read. A value that another writer put there since is left as it is.

use std::collections::BTreeSet;

use bytes::Bytes;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{ApprovalReason, EntryKind, NoteKind, UndoneChange, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::store::StoreError;
use photorelay_core::undo::UndoStep;

use super::error::WriteBackError;
use super::outcome::Unwritten;
use super::permission::{CLEARED, PresentValue};
use super::reconciler::Reconciler;
use super::succession::ObjectOwner;
use crate::connectors::{ConnectorError, EntryRef, Replacement};

const PUT_BACK: &str = "an operator put back what the target showed before";

/// How undoing ended for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoOutcome {
    Undone(UndoStep),
    /// In a dry run.
    Would(UndoStep),
    /// The target is as it was, for this reason.
    Left(String),
}

/// How many photos may be cleared, or replaced by earlier values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearingLimit {
    /// As many as the day has deletion slots.
    Threshold,
    /// As many as the operator was shown and confirmed.
    Confirmed,
    /// As many as the day has deletion slots, and a value that is put back needs one as well: the request came as a
    /// message, and any number of them may come.
    Requested,
}

impl ClearingLimit {
    fn needs_slot(self, is_cleared: bool) -> bool {
        match self {
            Self::Threshold => is_cleared,
            Self::Confirmed => false,
            Self::Requested => true,
        }
    }
}

/// One user of a target, with what undoing comes to.
struct UndoPlan {
    step: UndoStep,
    found: Option<(Committed, EntryRef, Option<Bytes>)>,
}

impl UndoPlan {
    fn leave(reason: impl Into<String>) -> Self {
        Self { step: UndoStep::Leave(reason.into()), found: None }
    }
}

impl Reconciler {
    /// Every user for whom there may be something to undo.
    pub async fn users_to_undo(&self) -> Result<BTreeSet<UserId>, StoreError> {
        self.receipts.users().await
    }

    /// How many photos a day may lose without being confirmed one by one.
    pub async fn removals_per_day(&self) -> Result<u32, StoreError> {
        self.deletion_threshold.limit(&self.policy).await
    }

    /// What undoing would do now. Writes nothing.
    pub async fn plan_undo(&self, user: UserId) -> Result<UndoStep, WriteBackError> {
        Ok(self.undo_plan(user).await?.step)
    }

    /// Undoes what we did last for this user.
    pub async fn undo(
        &self,
        user: UserId,
        signature: &OperatorSignature,
        clearing: ClearingLimit,
    ) -> Result<UndoOutcome, WriteBackError> {
        if !self.settings.dry_run {
            self.turns.acquire().await?;
        }
        let plan = self.undo_plan(user).await?;
        if let UndoStep::Leave(reason) = plan.step {
            return Ok(UndoOutcome::Left(reason));
        }
        if self.settings.dry_run {
            return Ok(UndoOutcome::Would(plan.step));
        }
        self.carry_out(plan, signature, clearing).await
    }

    async fn undo_plan(&self, user: UserId) -> Result<UndoPlan, WriteBackError> {
        let undoable = self.receipts.undoable(user).await?;
        let Some(newest) = self.trail.latest(user).await? else {
            return Ok(UndoPlan::leave("the audit trail has no entry that identifies the user"));
        };
        if newest.entry.kind == EntryKind::Forgotten {
            return Ok(UndoPlan::leave("the user was forgotten"));
        }
        if undoable.is_empty() {
            return Ok(UndoPlan { step: undoable.step(None), found: None });
        }
        let (entry, present) = match self.connector.find(user, &newest.entry.identity).await {
            Ok(found) => found,
            Err(ConnectorError::OutOfScope(reason)) => return Ok(UndoPlan::leave(reason)),
            Err(error) => return Err(error.into()),
        };
        if !matches!(self.successions.owner(user, &entry).await?, ObjectOwner::Own { .. }) {
            return Ok(UndoPlan::leave("another user has taken over the object in the target"));
        }
        let step = undoable.step(present.as_deref().map(Digest::of));
        Ok(UndoPlan { step, found: Some((newest, entry, present)) })
    }

    async fn carry_out(
        &self,
        plan: UndoPlan,
        signature: &OperatorSignature,
        clearing: ClearingLimit,
    ) -> Result<UndoOutcome, WriteBackError> {
        let Some((newest, entry, present)) = plan.found else { return Ok(UndoOutcome::Left(String::new())) };
        let (user, seq) = (newest.entry.user_id, newest.entry.seq);
        let (value, held_for, reason) = match plan.step {
            UndoStep::PutBack(value) if newest.entry.kind == EntryKind::Removed => {
                (value, ApprovalReason::Removal, PUT_BACK)
            }
            UndoStep::PutBack(value) => (value, ApprovalReason::Foreign, PUT_BACK),
            UndoStep::Clear(value) => (value, ApprovalReason::Cleared, CLEARED),
            UndoStep::Leave(reason) => return Ok(UndoOutcome::Left(reason)),
        };
        let is_cleared = held_for == ApprovalReason::Cleared;
        let new = match is_cleared {
            true => None,
            false => Some(self.backed_up(user, value).await?),
        };
        if clearing.needs_slot(is_cleared)
            && let Err(reason) = self.deletion_threshold.take_slot(&self.policy, user, seq).await?
        {
            return Ok(UndoOutcome::Left(reason));
        }
        let kept = PresentValue { user, seq, value, is_ours: is_cleared };
        let pending = self.pending_approval(kept, held_for, reason).await?;
        self.connector.claim(user, &newest.entry.identity, &entry).await?;
        self.approvals.decide(&pending, Verdict::Rejected, signature).await?;
        // Before the target changes, so that whatever happens then there is something to approve.
        self.approvals.put(&pending).await?;
        self.clear_companions(user, &entry).await?;
        if self.replace(&entry, present.as_ref(), new.as_ref()).await? == Replacement::ChangedMeanwhile {
            return Err(WriteBackError::Failed(format!(
                "another writer changed the photo of user {user} just now: try again"
            )));
        }
        let before = present.as_deref().map(Digest::of);
        let undone = Some(UndoneChange { before, by: signature.by(), reason: signature.reason() });
        let note = Unwritten::because(NoteKind::Held, reason).showing(new.as_deref().map(Digest::of));
        self.writer.note(user, seq, Unwritten { undone, ..note }).await?;
        Ok(UndoOutcome::Undone(if is_cleared { UndoStep::Clear(value) } else { UndoStep::PutBack(value) }))
    }

    async fn backed_up(&self, user: UserId, value: Digest) -> Result<Bytes, WriteBackError> {
        let bytes = self.receipts.backed_up(user, value, self.connector.limit()).await?;
        bytes.ok_or_else(|| WriteBackError::Hopeless(format!("the back-up of {value} does not hash to its name")))
    }
}
