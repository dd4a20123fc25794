//! The documents of one target: the entries that wait for an operator, and what was decided about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::decisions;
use crate::contract::{ApprovalReason, Decision, PendingApproval, V1, Verdict};
use crate::documents;
use crate::id::UserId;
use crate::names::{self, Container, DecisionName};
use crate::operator::OperatorSignature;
use crate::rights::{Grant, ScopedBlobs};
use crate::store::{BlobStore, StoreError, list_all};

/// The pending approvals and decisions of one target.
#[derive(Debug, Clone)]
pub struct ApprovalStore {
    blobs: ScopedBlobs,
    target: String,
}

impl ApprovalStore {
    pub fn new(blobs: &Arc<dyn BlobStore>, target: &str) -> Self {
        const GRANTS: &[Grant] = &[
            Grant::write(Container::Agents, names::HELD_PREFIX),
            Grant::write(Container::Agents, names::DECISIONS_PREFIX),
        ];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), target: target.to_owned() }
    }

    pub fn target(&self) -> &str {
        &self.target
    }

    /// The decision that counts, of those that begin with this one.
    pub async fn decision(&self, first: DecisionName) -> Result<Option<Decision>, StoreError> {
        decisions::counting(&self.blobs, first).await
    }

    /// Records that the entry waits for an operator from now on. One that waits already, [`Self::is_held`], keeps its
    /// time and its reason.
    pub async fn hold(&self, pending: &PendingApproval) -> Result<(), StoreError> {
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
    pub async fn is_held(&self, pending: &PendingApproval) -> Result<bool, StoreError> {
        let known = self.pending(pending.user_id, pending.seq).await?;
        Ok(known.is_some_and(|known| known.value == pending.value && known.receipts == pending.receipts))
    }

    /// Records that the entry waits, in place of what was recorded of it.
    pub async fn put(&self, pending: &PendingApproval) -> Result<(), StoreError> {
        let name = names::held(pending.user_id, pending.seq, &pending.target);
        documents::replace(&self.blobs, Container::Agents, &name, pending).await
    }

    /// What waits of this entry.
    pub async fn pending(&self, user: UserId, seq: u32) -> Result<Option<PendingApproval>, StoreError> {
        documents::read(&self.blobs, Container::Agents, &names::held(user, seq, &self.target)).await
    }

    /// The approved change is made, or the target shows what it should again: the entry waits no more.
    pub async fn release(&self, user: UserId, seq: u32) -> Result<(), StoreError> {
        self.blobs.delete(Container::Agents, &names::held(user, seq, &self.target)).await
    }

    /// The newest pending approval of each user, or of one.
    pub async fn newest_pending(&self, user: Option<UserId>) -> Result<Vec<PendingApproval>, StoreError> {
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
    pub async fn decided(&self, pending: &PendingApproval) -> Result<Option<Decision>, StoreError> {
        let decision = self.decision(pending.decision_name()).await?;
        // A removal is approved together with the value that goes.
        Ok(decision.filter(|decision| decision.verdict == Verdict::Rejected || decision.value == pending.value))
    }

    /// Records an operator's decision beside the earlier ones, and returns it.
    pub async fn decide(
        &self,
        pending: &PendingApproval,
        verdict: Verdict,
        signature: &OperatorSignature,
    ) -> Result<Decision, StoreError> {
        let decision = Decision {
            v: V1,
            user_id: pending.user_id,
            seq: pending.seq,
            target: pending.target.clone(),
            held_for: pending.held_for,
            value: pending.value,
            verdict,
            by: Some(signature.by()),
            reason: signature.reason(),
            at: Timestamp::now(),
        };
        decisions::append(&self.blobs, pending.decision_name(), &decision).await?;
        Ok(decision)
    }
}
