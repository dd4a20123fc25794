//! Whether a value that the target shows may be replaced or removed.
//!
//! An operator's decision takes precedence over the policy, in both directions. Nothing here writes to a target.

use photorelay_core::approvals::ApprovalStore;
use photorelay_core::contract::{ApprovalReason, Decision, NoteKind, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{DecisionName, DecisionSubject};
use photorelay_core::store::StoreError;

use crate::policy::{ForeignPolicy, RemovalPolicy, WritePolicy};

/// Why nothing is written where a photo was cleared.
pub(super) const CLEARED: &str = "an operator cleared what photorelay had written where there was no photo";

/// A value that the target shows and that has to make way; after a photo was cleared, the one that was cleared.
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

/// Whether a photo may replace this value.
pub(super) async fn may_replace(
    store: &ApprovalStore,
    policy: &WritePolicy,
    present: PresentValue,
) -> Result<Permission, StoreError> {
    if present.is_ours {
        return Ok(Permission::Granted { by_operator: false });
    }
    let decision = store
        .decision(DecisionName::first(present.user, DecisionSubject::Value(present.value), store.target()))
        .await?;
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
    store: &ApprovalStore,
    policy: &WritePolicy,
    present: PresentValue,
) -> Result<Permission, StoreError> {
    let PresentValue { user, seq, value, is_ours } = present;
    match store.decision(DecisionName::first(user, DecisionSubject::Entry(seq), store.target())).await? {
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
        RemovalPolicy::Clear => match store.pending(user, seq).await? {
            Some(pending) => waits(&pending.reason),
            None => Permission::WithinThreshold,
        },
    })
}

/// The value that an operator had cleared, if the entry is not to be written where the target shows no photo.
pub(super) async fn cleared(store: &ApprovalStore, user: UserId, seq: u32) -> Result<Option<Digest>, StoreError> {
    let decision = store.decision(DecisionName::first(user, DecisionSubject::Entry(seq), store.target())).await?;
    Ok(decision.filter(|decision| decision.verdict == Verdict::Rejected).map(|decision| decision.value))
}
