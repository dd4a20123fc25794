//! Puts back what a target showed before we replaced it. Operators ask for it: the agent never does this by itself.
//!
//! It first records the decision that this value is kept, so that no agent replaces it again at once, and then replaces
//! exactly what it read. A value that another writer put there since is left as it is.

use std::collections::BTreeSet;

use bytes::Bytes;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{ApprovalReason, EntryKind, NoteKind, Receipt, UndoneChange, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::store::StoreError;

use super::error::WriteBackError;
use super::outcome::Unwritten;
use super::permission::PresentValue;
use super::reconciler::Reconciler;
use super::succession::ObjectOwner;
use crate::connectors::{EntryRef, Replacement};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    PutBack(Digest),
    /// In a dry run.
    Would(Digest),
    Nothing(&'static str),
}

impl Reconciler {
    /// Every user with a backed-up value.
    pub async fn users_with_back_ups(&self) -> Result<BTreeSet<UserId>, StoreError> {
        self.receipts.users_with_back_ups().await
    }

    /// Puts back the value that we replaced last and that is backed up.
    pub async fn undo(&self, user: UserId, signature: &OperatorSignature) -> Result<Undone, WriteBackError> {
        let receipts = self.receipts.of_user(user).await?;
        let Some(value) = self.receipts.replaced_last(user, &receipts).await? else {
            return Ok(Undone::Nothing("no replaced value is backed up"));
        };
        let Some(newest) = self.trail.latest(user).await? else {
            return Ok(Undone::Nothing("the audit trail has no entry that identifies the user"));
        };
        if !self.settings.dry_run {
            self.turns.acquire().await?;
        }
        let (entry, present) = self.connector.find(user, &newest.entry.identity).await?;
        if !matches!(self.successions.owner(user, &entry).await?, ObjectOwner::Own { .. }) {
            return Ok(Undone::Nothing("another user has taken over the object in the target"));
        }
        if let Some(reason) = stays(present.as_ref(), value, &receipts) {
            return Ok(Undone::Nothing(reason));
        }
        if self.settings.dry_run {
            return Ok(Undone::Would(value));
        }
        self.put_back(&newest, value, (&entry, present.as_ref()), signature).await?;
        Ok(Undone::PutBack(value))
    }

    async fn put_back(
        &self,
        newest: &Committed,
        value: Digest,
        (entry, present): (&EntryRef, Option<&Bytes>),
        signature: &OperatorSignature,
    ) -> Result<(), WriteBackError> {
        let (user, seq) = (newest.entry.user_id, newest.entry.seq);
        let Some(bytes) = self.receipts.backed_up(user, value, self.connector.limit()).await? else {
            return Err(WriteBackError::Hopeless(format!("the back-up of {value} does not hash to its name")));
        };
        let held_for = match newest.entry.kind {
            EntryKind::Removed => ApprovalReason::Removal,
            _ => ApprovalReason::Foreign,
        };
        let kept = PresentValue { user, seq, value, is_ours: false };
        let reason = "an operator put back what the target showed before";
        let pending = self.pending_approval(kept, held_for, reason).await?;
        self.connector.claim(user, &newest.entry.identity, entry).await?;
        self.approvals.decide(&pending, Verdict::Rejected, signature).await?;
        if self.replace(entry, present, Some(&bytes)).await? == Replacement::ChangedMeanwhile {
            return Err(WriteBackError::Failed(format!(
                "another writer changed the photo of user {user} just now: try again"
            )));
        }
        self.approvals.put(&pending).await?;
        let (by, why) = (signature.by(), signature.reason());
        let undone = Some(UndoneChange { before: present.map(|value| Digest::of(value)), by, reason: why });
        let note = Unwritten::because(NoteKind::Held, reason).showing(Some(value));
        self.writer.note(user, seq, Unwritten { undone, ..note }).await?;
        Ok(())
    }
}

/// Why what the target shows is left as it is.
fn stays(present: Option<&Bytes>, value: Digest, receipts: &[Receipt]) -> Option<&'static str> {
    let shows = Digest::of(present?);
    if shows == value {
        return Some("the target shows that value already");
    }
    let is_ours = receipts.iter().any(|receipt| receipt.outcome.is_shown() && receipt.after == Some(shows));
    (!is_ours).then_some("another writer has changed the photo since: its value stays")
}
