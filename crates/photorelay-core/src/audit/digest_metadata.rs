//! The digest of an entry or a receipt as metadata of its own blob, so that a listing shows what a checkpoint records and
//! nothing has to be read for it.
//!
//! Metadata can be changed without the bytes, so it proves nothing by itself. A checkpoint therefore takes it only for a
//! user who is in no checkpoint yet, which is where there are many; whatever comes new to a known user is read.
//! Verification takes every digest from the bytes, and reports metadata that disagrees. So wrong metadata raises an alarm,
//! unless the bytes that it names are put in place before anything is verified: a change that was planned before the
//! user's first checkpoint. A blob without metadata (an older one, or one in a store that keeps none) is read instead.

use crate::contract::CauseKind;
use crate::id::{Digest, UserId};
use crate::names::ReceiptName;
use crate::store::Metadata;

const SHA256: &str = "sha256";
/// What led to an entry; a checkpoint counts it.
const CAUSE: &str = "cause";

/// The end of one user's trail as listings show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEnd {
    pub user: UserId,
    /// The newest entry; 0 if there is none.
    pub seq: u32,
    /// Its digest, if its metadata shows it.
    pub entry: Option<EntryDigest>,
    /// The newest receipt in each target.
    pub receipts: Vec<ListedReceipt>,
}

/// A receipt in a listing, and its digest if the metadata shows it.
pub type ListedReceipt = (ReceiptName, Option<Digest>);

/// Adds the receipt unless there is a newer one of its target.
pub fn keep_newest(receipts: &mut Vec<ListedReceipt>, listed: ListedReceipt) {
    match receipts.iter_mut().find(|(known, _)| known.target == listed.0.target) {
        Some(known) if known.0 < listed.0 => *known = listed,
        Some(_) => {}
        None => receipts.push(listed),
    }
}

/// What a listing shows of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryDigest {
    pub(super) sha256: Digest,
    pub(super) cause: CauseKind,
}

impl EntryDigest {
    /// `None` if a part is missing or not valid: the entry is read then.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let cause = metadata.get(CAUSE)?;
        let cause = [CauseKind::Notification, CauseKind::Sweep, CauseKind::Operator]
            .into_iter()
            .find(|kind| cause_word(*kind) == cause)?;
        Some(Self { sha256: receipt_digest(metadata)?, cause })
    }
}

/// What a listing shows of a receipt.
pub fn receipt_digest(metadata: &Metadata) -> Option<Digest> {
    metadata.get(SHA256)?.parse().ok()
}

pub(super) fn entry_metadata(sha256: Digest, cause: CauseKind) -> Metadata {
    let mut metadata = receipt_metadata(sha256);
    metadata.insert(CAUSE.to_owned(), cause_word(cause).to_owned());
    metadata
}

pub fn receipt_metadata(sha256: Digest) -> Metadata {
    Metadata::from([(SHA256.to_owned(), sha256.to_string())])
}

/// Whether metadata that is there says anything else than the blob itself.
pub(super) fn contradicts(metadata: &Metadata, sha256: Digest, cause: Option<CauseKind>) -> bool {
    let is_other = |name: &str, expected: String| metadata.get(name).is_some_and(|found| *found != expected);
    is_other(SHA256, sha256.to_string()) || cause.is_some_and(|cause| is_other(CAUSE, cause_word(cause).to_owned()))
}

fn cause_word(kind: CauseKind) -> &'static str {
    match kind {
        CauseKind::Notification => "notification",
        CauseKind::Sweep => "sweep",
        CauseKind::Operator => "operator",
    }
}
