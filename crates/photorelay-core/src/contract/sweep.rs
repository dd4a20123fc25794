//! The progress of the sweep: where an interrupted sweep resumes, and where the next one starts counting.
//!
//! Losing it costs repeated checks and announcements, and nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::UserId;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepCursor {
    pub v: V1,
    /// When the last completed sweep began; `None` before the first.
    pub previous: Option<Timestamp>,
    /// The running or interrupted sweep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<SweepUnderWay>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepUnderWay {
    pub began_at: Timestamp,
    /// All users up to this one are done; `None` while the users are still being listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_to: Option<UserId>,
}

impl Contract for SweepCursor {}

/// The lease of the running sweep: until it expires, no other sweep starts. Renewed while the sweep runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepLease {
    pub v: V1,
    pub until: Timestamp,
}

impl Contract for SweepLease {}

/// A message in the queue of checks: continue the sweep that began then and ran into the host's time limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContinueSweep {
    pub v: V1,
    pub continue_sweep: Timestamp,
}

impl Contract for ContinueSweep {}
