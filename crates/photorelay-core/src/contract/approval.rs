//! Approvals: the entries that wait for an operator, the operator's decisions, and the deletion slots of a day.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};
use crate::names::{DecisionName, DecisionSubject, ReceiptName};

/// An entry that an agent does not write to the target before an operator approves it. Valid until a later receipt
/// covers the entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub held_for: ApprovalReason,
    /// The value in the target that would be replaced or removed; after a photo was cleared, the one that was cleared.
    pub value: Digest,
    /// How many receipts the entry had in the target then. More than none: the target has shown the entry, and another
    /// writer has replaced it since.
    #[serde(default, skip_serializing_if = "is_none")]
    pub receipts: u32,
    pub reason: String,
    pub agent: String,
    pub at: Timestamp,
}

fn is_none(receipts: &u32) -> bool {
    *receipts == 0
}

impl PendingApproval {
    /// The name of the first decision about it. A removal and a photo that was cleared are decided by the entry, a
    /// foreign value by itself.
    pub fn decision_name(&self) -> DecisionName {
        let subject = match self.held_for {
            ApprovalReason::Removal | ApprovalReason::Cleared => DecisionSubject::Entry(self.seq),
            ApprovalReason::Foreign => DecisionSubject::Value(self.value),
        };
        DecisionName::first(self.user_id, subject, &self.target)
    }

    /// Whether this receipt says that there is nothing to decide any more: of a later entry, or left since.
    pub fn is_covered_by(&self, receipt: &ReceiptName) -> bool {
        let left_since = receipt.seq == self.seq && receipt.number > self.receipts;
        receipt.user == self.user_id && receipt.target == self.target && (receipt.seq > self.seq || left_since)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalReason {
    /// The user no longer has a photo, but the target still shows one.
    Removal,
    /// The target shows a value that photorelay did not write.
    Foreign,
    /// An operator had the photo cleared that photorelay wrote where there was none.
    Cleared,
}

/// An operator's decision. For a removal it applies to this entry, for a foreign value to this value. Created once; a
/// later decision stands beside it, and counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub held_for: ApprovalReason,
    pub value: Digest,
    pub verdict: Verdict,
    /// The operator, as they gave their name or their account does. Decisions up to 0.1 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Approved,
    Rejected,
}

/// One of the removals that the deletion threshold allows on a day without approval. Created once, so two agents never
/// own the same slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletionSlot {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub agent: String,
    pub at: Timestamp,
}

impl Contract for PendingApproval {}
impl Contract for Decision {}
impl Contract for DeletionSlot {}
