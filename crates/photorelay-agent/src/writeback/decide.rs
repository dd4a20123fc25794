//! Whether a value that the target shows may be replaced or removed: what the policy says, and what an operator said.
//!
//! It only decides and writes nothing. An operator's word counts before the policy, in both directions.

use bytes::Bytes;
use photorelay_core::contract::{ApprovalReason, Decision, NoteKind, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};

use super::trail::Newest;
use super::{WriteBackError, WriteBacks};
use crate::documents;
use crate::policy::{ForeignPolicy, RemovalPolicy};

pub(super) enum Permission {
    Granted {
        by_operator: bool,
    },
    /// A removal that needs one of the day's slots.
    WithinThreshold,
    /// An operator has to say.
    Waits {
        held_for: ApprovalReason,
        reason: String,
    },
    Never {
        kind: NoteKind,
        reason: String,
    },
}

impl Permission {
    fn waits(held_for: ApprovalReason, reason: &str) -> Self {
        Self::Waits { held_for, reason: reason.to_owned() }
    }

    fn never(kind: NoteKind, reason: &str) -> Self {
        Self::Never { kind, reason: reason.to_owned() }
    }
}

impl WriteBacks {
    /// Whether a photo may take the place of this value.
    pub(super) async fn may_replace(
        &self,
        user: UserId,
        newest: &Newest,
        present: &Bytes,
    ) -> Result<Permission, WriteBackError> {
        let value = Digest::of(present);
        if self.is_ours(user, newest, value).await? {
            return Ok(Permission::Granted { by_operator: false });
        }
        let verdict = self.decision(&names::foreign_decision(user, value, &self.settings.target)).await?;
        Ok(match (verdict.map(|decision| decision.verdict), self.policy.foreign) {
            (Some(Verdict::Approved), _) => Permission::Granted { by_operator: true },
            (Some(Verdict::Rejected), _) => {
                Permission::waits(ApprovalReason::Foreign, "an operator wants the present value kept")
            }
            (None, ForeignPolicy::Overwrite) => Permission::Granted { by_operator: false },
            (None, ForeignPolicy::OnlyIfEmpty) => Permission::never(
                NoteKind::Held,
                "the target shows a value that photorelay did not write (PHOTORELAY_FOREIGN is only-if-empty)",
            ),
            (None, ForeignPolicy::KeepForeign) => {
                Permission::waits(ApprovalReason::Foreign, "the target shows a value that photorelay did not write")
            }
        })
    }

    /// Whether this value may go because the person has no photo any more.
    pub(super) async fn may_clear(
        &self,
        user: UserId,
        newest: &Newest,
        present: &Bytes,
    ) -> Result<Permission, WriteBackError> {
        let (seq, value) = (newest.committed.entry.seq, Digest::of(present));
        let is_ours = self.is_ours(user, newest, value).await?;
        match self.decision(&names::removal_decision(user, seq, &self.settings.target)).await? {
            Some(Decision { verdict: Verdict::Rejected, .. }) => {
                return Ok(Permission::never(NoteKind::Held, "an operator wants the photo kept"));
            }
            // What was approved is that this value goes, not whatever somebody wrote since.
            Some(approved) if is_ours || approved.value == value => {
                return Ok(Permission::Granted { by_operator: true });
            }
            _ => {}
        }
        let waits = |reason| Permission::waits(ApprovalReason::Removal, reason);
        Ok(match self.policy.removal {
            RemovalPolicy::Ignore => {
                Permission::never(NoteKind::OutOfScope, "removals are ignored (PHOTORELAY_REMOVAL is ignore)")
            }
            RemovalPolicy::Hold => waits("the person has no photo any more"),
            RemovalPolicy::Clear if !is_ours && self.policy.foreign != ForeignPolicy::Overwrite => {
                waits("the person has no photo any more, and photorelay did not write what the target shows")
            }
            // What once waited for an operator is not let through because a new day has new slots.
            RemovalPolicy::Clear => match self.held(user, seq).await? {
                Some(held) => waits(&held.reason),
                None => Permission::WithinThreshold,
            },
        })
    }

    async fn decision(&self, name: &str) -> Result<Option<Decision>, WriteBackError> {
        Ok(documents::read(&*self.storage.blobs, Container::Agents, name).await?)
    }
}
