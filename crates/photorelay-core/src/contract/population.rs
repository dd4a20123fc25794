//! The population: the users that the sweep checks, and the delta link that returns later changes.
//!
//! Both are in one document, because a list combined with the link of another list would miss users for ever.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::UserId;

/// Enough for about 400,000 users.
const MAX_BYTES: usize = 16 * 1024 * 1024;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Population {
    pub v: V1,
    pub taken_at: Timestamp,
    /// Starts the next delta query. Bound to a tenant and valid for about seven days.
    pub delta_link: String,
    /// Only users of these on-premises domains are included; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Users whose source of authority is in the cloud are included.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cloud_managed: bool,
    /// In the order of their ids, without duplicates.
    pub members: Vec<UserId>,
}

impl std::fmt::Debug for Population {
    /// Omits the members, of which there are too many, and the link, which is long and opaque.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Population")
            .field("taken_at", &self.taken_at)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl Contract for Population {
    const MAX_BYTES: usize = MAX_BYTES;

    fn validate(&self) -> Result<(), String> {
        in_order(&self.members)
    }
}

/// A delta query that a run of the sweep had no time to finish. It is no population: users on the pages that were not
/// read yet are missing, or still included.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PopulationQuery {
    pub v: V1,
    pub began_at: Timestamp,
    /// Leads to the first page that was not read.
    pub next_link: String,
    /// How many pages were read.
    pub pages: u32,
    /// All users are listed, not only the changes to the last population.
    pub is_full_list: bool,
    /// As in [`Population`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cloud_managed: bool,
    /// In the order of their ids, without duplicates.
    pub members: Vec<UserId>,
}

impl std::fmt::Debug for PopulationQuery {
    /// Omits what [`Population`] omits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PopulationQuery")
            .field("began_at", &self.began_at)
            .field("pages", &self.pages)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl Contract for PopulationQuery {
    const MAX_BYTES: usize = MAX_BYTES;

    fn validate(&self) -> Result<(), String> {
        in_order(&self.members)
    }
}

fn in_order(members: &[UserId]) -> Result<(), String> {
    match members.is_sorted_by(|a, b| a < b) {
        true => Ok(()),
        false => Err("the members are not in order".to_owned()),
    }
}
