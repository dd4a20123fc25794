//! Which receipts and notes a user has, in an order in which the ones that count come last.
//!
//! Only reads. What counts and what a receipt covers: [`crate::contract`], `receipt`.

use crate::contract::Note;
use crate::documents;
use crate::id::UserId;
use crate::names::{self, Container, ReceiptName};
use crate::store::{BlobStore, StoreError, list_all};

/// The names of all receipts of one user: by entry, then by target, then by number.
pub async fn names_of(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<ReceiptName>, StoreError> {
    let listed = list_all(blobs, Container::Receipts, &names::person_prefix(user)).await?;
    let mut receipts: Vec<ReceiptName> = listed.iter().filter_map(|blob| names::parse_receipt(&blob.name)).collect();
    receipts.sort();
    Ok(receipts)
}

/// Everything that notes have said about one user: by entry, then by target, then by number.
pub async fn notes_of(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<Note>, StoreError> {
    let listed = list_all(blobs, Container::Agents, &names::recorded_notes_prefix(user)).await?;
    let mut recorded: Vec<ReceiptName> =
        listed.iter().filter_map(|blob| names::parse_recorded_note(&blob.name)).collect();
    recorded.sort();
    let mut notes = Vec::new();
    for name in recorded {
        notes.extend(documents::read(blobs, Container::Agents, &names::recorded_note(&name)).await?);
    }
    Ok(notes)
}
