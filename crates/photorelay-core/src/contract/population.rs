//! The population: whose photos the sweep looks after, and the link that says who came and went since.
//!
//! Both in one document, because a list with another list's link would miss people for ever.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::UserId;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Population {
    pub v: V1,
    pub taken_at: Timestamp,
    /// Begins the next round; it is bound to a tenant and lives about seven days.
    pub delta_link: String,
    /// Only people of these on-premises domains were taken in; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// In their order, each once.
    pub members: Vec<UserId>,
}

impl std::fmt::Debug for Population {
    /// Without the people, who are too many, and the link, which is as long as it is opaque.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Population")
            .field("taken_at", &self.taken_at)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

impl Contract for Population {
    /// Room for about 400,000 people.
    const MAX_BYTES: usize = 16 * 1024 * 1024;

    fn validate(&self) -> Result<(), String> {
        match self.members.is_sorted_by(|a, b| a < b) {
            true => Ok(()),
            false => Err("the members are not in their order".to_owned()),
        }
    }
}
