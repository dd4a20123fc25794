//! How bringing up a user ends.

use jiff::Timestamp;
use photorelay_core::contract::{NoteKind, Outcome, ShownValue, UndoneChange, WriteBack};
use photorelay_core::id::Digest;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WritebackOutcome {
    /// There is a receipt for this entry.
    Receipt { seq: u32, outcome: Outcome },
    /// There is a receipt that says why the target does not show this entry.
    Refused { seq: u32, reason: String },
    /// There is a note instead.
    Noted(NoteKind),
}

/// How one round ended.
pub(super) enum ActOutcome {
    Settled(Settlement),
    Noted(Unwritten),
    /// The target or the trail changed meanwhile: start again.
    Again,
}

/// Why nothing was written, for a note.
pub(super) struct Unwritten {
    pub(super) kind: NoteKind,
    pub(super) reason: String,
    /// What the target shows; none if that was not read.
    pub(super) shows: Option<ShownValue>,
    /// What an operator had undone.
    pub(super) undone: Option<UndoneChange>,
}

impl Unwritten {
    pub(super) fn because(kind: NoteKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), shows: None, undone: None }
    }

    /// The target was read, and shows this.
    pub(super) fn showing(self, sha256: Option<Digest>) -> Self {
        Self { shows: Some(ShownValue { sha256 }), ..self }
    }
}

/// The entry needs no more work in this target, and a receipt says so.
pub(crate) struct Settlement {
    pub(crate) outcome: Outcome,
    /// Why the entry was refused.
    pub(crate) reason: Option<String>,
    pub(crate) before: Option<Digest>,
    pub(crate) after: Option<Digest>,
}

/// A message, and when the agent began with it.
#[derive(Clone, Copy)]
pub(crate) struct ReceivedMessage<'a> {
    pub(crate) message: &'a WriteBack,
    pub(crate) at: Timestamp,
}

impl<'a> ReceivedMessage<'a> {
    pub(crate) fn now(message: &'a WriteBack) -> Self {
        Self { message, at: Timestamp::now() }
    }

    /// When this entry was announced, if the message is about it.
    pub(super) fn announced_at(&self, seq: u32) -> Option<Timestamp> {
        self.message.data.announced_at.filter(|_| self.message.data.seq == seq)
    }
}

impl Settlement {
    /// The target shows what it should.
    pub(super) fn shown(outcome: Outcome, before: Option<Digest>, after: Option<Digest>) -> ActOutcome {
        ActOutcome::Settled(Self { outcome, reason: None, before, after })
    }

    /// The target can never show this entry, and continues to show what it shows.
    pub(super) fn refused(reason: String, shows: Option<Digest>) -> ActOutcome {
        ActOutcome::Settled(Self { outcome: Outcome::Refused, reason: Some(reason), before: shows, after: shows })
    }
}
