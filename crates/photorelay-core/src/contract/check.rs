//! A check message: "reconcile these users". It never says "apply this change": the handler compares the current state
//! with the desired state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cause, Contract, V1};
use crate::id::UserId;

/// The number of requests that one Graph `$batch` may hold.
pub const MAX_PEOPLE_PER_CHECK: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckMessage {
    pub v: V1,
    pub cause: Cause,
    pub users: Vec<UserId>,
    #[serde(default, rename = "look")]
    pub fetch_policy: FetchPolicy,
    /// How often the check of these users has failed before.
    #[serde(default)]
    pub attempt: u32,
    /// Set if this is the second check of a photo that was not found the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absence: Option<Absence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FetchPolicy {
    /// Fetches the photo only if its ETag differs from the one in the head.
    #[default]
    IfChanged,
    /// Fetches the photo whatever the ETag is.
    Always,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Absence {
    /// The newest entry when the photo was first not found.
    pub seq: u32,
    pub first_seen_at: Timestamp,
}

impl Contract for CheckMessage {
    fn validate(&self) -> Result<(), String> {
        match self.users.len() {
            0 => Err("there are no users to check".to_owned()),
            n if n > MAX_PEOPLE_PER_CHECK => Err(format!("{n} users exceed the limit of {MAX_PEOPLE_PER_CHECK}")),
            n if n > 1 && self.absence.is_some() => Err("an absence must name a single user".to_owned()),
            _ => Ok(()),
        }
    }
}
