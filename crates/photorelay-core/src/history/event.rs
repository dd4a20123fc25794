//! What can be said about one user's photo, as data: `photorelay history --json` prints it, and the console shows it.

use jiff::Timestamp;
use serde::Serialize;

use crate::contract::{ApprovalReason, CauseKind, EntryKind, Head, NoteKind, Outcome, ShownValue, Succession, Verdict};
use crate::id::{Digest, UserId};

/// Everything that is recorded about one user.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserHistory {
    pub user_id: UserId,
    /// In the order of time.
    pub events: Vec<HistoryEvent>,
    /// What each target showed last, as far as the storage says.
    pub targets: Vec<LastShown>,
    /// The other users who are the same object in a target.
    pub successions: Vec<Succession>,
    pub head: Option<Head>,
}

/// One thing that happened, or that was decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEvent {
    /// None for a document that cannot be read.
    pub at: Option<Timestamp>,
    /// The entry that it is about.
    pub seq: u32,
    /// The target that it happened in; none for an entry of the trail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The operator behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in the words of the operator or of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(flatten)]
    pub fact: HistoryFact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HistoryFact {
    /// An entry of the trail was made. The digest is that of the photo, or of what was refused.
    Entry { kind: EntryKind, cause: CauseKind, sha256: Option<Digest>, pixels: Option<(u32, u32)> },
    /// An operator approved or rejected a change.
    Decided { verdict: Verdict, held_for: ApprovalReason, value: Digest },
    /// An agent wrote nothing: a dry run, a change that waits for an operator, or a user out of scope.
    Noted { note: NoteKind, shows: Option<ShownValue> },
    /// An agent undid on an operator's behalf what it had written.
    Undone { before: Option<Digest>, after: Option<Digest> },
    /// An agent processed the entry in the target.
    Processed { outcome: Outcome, before: Option<Digest>, after: Option<Digest>, server: String },
    /// A document that cannot be read: its reason is in `reason`.
    Unreadable { blob: String },
}

/// What a target showed when it was read or written last.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastShown {
    pub target: String,
    /// None if it showed no photo.
    pub sha256: Option<Digest>,
    /// The newest entry of the trail that made this value; none if photorelay did not make it.
    pub seq: Option<u32>,
    pub at: Timestamp,
}

impl HistoryEvent {
    /// What the target showed after it; none if that is not known.
    pub(super) fn shown(&self) -> Option<Option<Digest>> {
        match &self.fact {
            HistoryFact::Undone { after, .. } => Some(*after),
            HistoryFact::Noted { shows, .. } => shows.map(|shown| shown.sha256),
            HistoryFact::Processed { outcome, after, .. } if outcome.is_shown() => Some(*after),
            // A user who was not found shows nothing that could be read.
            HistoryFact::Processed { outcome: Outcome::Refused, after: Some(after), .. } => Some(Some(*after)),
            _ => None,
        }
    }

    /// Of what happened at the same moment, causes come before effects.
    pub(super) fn rank(&self) -> u8 {
        match self.fact {
            HistoryFact::Entry { .. } => 0,
            HistoryFact::Decided { .. } => 1,
            HistoryFact::Noted { .. } => 2,
            HistoryFact::Undone { .. } | HistoryFact::Processed { .. } => 3,
            HistoryFact::Unreadable { .. } => 4,
        }
    }
}
