//! The result of a verification.

use jiff::civil::Date;

use super::finding::{Finding, Problem};
use crate::id::{Digest, UserId};

/// What a verification checked and found, in the order of the trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub people: u64,
    pub entries: u64,
    /// Photos and renditions that exist and match their digests.
    pub blobs: u64,
    /// Photos and renditions that match their digests and that no entry names: left by a worker that ended between
    /// storing a photo and committing its entry.
    pub unreferenced: u64,
    /// The same of users with an entry that is missing or cannot be read: it may be the one that names them.
    pub unattributed: u64,
    pub checkpoints: u64,
    /// The day and digest of the newest checkpoint, to compare with the digest that was logged when it was taken.
    pub newest_checkpoint: Option<(Date, Digest)>,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn find(&mut self, user: UserId, seq: impl Into<Option<u32>>, problem: Problem) {
        self.findings.push(Finding::of(user, seq, problem));
    }

    pub(super) fn add(&mut self, other: Report) {
        self.people += other.people;
        self.entries += other.entries;
        self.blobs += other.blobs;
        self.unreferenced += other.unreferenced;
        self.unattributed += other.unattributed;
        self.findings.extend(other.findings);
    }
}
