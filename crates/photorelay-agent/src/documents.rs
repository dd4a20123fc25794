//! Contracts as blobs: read, created once, or replaced. A blob that cannot be read proves nothing and is none.

use bytes::Bytes;
use photorelay_core::contract::{self, Contract, MAX_CONTRACT_BYTES, Receipt};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Creation, Metadata, StoreError, list_all};

pub(crate) async fn read<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
) -> Result<Option<C>, StoreError> {
    let bytes = match blobs.get(container, name, MAX_CONTRACT_BYTES as u64).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) | Err(StoreError::TooLarge { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let parsed = contract::parse(&bytes);
    Ok(parsed.inspect_err(|error| tracing::warn!(blob = %format!("{container}/{name}"), %error, "not read")).ok())
}

pub(crate) async fn create<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
    document: &C,
) -> Result<Creation, StoreError> {
    blobs.create(container, name, "application/json", Bytes::from(contract::to_bytes(document))).await
}

pub(crate) async fn put<C: Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
    document: &C,
) -> Result<(), StoreError> {
    let content = Bytes::from(contract::to_bytes(document));
    blobs.put(container, name, "application/json", content, &Metadata::new()).await
}

/// The receipts of one person in one target, in the order of entries.
pub(crate) async fn receipts(blobs: &dyn BlobStore, user: UserId, target: &str) -> Result<Vec<Receipt>, StoreError> {
    let mut receipts = Vec::new();
    for blob in list_all(blobs, Container::Receipts, &names::person_prefix(user)).await? {
        if names::parse_receipt(&blob.name).is_some_and(|(_, _, of)| of == target)
            && let Some(receipt) = read(blobs, Container::Receipts, &blob.name).await?
        {
            receipts.push(receipt);
        }
    }
    Ok(receipts)
}
