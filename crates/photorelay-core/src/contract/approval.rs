//! Approvals: the entries that wait for an operator, the operator's decisions, and the deletion slots of a day.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};
use crate::names::ReceiptName;

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
    /// The value in the target that would be replaced or removed.
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
}

/// An operator's decision. For a removal it applies to this entry, for a foreign value to this value.
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
