//! Receipts: what the agent made of an entry in a target, for every final outcome.
//!
//! An entry may have several receipts in one target, numbered in the order in which they were left: a photo that was
//! refused for a missing right is written once the right is granted. **The one with the highest number counts.** Each
//! says something that the one before it does not ([`Receipt::says_more_than`]), so one that counts is never repeated.
//!
//! An entry is **covered** in a target if it or a later entry has a receipt there, whatever its outcome: an agent has
//! processed it and the sweep does not announce it again. Covered does not mean shown: what was refused is tried again
//! by every full reconciliation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// Proof of what became of an entry in a target. Created once, and never changed.
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
    /// When the message that announced the entry was sent; `None` if no message did, but a full reconciliation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
    /// When the agent began with this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
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

impl Receipt {
    /// Whether this says something new after the receipt that counts so far: another outcome, another reason, or a write
    /// that replaced another value.
    pub fn says_more_than(&self, counting: &Receipt) -> bool {
        match self.outcome {
            Outcome::Written => counting.outcome != Outcome::Written || counting.before != self.before,
            Outcome::Unchanged => !counting.outcome.is_shown(),
            Outcome::Refused => counting.outcome != Outcome::Refused || counting.reason != self.reason,
            // Said once, by the write of a later entry.
            Outcome::Superseded => false,
        }
    }
}

impl Outcome {
    /// As operators and metrics name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Unchanged => "unchanged",
            Self::Superseded => "superseded",
            Self::Refused => "refused",
        }
    }

    /// Whether the target showed the entry's value then.
    pub fn is_shown(self) -> bool {
        matches!(self, Self::Written | Self::Unchanged)
    }
}

impl Contract for Receipt {}
