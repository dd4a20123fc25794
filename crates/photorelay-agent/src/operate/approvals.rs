//! What waits for an operator: listed, approved, rejected. An approval is written down first and then announced, so one
//! whose announcement is lost is applied by the daily pass.
//!
//! Nothing here writes to a target.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::audit;
use photorelay_core::contract::{self, ApprovalReason, Decision, PendingApproval, V1, Verdict, WriteBack};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::queue::Outgoing;
use photorelay_core::storage::Storage;
use photorelay_core::store::{StoreError, list_all};
use serde::Serialize;

use crate::documents;

/// Something that is held, and what was said about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalItem {
    #[serde(flatten)]
    pub held: PendingApproval,
    /// None as long as nobody has decided.
    pub verdict: Option<Verdict>,
}

/// The items of one target.
#[derive(Debug, Clone)]
pub struct Approvals {
    storage: Storage,
    target: String,
    queue: String,
}

impl Approvals {
    pub fn new(storage: Storage, target: String, queue: String) -> Self {
        Self { storage, target, queue }
    }

    /// What is held now, of one person or of everybody: the newest entry of each, unless a receipt covers it.
    pub async fn held(&self, user: Option<UserId>) -> Result<Vec<ApprovalItem>> {
        let prefix = user.map_or_else(|| names::HELD_PREFIX.to_owned(), names::held_prefix);
        let mut newest: BTreeMap<UserId, PendingApproval> = BTreeMap::new();
        for blob in list_all(&*self.storage.blobs, Container::Agents, &prefix).await? {
            let held: Option<PendingApproval> =
                documents::read(&*self.storage.blobs, Container::Agents, &blob.name).await?;
            // In the order of names: a later entry of a person comes later.
            if let Some(held) = held.filter(|held| held.target == self.target) {
                newest.insert(held.user_id, held);
            }
        }
        let mut waiting = Vec::new();
        for held in newest.into_values() {
            let verdict = self.verdict(&held).await?;
            if !self.is_covered(&held, verdict).await? {
                waiting.push(ApprovalItem { held, verdict });
            }
        }
        Ok(waiting)
    }

    /// Says what becomes of everything that is held of this person. Something decided before is decided anew.
    pub async fn decide(&self, user: UserId, verdict: Verdict) -> Result<Vec<ApprovalItem>> {
        let waiting = self.held(Some(user)).await?;
        if waiting.is_empty() {
            bail!("nothing is held of user {user} for target {}: `photorelay-agent held` lists what is", self.target);
        }
        self.decide_on(waiting, verdict).await
    }

    /// Says what becomes of everything that nobody has decided yet.
    pub async fn decide_all(&self, verdict: Verdict) -> Result<Vec<ApprovalItem>> {
        let waiting = self.held(None).await?.into_iter().filter(|waiting| waiting.verdict.is_none()).collect();
        self.decide_on(waiting, verdict).await
    }

    async fn decide_on(&self, mut waiting: Vec<ApprovalItem>, verdict: Verdict) -> Result<Vec<ApprovalItem>> {
        for item in &mut waiting {
            let held = &item.held;
            record(&self.storage, held, verdict).await?;
            if verdict == Verdict::Approved {
                self.announce(held.user_id, held.seq).await?;
            }
            item.verdict = Some(verdict);
        }
        Ok(waiting)
    }

    /// Sends the message by which an agent looks at this person again.
    async fn announce(&self, user: UserId, seq: u32) -> Result<()> {
        let Some(committed) = audit::read(&*self.storage.blobs, user, seq).await? else {
            bail!("user {user} has no entry {seq} in the audit trail: run `photorelay audit verify`");
        };
        if let Some(event) = WriteBack::announcing(&committed.entry, committed.sha256) {
            let body = Bytes::from(contract::to_bytes(&event));
            self.storage.queues.send(&self.queue, vec![Outgoing::now(body)]).await?;
        }
        Ok(())
    }

    /// Whether a receipt says that there is nothing to decide any more. One of the same entry does not if an operator
    /// had the value of before put back: that can still be changed.
    async fn is_covered(&self, held: &PendingApproval, verdict: Option<Verdict>) -> Result<bool, StoreError> {
        let first = if verdict == Some(Verdict::Rejected) { held.seq + 1 } else { held.seq };
        let receipts = list_all(&*self.storage.blobs, Container::Receipts, &names::person_prefix(held.user_id)).await?;
        let mut of_target = receipts.iter().filter_map(|blob| names::parse_receipt(&blob.name));
        Ok(of_target.any(|(_, seq, target)| target == self.target && seq >= first))
    }

    async fn verdict(&self, held: &PendingApproval) -> Result<Option<Verdict>, StoreError> {
        let decision: Option<Decision> =
            documents::read(&*self.storage.blobs, Container::Agents, &decision_name(held)).await?;
        // A removal is approved together with the value that goes.
        let applies = |decision: &Decision| decision.verdict == Verdict::Rejected || decision.value == held.value;
        Ok(decision.filter(applies).map(|decision| decision.verdict))
    }
}

/// Writes down what an operator said about something that is held.
pub(crate) async fn record(storage: &Storage, held: &PendingApproval, verdict: Verdict) -> Result<(), StoreError> {
    let decision = Decision {
        v: V1,
        user_id: held.user_id,
        seq: held.seq,
        target: held.target.clone(),
        held_for: held.held_for,
        value: held.value,
        verdict,
        at: Timestamp::now(),
    };
    documents::put(&*storage.blobs, Container::Agents, &decision_name(held), &decision).await
}

fn decision_name(held: &PendingApproval) -> String {
    match held.held_for {
        ApprovalReason::Removal => names::removal_decision(held.user_id, held.seq, &held.target),
        ApprovalReason::Foreign => names::foreign_decision(held.user_id, held.value, &held.target),
    }
}
