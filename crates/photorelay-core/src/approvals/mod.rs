//! What waits for an operator, and what operators decide: listed, approved, rejected, for the agent's command line and
//! for the console. An approval is recorded first and then announced, so one whose announcement is lost is applied by the
//! next full reconciliation.
//!
//! Nothing here writes to a target, and no decision is ever replaced: a later one stands beside it, and counts.

pub mod decisions;
mod held_users;
mod store;

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::audit::{self, AuditError};
use crate::contract::{self, Decision, PendingApproval, Verdict, WriteBack};
use crate::id::{Digest, UserId};
use crate::names::Container;
use crate::operator::OperatorSignature;
use crate::queue::{Outgoing, QueueStore};
use crate::receipts;
use crate::rights::{Grant, ScopedBlobs};
use crate::storage::Storage;
use crate::store::StoreError;
pub use held_users::HeldUsers;
pub use store::ApprovalStore;

/// Why something was not decided. The storage apart, an operator has to look.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("nothing is held of user {user} for target {target}: `photorelay-agent held` lists what is")]
    NothingHeld { user: UserId, target: String },
    #[error("user {user} has no entry {seq} in the audit trail: run `photorelay audit verify`")]
    NoEntry { user: UserId, seq: u32 },
}

/// Something that waits, and what was decided about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalItem {
    #[serde(flatten)]
    pub held: PendingApproval,
    /// None as long as it is undecided.
    pub verdict: Option<Verdict>,
    /// The decision behind the verdict: by which operator, when and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// What was decided. A decision stands, whether or not it could be announced.
#[derive(Debug, Default)]
pub struct DecidedItems {
    pub items: Vec<ApprovalItem>,
    /// Users whose approval no message announces, with the reason: the next full reconciliation applies it.
    pub unannounced: Vec<(UserId, StoreError)>,
    /// The item after which nothing more was decided, where that was not the end.
    pub failed: Option<(UserId, ApprovalError)>,
}

impl DecidedItems {
    /// For a place that shows how many approvals are not announced: whose they are is in the log.
    pub fn log_unannounced(&self) -> usize {
        for (user, error) in &self.unannounced {
            tracing::error!(user.id = %user, %error, "an approval could not be announced");
        }
        self.unannounced.len()
    }
}

/// One item as an operator saw it: a value that was replaced since is not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalChoice {
    pub user: UserId,
    pub seq: u32,
    pub value: Digest,
}

/// The items of one target.
#[derive(Debug, Clone)]
pub struct Approvals {
    store: ApprovalStore,
    blobs: ScopedBlobs,
    queues: Arc<dyn QueueStore>,
    queue: String,
}

impl Approvals {
    pub fn new(storage: Storage, target: String, queue: String) -> Self {
        const GRANTS: &[Grant] = &[Grant::read(Container::Audit, ""), Grant::read(Container::Receipts, "")];
        Self {
            store: ApprovalStore::new(&storage.blobs, &target),
            blobs: ScopedBlobs::new(&storage.blobs, GRANTS),
            queues: storage.queues,
            queue,
        }
    }

    /// What waits now, of one user or of all: the newest entry of each, unless a receipt covers it.
    pub async fn pending(&self, user: Option<UserId>) -> Result<Vec<ApprovalItem>, StoreError> {
        let mut items = Vec::new();
        for held in self.store.newest_pending(user).await? {
            let decision = self.store.decided(&held).await?;
            let verdict = decision.as_ref().map(|decision| decision.verdict);
            if !self.is_covered(&held, verdict).await? {
                items.push(ApprovalItem { held, verdict, decision });
            }
        }
        Ok(items)
    }

    /// Decides everything that waits for this user, also what was decided before.
    pub async fn decide(
        &self,
        user: UserId,
        verdict: Verdict,
        signature: &OperatorSignature,
    ) -> Result<DecidedItems, ApprovalError> {
        let items = self.pending(Some(user)).await?;
        if items.is_empty() {
            return Err(ApprovalError::NothingHeld { user, target: self.store.target().to_owned() });
        }
        self.decide_each(items, verdict, signature).await
    }

    /// Decides these items, and returns those that still waited as the operator saw them.
    pub async fn decide_some(
        &self,
        chosen: &[ApprovalChoice],
        verdict: Verdict,
        signature: &OperatorSignature,
    ) -> Result<DecidedItems, ApprovalError> {
        let mut items = Vec::new();
        for choice in chosen {
            let is_meant = |held: &PendingApproval| (held.seq, held.value) == (choice.seq, choice.value);
            items.extend(self.pending(Some(choice.user)).await?.into_iter().filter(|item| is_meant(&item.held)));
        }
        self.decide_each(items, verdict, signature).await
    }

    /// Decides everything that is undecided, and returns what was decided. Goes on after an item that fails, which is
    /// handed to `failed`.
    pub async fn decide_all(
        &self,
        verdict: Verdict,
        signature: &OperatorSignature,
        mut failed: impl FnMut(UserId, ApprovalError),
    ) -> Result<DecidedItems, StoreError> {
        let mut decided = DecidedItems::default();
        for item in self.pending(None).await?.into_iter().filter(|item| item.verdict.is_none()) {
            let user = item.held.user_id;
            if let Err(error) = self.decide_on(item, verdict, signature, &mut decided).await {
                failed(user, error);
            }
        }
        Ok(decided)
    }

    /// One after the other, until one fails. An error means that nothing was decided.
    async fn decide_each(
        &self,
        items: Vec<ApprovalItem>,
        verdict: Verdict,
        signature: &OperatorSignature,
    ) -> Result<DecidedItems, ApprovalError> {
        let mut decided = DecidedItems::default();
        for item in items {
            let user = item.held.user_id;
            if let Err(error) = self.decide_on(item, verdict, signature, &mut decided).await {
                if decided.items.is_empty() {
                    return Err(error);
                }
                decided.failed = Some((user, error));
                break;
            }
        }
        Ok(decided)
    }

    /// Records the decision and announces an approval. What could not be announced is looked at before anything is
    /// recorded: an error means that nothing was decided.
    async fn decide_on(
        &self,
        mut item: ApprovalItem,
        verdict: Verdict,
        signature: &OperatorSignature,
        decided: &mut DecidedItems,
    ) -> Result<(), ApprovalError> {
        let (user, seq) = (item.held.user_id, item.held.seq);
        let announcement = match verdict {
            Verdict::Approved => self.announcement(user, seq).await?,
            Verdict::Rejected => None,
        };
        let decision = self.store.decide(&item.held, verdict, signature).await?;
        (item.verdict, item.decision) = (Some(verdict), Some(decision));
        decided.items.push(item);
        if let Some(event) = announcement
            && let Err(error) = self.send(event).await
        {
            decided.unannounced.push((user, error));
        }
        Ok(())
    }

    /// The message that has an agent bring up this user.
    async fn announcement(&self, user: UserId, seq: u32) -> Result<Option<WriteBack>, ApprovalError> {
        let committed = audit::read(&self.blobs, user, seq).await?.ok_or(ApprovalError::NoEntry { user, seq })?;
        Ok(WriteBack::announcing(&committed.entry, committed.sha256))
    }

    async fn send(&self, event: WriteBack) -> Result<(), StoreError> {
        let body = Bytes::from(contract::to_bytes(&event.sent_now()));
        self.queues.send(&self.queue, vec![Outgoing::now(body)]).await
    }

    /// Asks an agent to undo what this entry did to the target. An agent does so only if no later entry concerns the
    /// target by then, and within the deletion threshold.
    pub async fn request_undo(
        &self,
        user: UserId,
        seq: u32,
        signature: &OperatorSignature,
    ) -> Result<(), ApprovalError> {
        let committed = audit::read(&self.blobs, user, seq).await?.ok_or(ApprovalError::NoEntry { user, seq })?;
        Ok(self.send(WriteBack::asking_to_undo(&committed.entry, committed.sha256, signature)).await?)
    }

    /// Whether a receipt says that there is nothing to decide any more. One of the same entry does not if an operator
    /// put the earlier value back: that decision can still be changed.
    async fn is_covered(&self, held: &PendingApproval, verdict: Option<Verdict>) -> Result<bool, StoreError> {
        let names = receipts::names_of(&self.blobs, held.user_id).await?;
        let mut receipts = names.into_iter().filter(|receipt| receipt.target == held.target);
        Ok(match verdict {
            Some(Verdict::Rejected) => receipts.any(|receipt| receipt.seq > held.seq),
            _ => receipts.any(|receipt| held.is_covered_by(&receipt)),
        })
    }
}
