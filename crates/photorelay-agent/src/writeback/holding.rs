//! Has an entry wait for an operator: backs up the present value, so that the operator sees what would make way, and
//! records what waits. The target is left as it is.

use jiff::Timestamp;
use photorelay_core::contract::{ApprovalReason, NoteKind, PendingApproval, V1};

use super::error::WriteBackError;
use super::next_step::Observed;
use super::outcome::{ActOutcome, Unwritten};
use super::permission::PresentValue;
use super::reconciler::Reconciler;
use super::trail::Desired;

impl Reconciler {
    pub(super) async fn hold(
        &self,
        observed: Observed<'_>,
        present: PresentValue,
        held_for: ApprovalReason,
        reason: String,
    ) -> Result<ActOutcome, WriteBackError> {
        let pending = self.pending_approval(present, held_for, &reason).await?;
        if !self.approvals.is_held(&pending).await? {
            // Of a user who was forgotten no copy is made any more.
            if let Some(bytes) = observed.present
                && observed.newest.desired != Desired::Forgotten
            {
                self.writer.back_up(present.user, bytes).await?;
            }
            self.approvals.hold(&pending).await?;
        }
        Ok(ActOutcome::Noted(Unwritten::because(NoteKind::Held, reason).showing(observed.shows())))
    }

    pub(super) async fn pending_approval(
        &self,
        present: PresentValue,
        held_for: ApprovalReason,
        reason: &str,
    ) -> Result<PendingApproval, WriteBackError> {
        Ok(PendingApproval {
            v: V1,
            user_id: present.user,
            seq: present.seq,
            target: self.settings.target.clone(),
            held_for,
            value: present.value,
            receipts: self.receipts.count(present.user, present.seq).await?,
            reason: reason.to_owned(),
            agent: self.settings.agent.clone(),
            at: Timestamp::now(),
        })
    }
}
