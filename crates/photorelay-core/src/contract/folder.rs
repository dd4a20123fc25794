//! The owner of a file in a folder target: account names are unique only within a domain.

use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::UserId;

/// Written when a file is first claimed; a later claim must come from the same user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FolderOwner {
    #[serde(default)]
    pub v: V1,
    pub user_id: UserId,
    pub anchor: Option<String>,
}

impl Contract for FolderOwner {
    const UNVERSIONED: Option<u64> = Some(1);
    const MAX_BYTES: usize = 4096;
}
