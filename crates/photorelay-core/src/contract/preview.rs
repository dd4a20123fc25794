//! What an agent would write, worked out for every user of the trail before anything is written: for the console.
//!
//! The totals name the run whose pages belong to them. A run is replaced as a whole by the next one, and losing it loses
//! nothing but the preview. No document of it holds a picture or a name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// The totals of a run, and where its pages are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    pub v: V1,
    pub target: String,
    pub agent: String,
    /// When the run began; its pages are named by it.
    pub run: Timestamp,
    pub finished_at: Timestamp,
    /// Users of the trail that the target serves.
    pub people: u64,
    /// Of those, by what would become of them.
    pub states: BTreeMap<PreviewState, u64>,
    /// Those who would not be written, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// Values to write, to every domain controller, in bytes.
    pub bytes: u64,
    /// How long the writes take at the agent's write quota; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    pub pages: u32,
}

/// The users of a page, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewPage {
    pub v: V1,
    pub target: String,
    pub rows: Vec<PreviewRow>,
}

/// So many users are on a page.
pub const ROWS_PER_PREVIEW_PAGE: usize = 100;

/// One user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewRow {
    pub user_id: UserId,
    /// The entry that would be written.
    pub seq: u32,
    pub state: PreviewState,
    /// What would be done, or why nothing would.
    pub would: String,
    /// The target's present value; `None` if it shows no photo, or was not read.
    pub shows: Option<Digest>,
    pub photo: Option<Digest>,
    /// The rendition that would be written, and its name.
    pub wants: Option<Digest>,
    pub rendition: String,
}

/// What would become of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PreviewState {
    /// The target shows no photo, and would get one.
    Add,
    /// Another value would be replaced.
    Replace,
    /// The photo would be removed.
    Remove,
    /// It shows what it should.
    UpToDate,
    /// An operator has to decide first.
    Waits,
    /// Outside the scope, or the policy leaves the user alone.
    LeftOut,
    /// The target cannot show it: no object is found, or the value does not fit.
    Refused,
    /// The user could not be compared.
    Failed,
}

impl PreviewState {
    pub fn is_write(self) -> bool {
        matches!(self, Self::Add | Self::Replace | Self::Remove)
    }
}

impl Contract for Preview {}

impl Contract for PreviewPage {
    const MAX_BYTES: usize = 256 * 1024;
}
