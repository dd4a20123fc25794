//! Stands while a photo is decoded whose message was delivered before: what is still there afterwards tells that the
//! program died while it decoded, and not anywhere else.
//!
//! Losing it costs more deaths before the photo is refused, or one more look at it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecodeMarker {
    pub v: V1,
    pub user_id: UserId,
    pub sha256: Digest,
    /// How many times decoding began and did not end.
    pub begun: u32,
    /// Whether the photo was refused because of that.
    pub refused: bool,
    /// The version of the program.
    pub program: String,
    pub at: Timestamp,
}

impl Contract for DecodeMarker {}
