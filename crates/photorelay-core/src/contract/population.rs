//! The population: the users that the sweep checks, and the delta link that returns later changes.
//!
//! One document holds the link and names the members, because a list combined with the link of another list would miss
//! users for ever. The members themselves are in segments, documents named by their digests, so that a small change
//! writes little. Version 1 held them itself, which a large tenant outgrows; it is still read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1, V1OrV2};
use crate::id::{Digest, UserId};

/// Enough for about 400,000 users in version 1, and for the segments of more than 100 million.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The maximum number of members of one segment.
pub const MAX_MEMBERS_PER_SEGMENT: usize = 4_000;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Population {
    /// Version 1 has the members in the document itself, version 2 in segments.
    pub v: V1OrV2,
    pub taken_at: Timestamp,
    /// Starts the next delta query. Bound to a tenant and valid for about seven days.
    pub delta_link: String,
    /// Only users of these on-premises domains are included; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Users whose source of authority is in the cloud are included.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cloud_managed: bool,
    /// In the order of their ids, without duplicates; only in version 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<UserId>,
    /// In the order of their members; only in version 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentLink>,
    /// None before the first collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreferenced: Option<UnreferencedSegments>,
}

/// A segment, identified by the SHA-256 of its bytes, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentLink {
    pub sha256: Digest,
    pub first: UserId,
    pub last: UserId,
    pub count: u32,
}

/// Segments that no list named at that time. They are deleted a day later, when no reader of an older list needs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreferencedSegments {
    pub seen_at: Timestamp,
    pub segments: Vec<Digest>,
}

/// Members of a list, consecutive in the order of ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PopulationSegment {
    pub v: V1,
    pub members: Vec<UserId>,
}

/// Where the members of a list are: in the list itself, or in segments.
#[derive(Debug, Clone, Copy)]
pub struct MemberList<'a> {
    pub members: &'a [UserId],
    pub segments: &'a [SegmentLink],
}

impl MemberList<'_> {
    fn validate(self, version: V1OrV2) -> Result<(), String> {
        match version {
            V1OrV2::V1 if !self.segments.is_empty() => Err("version 1 has no segments".to_owned()),
            V1OrV2::V2 if !self.members.is_empty() => Err("version 2 has its members in segments".to_owned()),
            V1OrV2::V1 => in_order(self.members),
            V1OrV2::V2 => segments_in_order(self.segments),
        }
    }
}

impl Population {
    pub fn list(&self) -> MemberList<'_> {
        MemberList { members: &self.members, segments: &self.segments }
    }
}

impl std::fmt::Debug for Population {
    /// Omits the members, of which there are too many, and the link, which is long and opaque.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Population")
            .field("taken_at", &self.taken_at)
            .field("members", &self.members.len())
            .field("segments", &self.segments.len())
            .finish_non_exhaustive()
    }
}

impl Contract for Population {
    const VERSION: u64 = 2;
    const OLDEST_VERSION: u64 = 1;
    const MAX_BYTES: usize = MAX_BYTES;

    fn validate(&self) -> Result<(), String> {
        self.list().validate(self.v)
    }
}

/// A delta query that a run of the sweep had no time to finish. It is no population: users on the pages that were not
/// read yet are missing, or still included.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PopulationQuery {
    pub v: V1OrV2,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<UserId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentLink>,
}

impl PopulationQuery {
    pub fn list(&self) -> MemberList<'_> {
        MemberList { members: &self.members, segments: &self.segments }
    }
}

impl std::fmt::Debug for PopulationQuery {
    /// Omits what [`Population`] omits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PopulationQuery")
            .field("began_at", &self.began_at)
            .field("pages", &self.pages)
            .field("members", &self.members.len())
            .field("segments", &self.segments.len())
            .finish_non_exhaustive()
    }
}

impl Contract for PopulationQuery {
    const VERSION: u64 = 2;
    const OLDEST_VERSION: u64 = 1;
    const MAX_BYTES: usize = MAX_BYTES;

    fn validate(&self) -> Result<(), String> {
        self.list().validate(self.v)
    }
}

impl Contract for PopulationSegment {
    const MAX_BYTES: usize = 256 * 1024;

    fn validate(&self) -> Result<(), String> {
        match self.members.len() {
            1..=MAX_MEMBERS_PER_SEGMENT => in_order(&self.members),
            count => Err(format!("a segment of {count} members")),
        }
    }
}

fn in_order(members: &[UserId]) -> Result<(), String> {
    match members.is_sorted_by(|a, b| a < b) {
        true => Ok(()),
        false => Err("the members are not in order".to_owned()),
    }
}

fn segments_in_order(segments: &[SegmentLink]) -> Result<(), String> {
    let is_plausible = |segment: &SegmentLink| match segment.count {
        0 => false,
        1 => segment.first == segment.last,
        count => count as usize <= MAX_MEMBERS_PER_SEGMENT && segment.first < segment.last,
    };
    if !segments.iter().all(is_plausible) {
        return Err("a segment that holds other members than it can".to_owned());
    }
    match segments.is_sorted_by(|a, b| a.last < b.first) {
        true => Ok(()),
        false => Err("the segments are not in order".to_owned()),
    }
}
