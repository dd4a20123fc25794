//! The daily checkpoint: where everybody's trail ended that day, chained to the checkpoint before it.
//!
//! A person's own chain cannot show that its end was cut off, or that the person is missing altogether; this can.
//! The ends stand in pages that are named by their digests, so a quiet day shares the pages of the day before.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// What one page holds at most.
pub const ENDS_PER_PAGE: usize = 5_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    pub v: V1,
    /// In UTC; there is one checkpoint a day at most.
    pub day: Date,
    pub taken_at: Timestamp,
    /// None for the first.
    pub previous: Option<CheckpointLink>,
    pub people: u64,
    /// In the order of the people in them.
    pub pages: Vec<PageLink>,
}

/// The checkpoint before, and the SHA-256 of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointLink {
    pub day: Date,
    pub sha256: Digest,
}

/// A page by the SHA-256 of its bytes, and who is on it.
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
    /// In the order of people, each once.
    pub ends: Vec<TrailEnd>,
}

/// The newest entry of a person's trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrailEnd {
    pub user_id: UserId,
    pub seq: u32,
    /// SHA-256 of the entry's bytes.
    pub sha256: Digest,
}

impl Contract for Checkpoint {
    /// Room for the pages of some 30 million people.
    const MAX_BYTES: usize = 1024 * 1024;

    fn validate(&self) -> Result<(), String> {
        match self.previous {
            Some(previous) if previous.day >= self.day => Err("it names a later day as the one before it".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Contract for CheckpointPage {
    const MAX_BYTES: usize = 1024 * 1024;

    fn validate(&self) -> Result<(), String> {
        match self.ends.is_sorted_by(|a, b| a.user_id < b.user_id) {
            true if !self.ends.is_empty() => Ok(()),
            true => Err("nobody is on the page".to_owned()),
            false => Err("the people are not in their order".to_owned()),
        }
    }
}
