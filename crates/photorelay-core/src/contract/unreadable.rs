//! A user for whom Graph fails again and again: what it answered, and when the next check is due.
//!
//! It keeps the sweep and notifications from adding checks that would fail alike. Losing it costs one more check and
//! nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::UserId;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableUser {
    pub v: V1,
    pub user_id: UserId,
    /// Status and code of the last answer, such as `403 ErrorAccessDenied`.
    pub reason: String,
    /// The request that failed, such as `fetch the photo`.
    pub operation: String,
    /// How many checks have failed, one after the other.
    pub failures: u32,
    /// When the first of them failed.
    pub since: Timestamp,
    /// Until then, one check waits in the queue, or none.
    pub next_check_at: Timestamp,
}

impl Contract for UnreadableUser {}
