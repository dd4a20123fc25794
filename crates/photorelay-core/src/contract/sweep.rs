//! How far the sweep has come: what a sweep that was killed goes on from, and what the next one counts from.
//!
//! Losing it costs looks and announcements that are made once more, and nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::UserId;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepCursor {
    pub v: V1,
    /// When the last sweep that came to its end began; none before the first.
    pub previous: Option<Timestamp>,
    /// The sweep that is under way, or that was cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<SweepUnderWay>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepUnderWay {
    pub began_at: Timestamp,
    /// Everybody up to this person is done.
    pub done_to: UserId,
}

impl Contract for SweepCursor {}

/// Who sweeps at the moment: until then nobody else begins. Renewed while the sweep goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepLease {
    pub v: V1,
    pub until: Timestamp,
}

impl Contract for SweepLease {}

/// In the queue of checks: go on with the sweep that began then. It ran out of the time that its host gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContinueSweep {
    pub v: V1,
    pub continue_sweep: Timestamp,
}

impl Contract for ContinueSweep {}
