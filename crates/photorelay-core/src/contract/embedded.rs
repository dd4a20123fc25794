//! The metadata file that the embedded store keeps for a blob, with the version of the blob's file it belongs to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Contract, V1};

/// Identifies a version of a file: its modification time, in nanoseconds since 1970, and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileVersion(pub u64, pub u64);

/// Ignored if it belongs to another version of the file than the current one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataFile {
    #[serde(default)]
    pub v: V1,
    pub of: FileVersion,
    pub metadata: BTreeMap<String, String>,
}

impl Contract for MetadataFile {
    const UNVERSIONED: Option<u64> = Some(1);
}
