//! What an agent published last of a feed, so that one that was lost or restored from a backup is recognised.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Contract, V1};

/// Replaceable, written after each publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedFeed {
    pub v: V1,
    pub target: String,
    pub epoch: Uuid,
    pub sequence: u64,
    /// With and without a photo.
    pub people: u64,
    pub photos: u64,
    pub at: Timestamp,
}

impl Contract for PublishedFeed {}
