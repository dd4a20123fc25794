//! What a verification can find, and what somebody should do about each of it.

use std::fmt;

use jiff::civil::Date;

use crate::id::{Digest, UserId};
use crate::names::{self, Container};

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose trail; none for a blob that belongs to nobody.
    pub user: Option<UserId>,
    /// The entry that it is about, where it is about one.
    pub seq: Option<u32>,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// There is a later entry, a receipt or a head, and this entry is not there.
    EntryMissing,
    EntryUnreadable {
        why: String,
    },
    /// The entry names another digest for the entry before it than that one has: one of the two was changed.
    ChainBroken {
        names: Digest,
        found: Digest,
    },
    /// Something was stored in the container that nobody of us writes.
    ForeignBlob {
        blob: String,
    },
    BlobMissing {
        blob: String,
    },
    BlobChanged {
        blob: String,
    },
    /// An agent acted on this entry, and the trail ends before it.
    TailCut {
        trail_ends_at: u32,
        evidence: String,
    },
    /// An agent acted on this entry, and it had other bytes then.
    NotWhatTheAgentSaw {
        receipt: String,
        saw: Digest,
        found: Digest,
    },
    /// The entry had other bytes when the checkpoint was taken.
    NotWhatTheCheckpointSaw {
        checkpoint: String,
        saw: Digest,
        found: Digest,
    },
    /// A checkpoint names this one, or this page, and it is not there.
    CheckpointMissing {
        blob: String,
        named_by: String,
    },
    /// A checkpoint names another digest for this one, or for this page, than it has.
    CheckpointChanged {
        blob: String,
        named_by: String,
    },
    /// The checkpoint after it does not name it: one of the two was not written by us.
    CheckpointUnchained {
        blob: String,
        after: String,
    },
    /// There is evidence of this person and no trail at all.
    PersonMissing {
        evidence: String,
    },
    /// A head, a receipt or a checkpoint that cannot be read proves nothing any more.
    EvidenceUnreadable {
        blob: String,
        why: String,
    },
}

impl Finding {
    pub(super) fn of(user: UserId, seq: impl Into<Option<u32>>, problem: Problem) -> Self {
        Self { user: Some(user), seq: seq.into(), problem }
    }

    pub(super) fn foreign(container: Container, name: &str) -> Self {
        Self::of_nobody(Problem::ForeignBlob { blob: format!("{container}/{name}") })
    }

    pub(super) fn of_nobody(problem: Problem) -> Self {
        Self { user: None, seq: None, problem }
    }

    /// A page that the checkpoint of this day names.
    pub(super) fn of_page(page: Digest, is_missing: bool, day: Option<Date>) -> Self {
        let blob = format!("{}/{}", Container::Audit, names::checkpoint_page(page));
        let named_by = day.map(checkpoint_blob).unwrap_or_default();
        Self::of_nobody(match is_missing {
            true => Problem::CheckpointMissing { blob, named_by },
            false => Problem::CheckpointChanged { blob, named_by },
        })
    }
}

/// The checkpoint of a day, as findings name it.
pub(super) fn checkpoint_blob(day: Date) -> String {
    format!("{}/{}", Container::Audit, names::checkpoint(day))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.seq) {
            (Some(user), Some(seq)) => write!(f, "audit/{}: ", names::audit_entry(user, seq))?,
            (Some(user), None) => write!(f, "person {user}: ")?,
            (None, _) => {}
        }
        write!(f, "{}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::EntryMissing => f.write_str(
                "the entry is missing. Look for who deleted it in the storage account's log, and restore the blob from \
                 a version or a backup",
            ),
            Problem::EntryUnreadable { why } => {
                write!(f, "the entry cannot be read: {why}. Restore the blob from a version or a backup")
            }
            Problem::ChainBroken { names, found } => write!(
                f,
                "the chain is broken: this entry says that the one before it hashes to {names}, but it hashes to \
                 {found}. One of the two was changed; compare both with versions or backups and with the receipts"
            ),
            Problem::ForeignBlob { blob } => {
                write!(f, "{blob} is nothing that photorelay writes. Find out who put it there, then remove it")
            }
            Problem::BlobMissing { blob } => write!(
                f,
                "{blob} does not exist, though the entry names it. Restore it from a version or a backup; if the \
                 person was to be forgotten, run `forget` so that the trail says so"
            ),
            Problem::BlobChanged { blob } => write!(
                f,
                "{blob} does not hash to what the entry says. Agents refuse to write it; restore it from a version or \
                 a backup"
            ),
            Problem::TailCut { trail_ends_at, evidence } => write!(
                f,
                "the tail was cut off: {evidence} speaks of this entry, but the trail ends at {trail_ends_at:08}. \
                 Restore the entries after it from versions or a backup"
            ),
            Problem::NotWhatTheAgentSaw { receipt, saw, found } => write!(
                f,
                "the entry was changed after an agent acted on it: {receipt} saw {saw}, and it hashes to {found} now. \
                 Restore the entry from a version or a backup"
            ),
            Problem::NotWhatTheCheckpointSaw { checkpoint, saw, found } => write!(
                f,
                "the entry was changed after the checkpoint was taken: {checkpoint} saw {saw}, and it hashes to {found} \
                 now. Restore the entry from a version or a backup"
            ),
            Problem::CheckpointMissing { blob, named_by } => write!(
                f,
                "{blob} is missing, though {named_by} names it. Look for who deleted it in the storage account's log, \
                 and restore it from a version or a backup"
            ),
            Problem::CheckpointChanged { blob, named_by } => write!(
                f,
                "{blob} was changed after {named_by} was taken. What it says proves nothing; restore it from a version \
                 or a backup"
            ),
            Problem::CheckpointUnchained { blob, after } => write!(
                f,
                "{after} does not name {blob}, which is the one before it. One of the two was put there by somebody \
                 else; compare their digests with those that were logged when they were taken"
            ),
            Problem::PersonMissing { evidence } => write!(
                f,
                "the whole trail is missing, though {evidence} speaks of it. Restore the person's entries from versions \
                 or a backup"
            ),
            Problem::EvidenceUnreadable { blob, why } => write!(
                f,
                "{blob} cannot be read: {why}. It proves nothing as it is; restore it, or if it is a head delete it and \
                 it will be rebuilt"
            ),
        }
    }
}
