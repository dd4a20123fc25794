//! The head of a user's trail: a cache that makes "nothing changed" cheap.
//!
//! A head may be outdated, lost or overwritten by a slow worker, which costs extra checks and nothing else.
//! The audit trail is the source of truth, and every head can be rebuilt from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    pub v: V1,
    pub user_id: UserId,
    /// The newest entry of the trail when this head was written; 0 if there was none.
    pub seq: u32,
    /// The media ETag at the last check; `None` forces a check whatever Graph returns.
    pub media_etag: Option<String>,
    /// SHA-256 of the bytes that Graph returned at the last check.
    pub sha256: Option<Digest>,
    /// Whether a later check has confirmed this ETag and digest. Graph is eventually consistent.
    pub settled: bool,
    /// When this ETag and digest were first seen together.
    pub since: Timestamp,
    /// When the bytes themselves were last fetched.
    pub fetched_at: Option<Timestamp>,
    #[serde(default, rename = "standing")]
    pub capture_status: CaptureStatus,
    /// When the photo was first not found, if it has not been seen since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<EchoSighting>,
}

impl Head {
    /// A head that knows only the end of the trail and nothing about Graph, so the next check fetches the photo.
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

/// Whether this user's photos are captured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "camelCase")]
pub enum CaptureStatus {
    #[default]
    Active,
    /// Not in scope at the last check, with the reason as text.
    OutOfScope {
        reason: String,
    },
    /// Too many captures within a day; the next check runs at this time.
    Parked {
        until: Timestamp,
    },
    Forgotten,
}

/// The last time that Graph returned a copy of a rendition that photorelay had written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EchoSighting {
    pub sha256: Digest,
    /// The entry that the rendition belongs to.
    pub of_seq: u32,
    pub seen_at: Timestamp,
}

impl Contract for Head {}
