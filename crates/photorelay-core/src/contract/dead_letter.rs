//! A dead letter: a message that can never be handled, stored as a blob with the reason. The poison queue holds a copy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Contract, V1};

/// Replaceable: dead-lettering the same message twice results in one blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub v: V1,
    pub queue: String,
    pub reason: String,
    pub at: Timestamp,
    /// The original message body, decoded from base64.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub body: Vec<u8>,
}

impl Contract for DeadLetter {
    /// Enough for the largest message encoded as base64 twice, and the reason.
    const MAX_BYTES: usize = 128 * 1024;
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64.decode(text).map_err(serde::de::Error::custom)
}
