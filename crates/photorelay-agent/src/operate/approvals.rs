//! What waits for an operator: listed, approved, rejected. An approval is recorded first and then announced, so one whose
//! announcement is lost is applied by the next full reconciliation.
//!
//! Nothing here writes to a target.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use photorelay_core::audit;
use photorelay_core::contract::{self, PendingApproval, Verdict, WriteBack};
use photorelay_core::id::UserId;
use photorelay_core::names::Container;
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use serde::Serialize;

use crate::rights::{Grant, ScopedBlobs};
use crate::writeback::approvals::ApprovalStore;
use crate::writeback::receipt_reader::ReceiptReader;

/// Something that waits, and what was decided about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalItem {
    #[serde(flatten)]
    pub held: PendingApproval,
    /// None as long as it is undecided.
    pub verdict: Option<Verdict>,
}

/// The items of one target.
#[derive(Debug, Clone)]
pub struct Approvals {
    store: ApprovalStore,
    receipts: ReceiptReader,
    trail: ScopedBlobs,
    queues: Arc<dyn QueueStore>,
    target: String,
    queue: String,
}

impl Approvals {
    pub fn new(storage: Storage, target: String, queue: String) -> Self {
        const TRAIL: &[Grant] = &[Grant::read(Container::Audit, "")];
        Self {
            store: ApprovalStore::new(&storage.blobs, &target),
            receipts: ReceiptReader::new(&storage.blobs, &target),
            trail: ScopedBlobs::new(&storage.blobs, TRAIL),
            queues: storage.queues,
            target,
            queue,
        }
    }

    /// What waits now, of one user or of all: the newest entry of each, unless a receipt covers it.
    pub async fn pending(&self, user: Option<UserId>) -> Result<Vec<ApprovalItem>> {
        let mut items = Vec::new();
        for held in self.store.newest_pending(user).await? {
            let verdict = self.store.verdict(&held).await?;
            if !self.is_covered(&held, verdict).await? {
                items.push(ApprovalItem { held, verdict });
            }
        }
        Ok(items)
    }

    /// Decides everything that waits for this user. A decision that was made before is replaced.
    pub async fn decide(&self, user: UserId, verdict: Verdict) -> Result<Vec<ApprovalItem>> {
        let items = self.pending(Some(user)).await?;
        if items.is_empty() {
            bail!("nothing is held of user {user} for target {}: `photorelay-agent held` lists what is", self.target);
        }
        self.decide_on(items, verdict).await
    }

    /// Decides everything that is undecided.
    pub async fn decide_all(&self, verdict: Verdict) -> Result<Vec<ApprovalItem>> {
        let items = self.pending(None).await?.into_iter().filter(|item| item.verdict.is_none()).collect();
        self.decide_on(items, verdict).await
    }

    async fn decide_on(&self, mut items: Vec<ApprovalItem>, verdict: Verdict) -> Result<Vec<ApprovalItem>> {
        for item in &mut items {
            self.store.decide(&item.held, verdict).await?;
            if verdict == Verdict::Approved {
                self.announce(item.held.user_id, item.held.seq).await?;
            }
            item.verdict = Some(verdict);
        }
        Ok(items)
    }

    /// Sends the message that has an agent bring up this user.
    async fn announce(&self, user: UserId, seq: u32) -> Result<()> {
        let Some(committed) = audit::read(&self.trail, user, seq).await? else {
            bail!("user {user} has no entry {seq} in the audit trail: run `photorelay audit verify`");
        };
        if let Some(event) = WriteBack::announcing(&committed.entry, committed.sha256) {
            let body = Bytes::from(contract::to_bytes(&event.sent_now()));
            self.queues.send(&self.queue, vec![Outgoing::now(body)]).await?;
        }
        Ok(())
    }

    /// Whether a receipt says that there is nothing to decide any more. One of the same entry does not if an operator
    /// put the earlier value back: that decision can still be changed.
    async fn is_covered(&self, held: &PendingApproval, verdict: Option<Verdict>) -> Result<bool, StoreError> {
        let mut receipts = self.receipts.names_of(held.user_id).await?.into_iter();
        Ok(match verdict {
            Some(Verdict::Rejected) => receipts.any(|receipt| receipt.seq > held.seq),
            _ => receipts.any(|receipt| held.is_covered_by(&receipt)),
        })
    }
}
