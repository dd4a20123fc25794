//! Notes: why an announced entry is not in a target, for every outcome that is not final, and what an operator had undone.
//!
//! The newest note of a user in a target is a replaceable document. Whatever a note says for the first time is also
//! created once under a number, so that it can be read later in its order.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Contract, V1};
use crate::id::{Digest, UserId};

/// Why an announced entry is not in a target yet. The entry is announced again when the reason changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    pub v: V1,
    pub user_id: UserId,
    pub seq: u32,
    pub target: String,
    pub note: NoteKind,
    pub reason: String,
    /// What the target showed then; absent if that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<ShownValue>,
    /// An operator had put back or cleared what the target showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<UndoneChange>,
    pub agent: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoteKind {
    DryRun,
    OutOfScope,
    Held,
}

impl NoteKind {
    /// As operators read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::DryRun => "dry run",
            Self::OutOfScope => "out of scope",
            Self::Held => "held",
        }
    }
}

/// A value that was read from a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownValue {
    /// `None` means no photo.
    pub sha256: Option<Digest>,
}

/// What an operator had undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoneChange {
    /// The value that made way.
    pub before: Option<Digest>,
    /// The operator, as they gave their name or their account does.
    pub by: String,
    /// Why, in the operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Note {
    /// Whether this says something that the other one does not, whatever the time and the agent. What was undone always
    /// does: it happened once more.
    pub fn says_more_than(&self, other: &Self) -> bool {
        let said = |note: &Self| (note.seq, note.note, note.reason.clone(), note.shows, note.undone.clone());
        self.undone.is_some() || said(self) != said(other)
    }
}

impl Contract for Note {}
