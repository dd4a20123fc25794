//! What an agent says of itself, every minute: whether it works, since when, and what waits.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};

/// Replaced freely. One that is old says that the agent is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    pub v: V1,
    pub target: String,
    pub agent: String,
    /// Of the program.
    pub version: String,
    pub started_at: Timestamp,
    pub at: Timestamp,
    /// When an item was last brought to its end.
    pub last_success_at: Option<Timestamp>,
    /// Since when the oldest item that this agent has tried and not finished waits; none if there is none.
    pub oldest_unfinished_at: Option<Timestamp>,
    /// Why the agent writes nothing now: what is down, or that it was stopped by an operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    pub dry_run: bool,
    /// When the certificate with which the agent signs in to Azure expires, if it uses one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Timestamp>,
}

impl Contract for Heartbeat {}
