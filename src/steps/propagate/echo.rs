//! Recognises our own thumbnail coming back from the directory through Entra Connect, with other bytes.
//!
//! A false echo loses a real photo, so everything must agree: a receipt says that the target shows the rendition, what came
//! back is not larger than it, the original was larger than it, and the pixels are close. Going back to an earlier
//! photo is not an echo: that one comes in the size of an original.

use photorelay_core::audit;
use photorelay_core::contract::{self, Outcome, Receipt, RenditionFacts};
use photorelay_core::names::{self, Container};
use photorelay_core::photo;
use photorelay_core::store::{StoreError, list_all};
use photorelay_core::vault::{self, VaultError};

use super::capture::Usable;
use super::found::LookError;
use super::look::Look;

/// So many of the newest written entries can still come back.
const RECENT_WRITES: usize = 4;

/// The entry whose rendition this is, if it is one that was written.
pub(super) async fn of_which(look: &Look<'_>, usable: &Usable, newest: u32) -> Result<Option<u32>, LookError> {
    let largest = look.step.settings.renditions.iter().map(|spec| spec.side).max().unwrap_or_default();
    if newest == 0 || usable.width.max(usable.height) > largest {
        return Ok(None);
    }
    for seq in written(look).await? {
        let Some(committed) = audit::read(&*look.step.storage.blobs, look.user, seq).await? else { continue };
        let Some(original) = &committed.entry.photo else { continue };
        for rendition in &committed.entry.renditions {
            let smaller = usable.width <= rendition.width && usable.height <= rendition.height;
            let shrunk = original.width > rendition.width || original.height > rendition.height;
            if smaller && shrunk && is_close(look, usable, original.sha256, rendition).await? {
                return Ok(Some(seq));
            }
        }
    }
    Ok(None)
}

/// Entries that a receipt says a target has shown, newest first.
async fn written(look: &Look<'_>) -> Result<Vec<u32>, StoreError> {
    let blobs = &*look.step.storage.blobs;
    let listed = list_all(blobs, Container::Receipts, &names::person_prefix(look.user)).await?;
    let mut sequence = Vec::new();
    for blob in listed.iter().rev().filter(|blob| blob.name.ends_with(".json")) {
        if sequence.len() == RECENT_WRITES {
            break;
        }
        let limit = contract::MAX_CONTRACT_BYTES as u64;
        let Some(bytes) = blobs.get(Container::Receipts, &blob.name, limit).await? else { continue };
        // A receipt that cannot be read proves nothing.
        let Ok(receipt) = contract::parse::<Receipt>(&bytes) else { continue };
        // An agent that died after writing finds its own value when it comes back, and calls it unchanged.
        let shows = matches!(receipt.outcome, Outcome::Written | Outcome::Unchanged);
        let proves = receipt.user_id == look.user && shows;
        if proves && !sequence.contains(&receipt.seq) {
            sequence.push(receipt.seq);
        }
    }
    Ok(sequence)
}

async fn is_close(
    look: &Look<'_>,
    usable: &Usable,
    original: photorelay_core::id::Digest,
    rendition: &RenditionFacts,
) -> Result<bool, StoreError> {
    let blob = names::rendition(look.user, original, &rendition.name, rendition.sha256);
    let limits = look.step.settings.limits;
    let limit = limits.max_bytes as u64;
    let bytes = match vault::read_verified(&*look.step.storage.blobs, &blob, rendition.sha256, limit).await {
        Ok(bytes) => bytes,
        Err(VaultError::Store(error)) => return Err(error),
        // Without the rendition nothing can be an echo of it.
        Err(VaultError::Missing { .. } | VaultError::Changed { .. }) => return Ok(false),
    };
    let theirs =
        tokio::task::spawn_blocking(move || photo::decode(&bytes, &limits).map(|upright| upright.fingerprint()));
    Ok(matches!(theirs.await, Ok(Ok(fingerprint)) if fingerprint.is_close(&usable.fingerprint)))
}
