//! Who shows a photo in which object of a target: claims of users, and what became of two users with one object.
//!
//! A person who leaves the synchronisation and comes back has another object ID in Entra ID and another trail, and is the
//! same object in the directory.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// A user was found to be this object of the target. Created once, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectClaim {
    pub v: V1,
    pub user_id: UserId,
    pub target: String,
    /// SHA-256 of the object's name in the target's own notation.
    pub object: Digest,
    pub at: Timestamp,
}

/// Two users were found to be the same object. Kept once for each of them, and replaced when `contested` changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Succession {
    pub v: V1,
    pub target: String,
    /// The user whose trail began first: it does not write any more.
    pub earlier: UserId,
    pub later: UserId,
    /// Both trails go on: neither of the users is written.
    pub contested: bool,
    pub at: Timestamp,
}

impl Contract for ObjectClaim {}
impl Contract for Succession {}
