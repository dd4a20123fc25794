//! The problems that a verification can find, and how an operator fixes each of them.

use std::fmt;

use jiff::civil::Date;

use crate::id::{Digest, UserId};
use crate::names::{self, Container};

/// One deviation from what photorelay wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The owner of the trail; `None` for a blob that belongs to no user.
    pub user: Option<UserId>,
    /// The affected entry, if the problem is about a single one.
    pub seq: Option<u32>,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The entry does not exist, although a later entry, a receipt or a head does.
    EntryMissing,
    EntryUnreadable {
        why: String,
    },
    /// The digest that the entry names for its predecessor does not match: one of the two was changed.
    ChainBroken {
        names: Digest,
        found: Digest,
    },
    /// The container holds a blob that photorelay never writes.
    ForeignBlob {
        blob: String,
    },
    BlobMissing {
        blob: String,
    },
    BlobChanged {
        blob: String,
    },
    /// The trail ends before this entry, although evidence of it exists.
    TailCut {
        trail_ends_at: u32,
        evidence: String,
    },
    /// The entry had different bytes when an agent acted on it.
    NotWhatTheAgentSaw {
        receipt: String,
        saw: Digest,
        found: Digest,
    },
    /// The receipt does not say what its name, its entry or its number in the row of receipts says.
    ReceiptContradicts {
        receipt: String,
        why: String,
    },
    /// A receipt does not exist, although something refers to it.
    ReceiptMissing {
        receipt: String,
        evidence: String,
    },
    /// The receipt had different bytes when the checkpoint was taken.
    ReceiptChanged {
        receipt: String,
        checkpoint: String,
    },
    /// The blob is stored with another content type than it was given.
    ContentTypeChanged {
        blob: String,
        content_type: String,
    },
    /// The metadata of an entry or a receipt says something else than its bytes, and a checkpoint records it.
    MetadataChanged {
        blob: String,
    },
    /// The entry had different bytes when the checkpoint was taken.
    NotWhatTheCheckpointSaw {
        checkpoint: String,
        saw: Digest,
        found: Digest,
    },
    /// A checkpoint names this checkpoint or page, but it does not exist.
    CheckpointMissing {
        blob: String,
        named_by: String,
    },
    /// The digest that a checkpoint names for this checkpoint or page does not match.
    CheckpointChanged {
        blob: String,
        named_by: String,
    },
    /// The next checkpoint does not name this one: photorelay did not write one of the two.
    CheckpointUnchained {
        blob: String,
        after: String,
    },
    /// The user has no trail at all, although evidence of one exists.
    PersonMissing {
        evidence: String,
    },
    /// A head, a receipt or a checkpoint cannot be read and no longer proves anything.
    EvidenceUnreadable {
        blob: String,
        why: String,
    },
}

impl Finding {
    /// The entry that it is about, also if only the name of a receipt says which.
    pub fn about(&self) -> Option<u32> {
        let of_receipt = |blob: &str| {
            let name = blob.strip_prefix(Container::Receipts.as_str())?.strip_prefix('/')?;
            Some(names::parse_receipt(name)?.seq)
        };
        self.seq.or_else(|| match &self.problem {
            Problem::ReceiptContradicts { receipt, .. }
            | Problem::ReceiptMissing { receipt, .. }
            | Problem::ReceiptChanged { receipt, .. }
            | Problem::EvidenceUnreadable { blob: receipt, .. }
            | Problem::ForeignBlob { blob: receipt } => of_receipt(receipt),
            _ => None,
        })
    }

    pub(super) fn of(user: UserId, seq: impl Into<Option<u32>>, problem: Problem) -> Self {
        Self { user: Some(user), seq: seq.into(), problem }
    }

    pub(super) fn foreign(container: Container, name: &str) -> Self {
        Self::without_user(Problem::ForeignBlob { blob: format!("{container}/{name}") })
    }

    pub(super) fn without_user(problem: Problem) -> Self {
        Self { user: None, seq: None, problem }
    }

    /// A missing or changed page of the checkpoint of this day.
    pub(super) fn of_page(page: Digest, is_missing: bool, day: Option<Date>) -> Self {
        let blob = format!("{}/{}", Container::Audit, names::checkpoint_page(page));
        let named_by = day.map(checkpoint_blob).unwrap_or_default();
        Self::without_user(match is_missing {
            true => Problem::CheckpointMissing { blob, named_by },
            false => Problem::CheckpointChanged { blob, named_by },
        })
    }
}

/// The full blob name of a day's checkpoint, as findings show it.
pub(super) fn checkpoint_blob(day: Date) -> String {
    format!("{}/{}", Container::Audit, names::checkpoint(day))
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.user, self.seq) {
            (Some(user), Some(seq)) => write!(f, "audit/{}: ", names::audit_entry(user, seq))?,
            (Some(user), None) => write!(f, "user {user}: ")?,
            (None, _) => {}
        }
        write!(f, "{}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)?;
        write!(f, ". {}", self.fix())
    }
}

impl Problem {
    /// What is wrong, without what to do about it.
    pub fn says(&self) -> String {
        fmt::from_fn(|f| self.describe(f)).to_string()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::EntryMissing => f.write_str("the entry is missing"),
            Problem::EntryUnreadable { why } => write!(f, "the entry cannot be read: {why}"),
            Problem::ChainBroken { names, found } => {
                write!(f, "the chain is broken: the previous entry should hash to {names}, but hashes to {found}")
            }
            Problem::ForeignBlob { blob } => write!(f, "photorelay does not write blobs like {blob}"),
            Problem::BlobMissing { blob } => write!(f, "{blob} does not exist, although the entry names it"),
            Problem::BlobChanged { blob } => {
                write!(f, "{blob} does not match the digest in the entry, so agents refuse to write it")
            }
            Problem::TailCut { trail_ends_at, evidence } => {
                write!(f, "the trail is truncated at {trail_ends_at:08}, although {evidence} names this entry")
            }
            Problem::NotWhatTheAgentSaw { receipt, saw, found } => {
                write!(f, "the entry was changed since its receipt: it hashes to {found}, {receipt} names {saw}")
            }
            Problem::ReceiptContradicts { receipt, why } => write!(f, "{receipt} cannot be what the agent left: {why}"),
            Problem::ReceiptMissing { receipt, evidence } => {
                write!(f, "{receipt} is missing, although {evidence} refers to it")
            }
            Problem::ReceiptChanged { receipt, checkpoint } => {
                write!(f, "{receipt} was changed after {checkpoint} was taken")
            }
            Problem::ContentTypeChanged { blob, content_type } => {
                write!(f, "{blob} is stored as {content_type:?}, which photorelay did not give it")
            }
            Problem::MetadataChanged { blob } => {
                write!(f, "the metadata of {blob} says something else than its bytes: one of the two was changed")
            }
            Problem::NotWhatTheCheckpointSaw { checkpoint, saw, found } => {
                write!(f, "the entry was changed since a checkpoint: it hashes to {found}, {checkpoint} names {saw}")
            }
            Problem::CheckpointMissing { blob, named_by } => {
                write!(f, "{blob} is missing, although {named_by} names it")
            }
            Problem::CheckpointChanged { blob, named_by } => {
                write!(f, "{blob} was changed after {named_by} was taken and no longer proves anything")
            }
            Problem::CheckpointUnchained { blob, after } => {
                write!(f, "{after} does not name {blob}, its predecessor, so one of the two is forged")
            }
            Problem::PersonMissing { evidence } => {
                write!(f, "the whole trail is missing, although {evidence} refers to it")
            }
            Problem::EvidenceUnreadable { blob, why } => {
                write!(f, "{blob} cannot be read and proves nothing: {why}")
            }
        }
    }

    /// What an operator should do about it.
    pub fn fix(&self) -> &'static str {
        match self {
            Problem::EntryMissing | Problem::CheckpointMissing { .. } | Problem::ReceiptMissing { .. } => {
                "Find out from the storage account's log who deleted it, and restore it from a version or a backup"
            }
            Problem::EntryUnreadable { .. }
            | Problem::BlobChanged { .. }
            | Problem::CheckpointChanged { .. }
            | Problem::NotWhatTheAgentSaw { .. }
            | Problem::NotWhatTheCheckpointSaw { .. }
            | Problem::ReceiptContradicts { .. }
            | Problem::MetadataChanged { .. }
            | Problem::ReceiptChanged { .. } => "Restore it from a version or a backup",
            Problem::ChainBroken { .. } => {
                "One of the two entries was changed: compare both with versions or backups and with the receipts"
            }
            Problem::ContentTypeChanged { .. } => "Find out who changed it, then set it back",
            Problem::ForeignBlob { .. } => "Find out who created it, then delete it",
            Problem::BlobMissing { .. } => {
                "Restore it from a version or a backup, or run `photorelay forget` if the user should be forgotten"
            }
            Problem::TailCut { .. } => "Restore the entries after it from versions or a backup",
            Problem::CheckpointUnchained { .. } => {
                "Compare their digests with those that were logged when they were taken"
            }
            Problem::PersonMissing { .. } => "Restore the user's entries from versions or a backup",
            Problem::EvidenceUnreadable { .. } => "Restore it; a head can be deleted instead, and is then rebuilt",
        }
    }
}
