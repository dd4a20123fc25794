//! The result of a verification.

use jiff::civil::Date;

use super::finding::Finding;
use crate::id::Digest;

/// What a verification checked and found, in the order of the trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub people: u64,
    pub entries: u64,
    /// Photos and renditions that exist and match their digests.
    pub blobs: u64,
    pub checkpoints: u64,
    /// The day and digest of the newest checkpoint, to compare with the digest that was logged when it was taken.
    pub newest_checkpoint: Option<(Date, Digest)>,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add(&mut self, other: Report) {
        self.people += other.people;
        self.entries += other.entries;
        self.blobs += other.blobs;
        self.findings.extend(other.findings);
    }
}
