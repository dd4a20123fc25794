//! What the embedded store keeps beside a blob: its metadata, and the version of the file to which it belongs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Contract, V1};

/// Tells one version of a file from another: its modification time, in nanoseconds since 1970, and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileVersion(pub u64, pub u64);

/// Metadata that belongs to another version of the file than the one that is there is not shown.
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
