//! A check message: "look at these people". Never "apply this change": whoever handles it compares what is with what should be.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Cause, Contract, V1};
use crate::id::UserId;

/// One Graph `$batch` answers for as many people.
pub const MAX_PEOPLE_PER_CHECK: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckMessage {
    pub v: V1,
    pub cause: Cause,
    pub users: Vec<UserId>,
    #[serde(default, rename = "look")]
    pub fetch_policy: FetchPolicy,
    /// How often these people have failed before.
    #[serde(default)]
    pub attempt: u32,
    /// Set when this is the second look at a photo that seemed to be gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absence: Option<Absence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FetchPolicy {
    /// An ETag equal to the head's ends the look.
    #[default]
    IfChanged,
    /// The bytes are fetched whatever the ETag says.
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
            0 => Err("no people to look at".to_owned()),
            n if n > MAX_PEOPLE_PER_CHECK => Err(format!("{n} people, more than {MAX_PEOPLE_PER_CHECK}")),
            n if n > 1 && self.absence.is_some() => Err("an absence names one person".to_owned()),
            _ => Ok(()),
        }
    }
}
