//! Works out what has to happen for one user: from the newest entry, from what the target shows, and from what policy and
//! operators let. Nothing is written here.

use photorelay_core::contract::ApprovalReason;
use photorelay_core::id::Digest;

use super::error::WriteBackError;
use super::next_step::{Change, Leave, NextStep, Observed};
use super::permission::{CLEARED, Permission, PresentValue, cleared, may_remove, may_replace};
use super::reconciler::Reconciler;
use super::trail::Desired;

impl Reconciler {
    /// What has to happen so that the target shows what the newest entry says.
    pub(super) async fn next_step(&self, observed: Observed<'_>) -> Result<NextStep, WriteBackError> {
        let Observed { user, newest, .. } = observed;
        let value = match newest.desired {
            Desired::Photo => {
                let (name, limit) = (self.connector.rendition(), self.connector.limit());
                match self.trail.rendition(newest, name, limit).await? {
                    Ok(value) => Some(value),
                    Err(reason) => return Ok(NextStep::Refuse { reason }),
                }
            }
            Desired::NoPhoto | Desired::Forgotten => None,
        };
        let companions = match self.companions_due(observed).await? {
            Ok(companions) => companions,
            Err(reason) => return Ok(NextStep::Refuse { reason }),
        };
        let shows = observed.shows();
        if shows == value.as_deref().map(Digest::of) && (companions.is_empty() || value.is_some()) {
            // What follows a photo that is right needs no leave.
            return Ok(match companions.is_empty() {
                true => NextStep::Nothing,
                false => NextStep::Write(Change { value, replaces: None, companions }),
            });
        }
        // Without a photo, one that is left beside it is what has to be removed.
        let left = companions.first().filter(|_| value.is_none()).and_then(|left| left.present.as_deref());
        let Some(shows) = shows.or(left.map(Digest::of)) else {
            return Ok(match cleared(&self.approvals, user, newest.seq()).await? {
                None => NextStep::Write(Change { value, replaces: None, companions }),
                Some(value) => NextStep::AskOperator {
                    present: PresentValue { user, seq: newest.seq(), value, is_ours: true },
                    held_for: ApprovalReason::Cleared,
                    reason: CLEARED.to_owned(),
                },
            });
        };
        let is_ours = self.is_ours(observed, shows).await?;
        let present = PresentValue { user, seq: newest.seq(), value: shows, is_ours };
        let permission = match value {
            Some(_) => may_replace(&self.approvals, &self.policy, present).await?,
            None if newest.desired == Desired::Forgotten && self.connector.holds_copies() => {
                may_remove(&self.approvals, &self.policy.erasing(), present).await?
            }
            None => may_remove(&self.approvals, &self.policy, present).await?,
        };
        let leave = match permission {
            Permission::Granted { by_operator: false } => Leave::Policy,
            Permission::Granted { by_operator: true } => Leave::Operator,
            Permission::WithinThreshold => Leave::DeletionSlot,
            Permission::Waits { held_for, reason } => return Ok(NextStep::AskOperator { present, held_for, reason }),
            Permission::Never { kind, reason } => return Ok(NextStep::Note { kind, reason }),
        };
        Ok(NextStep::Write(Change { value, replaces: Some((present, leave)), companions }))
    }

    /// Whether we wrote this value: an entry of the trail made it, or a receipt names it. An agent that died after
    /// writing left no receipt; one whose renditions are made differently now left no entry that still makes them. The
    /// users whose object it was before are photorelay's as well.
    pub(super) async fn is_ours(&self, observed: Observed<'_>, value: Digest) -> Result<bool, WriteBackError> {
        let Observed { user, newest, earlier, .. } = observed;
        if newest.made_recently(value)
            || self.receipts.records(user, value).await?
            || self.trail.made_earlier(newest, value).await?
        {
            return Ok(true);
        }
        for other in earlier {
            if self.receipts.records(*other, value).await? || self.trail.made_by(*other, value).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
