//! State that the agents of a target share: whether they are stopped, the progress of the daily full reconciliation,
//! and the day's writes.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// While this blob exists, no agent of the target receives messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopSwitch {
    pub v: V1,
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// The progress of the full reconciliation of all users in the trail. Replaceable: losing it costs one extra run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationCursor {
    pub v: V1,
    pub target: String,
    pub agent: String,
    /// Digest of the settings that decide what is written; a change makes a full reconciliation due at once.
    pub settings: Digest,
    pub began_at: Timestamp,
    /// When this was written: another agent takes over a full reconciliation whose agent died.
    pub at: Timestamp,
    /// All users up to this one are reconciled.
    pub done_to: Option<UserId>,
    pub finished_at: Option<Timestamp>,
}

/// The number of writes that an agent made on this day, in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyWrites {
    pub v: V1,
    pub target: String,
    pub agent: String,
    pub day: Date,
    pub writes: u64,
}

impl Contract for StopSwitch {}
impl Contract for ReconciliationCursor {}
impl Contract for DailyWrites {}
