//! The head of a person's trail: a cache that makes "nothing changed" cheap.
//!
//! It may be behind, lost or overwritten by a slow worker; that costs extra looks and nothing else.
//! The audit trail is the truth, and every head can be rebuilt from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub v: V1,
    pub user_id: UserId,
    /// The newest entry of the trail that this head knows; 0 if there was none.
    pub seq: u32,
    /// The media ETag of the last look; none means: look, whatever Graph says.
    pub media_etag: Option<String>,
    /// SHA-256 of what Graph showed at the last look.
    pub sha256: Option<Digest>,
    /// Whether a later look has confirmed this ETag and digest. Graph is eventually consistent.
    pub settled: bool,
    /// When this ETag and digest were first seen together.
    pub since: Timestamp,
    /// When the bytes themselves were last fetched.
    pub fetched_at: Option<Timestamp>,
    #[serde(default, rename = "standing")]
    pub capture_status: CaptureStatus,
    /// When the photo was first not found, while nobody has seen it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<EchoSighting>,
}

impl Head {
    /// A head that knows where the trail ends and nothing of what Graph shows: the next look is a full one.
    pub fn at(user_id: UserId, seq: u32, now: Timestamp) -> Self {
        Self {
            v: V1,
            user_id,
            seq,
            media_etag: None,
            sha256: None,
            settled: false,
            since: now,
            fetched_at: None,
            capture_status: CaptureStatus::Active,
            absent_since: None,
            echo: None,
        }
    }
}

/// Whether this person's photos are captured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum CaptureStatus {
    #[default]
    Active,
    /// Not in scope when last looked at; the reason in words.
    OutOfScope {
        reason: String,
    },
    /// Too many captures within a day; a check comes back at this time.
    Parked {
        until: Timestamp,
    },
    Forgotten,
}

/// The last time that Graph showed a copy of something we had written ourselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EchoSighting {
    pub sha256: Digest,
    /// The entry whose rendition came back.
    pub of_seq: u32,
    pub seen_at: Timestamp,
}

impl Contract for Head {}
