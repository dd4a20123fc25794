//! What the agent leaves behind: a receipt for every final outcome, a replaceable note for everything else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// Proof that a target was brought up to an entry. Created once; one for a later entry covers the earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub outcome: Outcome,
    /// Why, where the outcome alone does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub entry_sha256: Digest,
    /// What the target held before and what it held when read back; none means no photo.
    pub before: Option<Digest>,
    pub after: Option<Digest>,
    /// Where it was written: a domain controller, a folder.
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
    /// A later entry was brought to the target instead.
    Superseded,
    Refused,
}

/// Why an announced entry is not in a target yet. Replaced freely, and announced again when what it says changes.
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
