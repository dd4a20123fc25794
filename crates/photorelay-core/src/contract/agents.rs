//! What the agents of a target share about their work as a whole: whether they are stopped, how far the daily pass has
//! come, how much of the day's write budget is used.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// While this stands, no agent of the target takes an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopSwitch {
    pub v: V1,
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub at: Timestamp,
}

/// How far the look at everybody in the trail has come. Replaced freely; one that is lost costs a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationCursor {
    pub v: V1,
    pub target: String,
    pub agent: String,
    /// Of the settings that decide what is written; another digest makes a pass due at once.
    pub settings: Digest,
    pub began_at: Timestamp,
    /// When this was written: a pass whose agent died is taken over.
    pub at: Timestamp,
    /// Everybody up to here has been looked at.
    pub done_to: Option<UserId>,
    pub finished_at: Option<Timestamp>,
}

/// How many writes an agent made on this day, in UTC.
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
