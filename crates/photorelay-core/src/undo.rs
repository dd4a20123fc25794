//! What undoing comes to for one user in one target, as far as the storage knows: which value of the target's own was
//! replaced last and is backed up, or whether we wrote where there was nothing.
//!
//! Only reads. An agent decides with it by what the target shows at that moment; a console foretells it by what the target
//! showed when it was read last.

use std::collections::BTreeSet;

use crate::approvals::decisions;
use crate::contract::{NoteKind, Outcome, Receipt, Verdict};
use crate::documents;
use crate::id::{Digest, UserId};
use crate::names::{self, Container};
use crate::receipts;
use crate::store::{BlobStore, Listed, StoreError, list_all};

/// What undoing would do for one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoStep {
    /// This value was replaced, and is backed up.
    PutBack(Digest),
    /// This value was written where there was none.
    Clear(Digest),
    /// Nothing, for this reason.
    Leave(String),
}

/// What can be undone of one user in one target.
#[derive(Debug, Clone)]
pub struct Undoable {
    /// In the order of entries and, of one entry, in that in which they were left.
    receipts: Vec<Receipt>,
    replaced: Option<Digest>,
}

impl Undoable {
    /// `receipts` are those of the user in this target, in their order.
    pub async fn read(blobs: &dyn BlobStore, user: UserId, receipts: Vec<Receipt>) -> Result<Self, StoreError> {
        let replaced = replaced_last(blobs, user, &receipts).await?;
        Ok(Self { receipts, replaced })
    }

    /// Whether there is nothing to undo, whatever the target shows.
    pub fn is_empty(&self) -> bool {
        self.replaced.is_none() && !filled_an_empty_place(&self.receipts)
    }

    /// What undoing comes to where the target shows this.
    pub fn step(&self, shows: Option<Digest>) -> UndoStep {
        let leave = |reason: &str| UndoStep::Leave(reason.to_owned());
        if self.is_empty() {
            return leave("nothing that photorelay wrote can be undone");
        }
        match (self.replaced, shows) {
            (Some(value), shows) if shows == Some(value) => leave("the target shows the earlier value already"),
            (None, None) => leave("the target shows no photo already"),
            (_, Some(shows)) if !is_ours(&self.receipts, shows) => {
                leave("another writer has changed the photo since: its value stays")
            }
            (Some(value), _) => UndoStep::PutBack(value),
            (None, Some(shows)) => UndoStep::Clear(shows),
        }
    }
}

/// Whether a receipt says that the target showed this value because we wanted it to.
pub fn is_ours(receipts: &[Receipt], value: Digest) -> bool {
    receipts.iter().any(|receipt| receipt.outcome.is_shown() && receipt.after == Some(value))
}

/// Whether the target showed no photo before the first of ours.
fn filled_an_empty_place(receipts: &[Receipt]) -> bool {
    let first = receipts.iter().find(|receipt| receipt.outcome.is_shown());
    first.is_some_and(|first| first.outcome == Outcome::Written && first.before.is_none() && first.after.is_some())
}

/// The value that we replaced last and that is backed up: a foreign value, or the photo that a removal took away if
/// nothing was written since.
async fn replaced_last(
    blobs: &dyn BlobStore,
    user: UserId,
    receipts: &[Receipt],
) -> Result<Option<Digest>, StoreError> {
    let listed = list_all(blobs, Container::Receipts, &names::person_prefix(user)).await?;
    let backed_up: BTreeSet<Digest> =
        listed.iter().filter_map(|blob| names::parse_kept_value(&blob.name)).map(|(_, value)| value).collect();
    if backed_up.is_empty() {
        return Ok(None);
    }
    let writes: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.outcome == Outcome::Written).collect();
    let is_ours = |value: Digest| writes.iter().any(|write| write.after == Some(value));
    let without_receipt = replaced_without_receipt(blobs, user, &listed, &backed_up).await?;
    if let Some(value) = without_receipt.filter(|value| !is_ours(*value)) {
        return Ok(Some(value));
    }
    // That a value of ours is backed up says only that it waited once: a write that left nothing took it away.
    let is_removal = |age: usize, write: &Receipt| age == 0 && write.after.is_none();
    let newest_first = writes.iter().rev().enumerate();
    Ok(newest_first
        .filter_map(|(age, write)| Some((write.before?, is_removal(age, write))))
        .find(|(value, is_removed)| backed_up.contains(value) && (*is_removed || !is_ours(*value)))
        .map(|(value, _)| value))
}

/// Agents up to 0.1 left one receipt for each entry, and one that died left none. A value that was replaced without a
/// receipt is backed up: it is the newest, if there is one such value. Of several, the last one is not known.
async fn replaced_without_receipt(
    blobs: &dyn BlobStore,
    user: UserId,
    listed: &[Listed],
    backed_up: &BTreeSet<Digest>,
) -> Result<Option<Digest>, StoreError> {
    let mut known = BTreeSet::new();
    for name in listed.iter().filter_map(|blob| names::parse_receipt(&blob.name)) {
        let receipt: Option<Receipt> = documents::read(blobs, Container::Receipts, &name.to_string()).await?;
        known.extend(receipt.and_then(|receipt| receipt.before));
    }
    let mut unknown: BTreeSet<Digest> = backed_up.difference(&known).copied().collect();
    if !unknown.is_empty() {
        for held in only_held(blobs, user).await? {
            unknown.remove(&held);
        }
    }
    Ok(unknown.pop_first().filter(|_| unknown.is_empty()))
}

/// The values that were backed up for an operator to look at, and that no operator gave up.
async fn only_held(blobs: &dyn BlobStore, user: UserId) -> Result<BTreeSet<Digest>, StoreError> {
    let notes = receipts::notes_of(blobs, user).await?;
    let held = notes.iter().filter(|note| note.note == NoteKind::Held && note.undone.is_none());
    let mut held: BTreeSet<Digest> = held.filter_map(|note| note.shows?.sha256).collect();
    for decision in decisions::of_user(blobs, user).await? {
        if decision.verdict == Verdict::Approved {
            held.remove(&decision.value);
        }
    }
    Ok(held)
}
