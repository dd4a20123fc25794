//! What targets left of a user: receipts and notes, each read once for a page.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use photorelay_core::contract::Receipt;
use photorelay_core::documents::{self, Document};
use photorelay_core::hops::{self, HopRecords};
use photorelay_core::id::UserId;
use photorelay_core::names::{Container, ReceiptName};
use photorelay_core::store::{BlobStore, StoreError};

use crate::console::render::PageError;

/// Blobs that are read at once.
const AT_ONCE: usize = 8;

#[derive(Debug)]
pub(super) struct UserRecords {
    pub(super) hops: HopRecords,
    /// Receipts that cannot be read, with the reason.
    pub(super) unreadable: Vec<String>,
}

impl UserRecords {
    /// These receipts, in their order, and the newest note of each of these targets and of those that the receipts are of.
    pub(super) async fn read(
        blobs: &dyn BlobStore,
        user: UserId,
        names: Vec<ReceiptName>,
        targets: impl Iterator<Item = String>,
    ) -> Result<Self, PageError> {
        let targets: BTreeSet<String> = targets.chain(names.iter().map(|name| name.target.clone())).collect();
        let found = stream::iter(names).map(|name| async move {
            let document = documents::inspect::<Receipt>(blobs, Container::Receipts, &name.to_string()).await?;
            Ok::<_, StoreError>((name, document))
        });
        let found: Vec<(ReceiptName, Document<Receipt>)> = found.buffered(AT_ONCE).try_collect().await?;
        let (mut receipts, mut unreadable) = (Vec::new(), Vec::new());
        for (name, document) in found {
            if let Document::Unreadable(why) = &document {
                unreadable.push(format!("{}/{name} cannot be read: {why}", Container::Receipts));
            }
            receipts.push((name, document.valid()));
        }
        let notes = hops::notes_of(blobs, user, targets).await?;
        Ok(Self { hops: HopRecords { receipts, notes }, unreadable })
    }

    /// In the order in which they count. One that cannot be read says nothing.
    pub(super) fn receipts(&self) -> Vec<Receipt> {
        self.hops.receipts.iter().filter_map(|(_, receipt)| receipt.clone()).collect()
    }
}
