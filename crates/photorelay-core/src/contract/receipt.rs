//! The agent's results: a receipt for every final outcome, a replaceable note for everything else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// Proof that a target is up to date with an entry. Created once; a receipt for a later entry covers earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub outcome: Outcome,
    /// The reason, if the outcome alone does not explain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub entry_sha256: Digest,
    /// The target's value before the write and when read back after it; `None` means no photo.
    pub before: Option<Digest>,
    pub after: Option<Digest>,
    /// The domain controller or folder that was written to.
    pub server: String,
    pub agent: String,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Written,
    Unchanged,
    /// A later entry was written to the target instead.
    Superseded,
    Refused,
}

/// Why an announced entry is not in a target yet. Replaceable; the entry is announced again when the reason changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub note: NoteKind,
    pub reason: String,
    pub agent: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoteKind {
    DryRun,
    OutOfScope,
    Held,
}

impl Contract for Receipt {}
impl Contract for Note {}
