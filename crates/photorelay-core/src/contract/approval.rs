//! What waits for an operator, what the operator decided, and which removals a day had.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// An entry that a target will not show before an operator approves. Stands until a receipt covers the entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub held_for: ApprovalReason,
    /// What the target shows, and would show no more.
    pub value: Digest,
    pub reason: String,
    pub agent: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalReason {
    /// The person has no photo any more, and the target still shows one.
    Removal,
    /// The target shows a value that we did not write.
    Foreign,
}

/// What an operator said. About a removal it holds for this entry, about a foreign value for this value.
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

/// One of the removals that a day may have without an operator. Created once, so two agents never own the same.
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
