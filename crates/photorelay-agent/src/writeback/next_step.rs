//! What has to happen for one user in one target, worked out from what was read. Nothing is written here.

use bytes::Bytes;
use photorelay_core::contract::{ApprovalReason, NoteKind};
use photorelay_core::id::{Digest, UserId};

use super::permission::PresentValue;
use super::trail::Newest;
use crate::connectors::EntryRef;

/// One user in one target, as read in one round: the target first, then the trail.
#[derive(Clone, Copy)]
pub(super) struct Observed<'a> {
    pub(super) user: UserId,
    pub(super) newest: &'a Newest,
    pub(super) entry: &'a EntryRef,
    pub(super) present: Option<&'a Bytes>,
    /// The users whose object it was before.
    pub(super) earlier: &'a [UserId],
}

impl Observed<'_> {
    pub(super) fn shows(&self) -> Option<Digest> {
        self.present.map(|value| Digest::of(value))
    }
}

pub(super) enum NextStep {
    /// The target shows what it should.
    Nothing,
    Write(Change),
    /// An operator has to decide about the present value.
    AskOperator {
        present: PresentValue,
        held_for: ApprovalReason,
        reason: String,
    },
    /// The target is left as it is.
    Note {
        kind: NoteKind,
        reason: String,
    },
    /// The target can never show the entry.
    Refuse {
        reason: String,
    },
}

/// A value to write; none removes the photo.
pub(super) struct Change {
    pub(super) value: Option<Bytes>,
    /// What makes way, and by whose leave.
    pub(super) replaces: Option<(PresentValue, Leave)>,
    /// What changes beside it.
    pub(super) companions: Vec<CompanionChange>,
}

/// A further rendition to write, or to remove.
pub(super) struct CompanionChange {
    pub(super) entry: EntryRef,
    pub(super) present: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    /// Whether photorelay did not write the present value.
    pub(super) is_foreign: bool,
}

/// By whose leave a value makes way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Policy,
    Operator,
    /// A deletion slot, which has to be taken first.
    DeletionSlot,
}

impl NextStep {
    /// Completes a sentence that begins with "would".
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Nothing => "leave it as it is".to_owned(),
            Self::Write(Change { value: Some(value), .. }) => {
                format!("write {} bytes, SHA-256 {}", value.len(), Digest::of(value))
            }
            Self::Write(Change { value: None, .. }) => "remove the photo".to_owned(),
            Self::AskOperator { reason, .. } => format!("wait for an operator: {reason}"),
            Self::Note { reason, .. } => reason.clone(),
            Self::Refuse { reason } => format!("refuse: {reason}"),
        }
    }
}
