//! The daily checkpoint: the end of every user's trail on that day, chained to the previous checkpoint.
//!
//! A user's own chain cannot show that it was truncated, or that the whole trail is missing; a checkpoint can. The ends
//! are stored in pages named by their digests, so a day without changes shares the pages of the previous day.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// The maximum number of trail ends on one page.
pub const ENDS_PER_PAGE: usize = 2_000;
/// Receipts in more targets are not recorded, so that a page stays small.
pub const MAX_RECEIPTS_PER_END: usize = 8;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub v: V1,
    /// In UTC; there is at most one checkpoint a day.
    pub day: Date,
    pub taken_at: Timestamp,
    /// `None` for the first checkpoint.
    pub previous: Option<CheckpointLink>,
    pub people: u64,
    /// In the order of their users.
    pub pages: Vec<PageLink>,
}

/// The previous checkpoint and the SHA-256 of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointLink {
    pub day: Date,
    pub sha256: Digest,
}

/// A page, identified by the SHA-256 of its bytes, and the range of users on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageLink {
    pub sha256: Digest,
    pub first: UserId,
    pub last: UserId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointPage {
    pub v: V1,
    /// In the order of user ids, without duplicates.
    pub ends: Vec<TrailEnd>,
}

/// The newest entry of a user's trail, and the newest receipt in each target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrailEnd {
    pub user_id: UserId,
    pub seq: u32,
    /// SHA-256 of the entry's bytes.
    pub sha256: Digest,
    /// In the order of their targets; at most [`MAX_RECEIPTS_PER_END`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<ReceiptEnd>,
}

/// The newest receipt of a user in one target: which one it is, and the SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptEnd {
    pub target: String,
    pub seq: u32,
    pub number: u32,
    pub sha256: Digest,
}

impl Contract for Checkpoint {
    /// Enough for the pages of about 12 million users.
    const MAX_BYTES: usize = 1024 * 1024;

    fn validate(&self) -> Result<(), String> {
        match self.previous {
            Some(previous) if previous.day >= self.day => Err("its predecessor is not earlier".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Contract for CheckpointPage {
    const MAX_BYTES: usize = 4 * 1024 * 1024;

    fn validate(&self) -> Result<(), String> {
        match self.ends.is_sorted_by(|a, b| a.user_id < b.user_id) {
            true if !self.ends.is_empty() => Ok(()),
            true => Err("the page is empty".to_owned()),
            false => Err("the users are not in order".to_owned()),
        }
    }
}
