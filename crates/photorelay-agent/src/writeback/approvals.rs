//! What needs an operator: whether a value that the target shows may be replaced or removed, which entries wait for a
//! decision, and what was decided.
//!
//! An operator's decision takes precedence over the policy, in both directions. Nothing here writes to a target.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use photorelay_core::contract::{ApprovalReason, Decision, NoteKind, PendingApproval, V1, Verdict};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, StoreError, list_all};

use crate::policy::{ForeignPolicy, RemovalPolicy, WritePolicy};
use crate::rights::{Grant, ScopedBlobs};

/// A value that the target shows and that has to make way.
#[derive(Debug, Clone, Copy)]
pub(super) struct PresentValue {
    pub(super) user: UserId,
    /// The entry that replaces or removes it.
    pub(super) seq: u32,
    pub(super) value: Digest,
    /// Whether photorelay wrote it.
    pub(super) is_ours: bool,
}

pub(super) enum Permission {
    Granted {
        by_operator: bool,
    },
    /// A removal that needs one of the day's deletion slots.
    WithinThreshold,
    /// An operator has to decide.
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

/// The pending approvals and decisions of one target.
#[derive(Debug, Clone)]
pub(crate) struct ApprovalStore {
    blobs: ScopedBlobs,
    target: String,
}

impl ApprovalStore {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, target: &str) -> Self {
        const GRANTS: &[Grant] =
            &[Grant::write(Container::Agents, names::HELD_PREFIX), Grant::write(Container::Agents, "decisions/")];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), target: target.to_owned() }
    }

    /// Whether a photo may replace this value.
    pub(super) async fn may_replace(
        &self,
        policy: &WritePolicy,
        present: PresentValue,
    ) -> Result<Permission, StoreError> {
        if present.is_ours {
            return Ok(Permission::Granted { by_operator: false });
        }
        let decision = self.decision(&names::foreign_decision(present.user, present.value, &self.target)).await?;
        Ok(match (decision.map(|decision| decision.verdict), policy.foreign) {
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

    /// Whether this value may be removed because the user has no photo any more.
    pub(super) async fn may_remove(
        &self,
        policy: &WritePolicy,
        present: PresentValue,
    ) -> Result<Permission, StoreError> {
        let PresentValue { user, seq, value, is_ours } = present;
        match self.decision(&names::removal_decision(user, seq, &self.target)).await? {
            Some(Decision { verdict: Verdict::Rejected, .. }) => {
                return Ok(Permission::never(NoteKind::Held, "an operator wants the photo kept"));
            }
            // The approval is for this value, not for one that was written since.
            Some(approved) if is_ours || approved.value == value => {
                return Ok(Permission::Granted { by_operator: true });
            }
            _ => {}
        }
        let waits = |reason| Permission::waits(ApprovalReason::Removal, reason);
        Ok(match policy.removal {
            RemovalPolicy::Ignore => {
                Permission::never(NoteKind::OutOfScope, "removals are ignored (PHOTORELAY_REMOVAL is ignore)")
            }
            RemovalPolicy::Hold => waits("the user has no photo any more"),
            RemovalPolicy::Clear if !is_ours && policy.foreign != ForeignPolicy::Overwrite => {
                waits("the user has no photo any more, and photorelay did not write what the target shows")
            }
            // A removal that once waited for an operator is not let through because a new day has new slots.
            RemovalPolicy::Clear => match self.pending(user, seq).await? {
                Some(pending) => waits(&pending.reason),
                None => Permission::WithinThreshold,
            },
        })
    }

    async fn decision(&self, name: &str) -> Result<Option<Decision>, StoreError> {
        documents::read(&self.blobs, Container::Agents, name).await
    }

    /// Records that the entry waits for an operator. One that waits already keeps its time and its reason.
    pub(super) async fn hold(&self, pending: &PendingApproval) -> Result<(), StoreError> {
        if self.is_held(pending).await? {
            return Ok(());
        }
        if pending.receipts > 0 && pending.held_for == ApprovalReason::Foreign {
            tracing::warn!(
                alert = "photo_replaced",
                user.id = %pending.user_id,
                seq = pending.seq,
                "another writer has replaced a photo that photorelay wrote: run `photorelay-agent held`"
            );
        }
        self.put(pending).await
    }

    /// Whether just this waits already.
    pub(super) async fn is_held(&self, pending: &PendingApproval) -> Result<bool, StoreError> {
        let known = self.pending(pending.user_id, pending.seq).await?;
        Ok(known.is_some_and(|known| known.value == pending.value && known.receipts == pending.receipts))
    }

    pub(super) async fn put(&self, pending: &PendingApproval) -> Result<(), StoreError> {
        let name = names::held(pending.user_id, pending.seq, &pending.target);
        documents::replace(&self.blobs, Container::Agents, &name, pending).await
    }

    async fn pending(&self, user: UserId, seq: u32) -> Result<Option<PendingApproval>, StoreError> {
        documents::read(&self.blobs, Container::Agents, &names::held(user, seq, &self.target)).await
    }

    /// The approved change is made, or the target shows what it should again: the entry waits no more.
    pub(super) async fn release(&self, user: UserId, seq: u32) -> Result<(), StoreError> {
        self.blobs.delete(Container::Agents, &names::held(user, seq, &self.target)).await
    }

    /// The newest pending approval of each user, or of one.
    pub(crate) async fn newest_pending(&self, user: Option<UserId>) -> Result<Vec<PendingApproval>, StoreError> {
        let prefix = user.map_or_else(|| names::HELD_PREFIX.to_owned(), names::held_prefix);
        let mut newest: BTreeMap<UserId, PendingApproval> = BTreeMap::new();
        for blob in list_all(&self.blobs, Container::Agents, &prefix).await? {
            let pending: Option<PendingApproval> = documents::read(&self.blobs, Container::Agents, &blob.name).await?;
            // In the order of names: a later entry of a user comes later.
            if let Some(pending) = pending.filter(|pending| pending.target == self.target) {
                newest.insert(pending.user_id, pending);
            }
        }
        Ok(newest.into_values().collect())
    }

    /// What an operator decided about it; none as long as it is undecided.
    pub(crate) async fn verdict(&self, pending: &PendingApproval) -> Result<Option<Verdict>, StoreError> {
        let decision = self.decision(&decision_name(pending)).await?;
        // A removal is approved together with the value that goes.
        let applies = |decision: &Decision| decision.verdict == Verdict::Rejected || decision.value == pending.value;
        Ok(decision.filter(applies).map(|decision| decision.verdict))
    }

    /// Records an operator's decision.
    pub(crate) async fn decide(&self, pending: &PendingApproval, verdict: Verdict) -> Result<(), StoreError> {
        let decision = Decision {
            v: V1,
            user_id: pending.user_id,
            seq: pending.seq,
            target: pending.target.clone(),
            held_for: pending.held_for,
            value: pending.value,
            verdict,
            at: Timestamp::now(),
        };
        documents::replace(&self.blobs, Container::Agents, &decision_name(pending), &decision).await
    }
}

fn decision_name(pending: &PendingApproval) -> String {
    match pending.held_for {
        ApprovalReason::Removal => names::removal_decision(pending.user_id, pending.seq, &pending.target),
        ApprovalReason::Foreign => names::foreign_decision(pending.user_id, pending.value, &pending.target),
    }
}
