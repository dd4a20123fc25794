//! An agent's heartbeat, written every minute: whether it works, since when, and how far it is behind.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};

/// Replaceable. An old heartbeat means that the agent is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    pub v: V1,
    pub target: String,
    pub agent: String,
    /// The version of the agent program.
    pub version: String,
    pub started_at: Timestamp,
    pub at: Timestamp,
    /// When the agent last completed a message, other than by refusing it.
    pub last_success_at: Option<Timestamp>,
    /// When the oldest message that the agent has tried but not completed was sent.
    pub oldest_unfinished_at: Option<Timestamp>,
    /// Why the agent currently writes nothing: a dependency is down, or an operator stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Several users in a row were refused for one reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusing: Option<RefusalStreak>,
    /// Why changes that were accepted are not published to the target's readers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
    pub dry_run: bool,
    /// When the agent's Azure sign-in certificate expires, if it uses one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires_at: Option<Timestamp>,
}

/// Users who were refused for one reason, with no other brought up in between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalStreak {
    pub people: u64,
    /// As it was given for the last of them.
    pub reason: String,
    pub since: Timestamp,
}

impl Contract for Heartbeat {}
