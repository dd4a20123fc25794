//! Recognises our own thumbnail coming back from the directory through Entra Connect, with other bytes.
//!
//! A false echo loses a real photo, so everything must agree: a receipt says that the target shows the rendition, what
//! came back is not larger than it, the original was larger than it, and the pixels are close. Going back to an earlier
//! photo is not an echo: that one comes in the size of an original.

use std::collections::BTreeSet;

use photorelay_core::contract::{Outcome, Receipt, RenditionFacts};
use photorelay_core::documents::{self, Document};
use photorelay_core::id::Digest;
use photorelay_core::names::{self, Container};
use photorelay_core::photo::decode;
use photorelay_core::store::StoreError;
use photorelay_core::vault::{self, VaultError};
use photorelay_core::{audit, receipts};

use super::context::Reconciliation;
use super::outcome::ReconcileError;
use super::photo::DecodedPhoto;

/// How many of the newest written entries can still come back.
const RECENT_WRITES: usize = 4;

/// The entry whose written rendition this photo is, if it is one.
pub(super) async fn source(
    cx: &Reconciliation<'_>,
    photo: &DecodedPhoto,
    newest: u32,
) -> Result<Option<u32>, ReconcileError> {
    let largest = cx.settings.renditions.iter().map(|spec| spec.side).max().unwrap_or_default();
    if newest == 0 || photo.width.max(photo.height) > largest {
        return Ok(None);
    }
    let shown = shown(cx).await?;
    for &(seq, is_proven) in &shown.entries {
        let Some(committed) = audit::read(cx.blobs(), cx.user, seq).await? else { continue };
        let Some(original) = &committed.entry.photo else { continue };
        for rendition in &committed.entry.renditions {
            if !is_proven && !shown.replaced.contains(&rendition.sha256) {
                continue;
            }
            let smaller = photo.width <= rendition.width && photo.height <= rendition.height;
            let shrunk = original.width > rendition.width || original.height > rendition.height;
            if smaller && shrunk && is_close(cx, photo, original.sha256, rendition).await? {
                return Ok(Some(seq));
            }
        }
    }
    Ok(None)
}

/// What targets have shown, according to receipts.
#[derive(Default)]
struct Shown {
    /// Newest first, each with whether its own receipt proves it.
    entries: Vec<(u32, bool)>,
    /// Values that were there before others were written. An agent that died after writing left no receipt of its own,
    /// and the next one calls that entry superseded; but it says what it replaced.
    replaced: BTreeSet<Digest>,
}

async fn shown(cx: &Reconciliation<'_>) -> Result<Shown, StoreError> {
    let blobs = cx.blobs();
    let mut shown = Shown::default();
    for name in receipts::names_of(blobs, cx.user).await?.into_iter().rev() {
        let is_another = shown.entries.last().is_none_or(|(seq, _)| *seq != name.seq);
        if is_another && shown.entries.len() == RECENT_WRITES {
            break;
        }
        // A receipt that cannot be read proves nothing.
        let found = documents::inspect::<Receipt>(blobs, Container::Receipts, &name.to_string()).await?;
        let Document::Valid(receipt) = found else { continue };
        if receipt.user_id != cx.user {
            continue;
        }
        shown.replaced.extend(receipt.before);
        // An agent that died after writing finds its own value when it comes back, and calls it unchanged.
        let is_proven = match receipt.outcome {
            Outcome::Written | Outcome::Unchanged => true,
            Outcome::Superseded => false,
            Outcome::Refused => continue,
        };
        match shown.entries.iter_mut().find(|(seq, _)| *seq == receipt.seq) {
            Some((_, proven)) => *proven |= is_proven,
            None => shown.entries.push((receipt.seq, is_proven)),
        }
    }
    Ok(shown)
}

async fn is_close(
    cx: &Reconciliation<'_>,
    photo: &DecodedPhoto,
    original: Digest,
    rendition: &RenditionFacts,
) -> Result<bool, StoreError> {
    let blob = names::rendition(cx.user, original, &rendition.name, rendition.sha256);
    let limits = cx.settings.limits;
    let limit = limits.max_bytes as u64;
    let bytes = match vault::read_verified(cx.blobs(), &blob, rendition.sha256, limit).await {
        Ok(bytes) => bytes,
        Err(VaultError::Store(error)) => return Err(error),
        // Without the rendition nothing can be an echo of it.
        Err(VaultError::Missing { .. } | VaultError::Changed { .. }) => return Ok(false),
    };
    let decoding = cx.room.decoding().await;
    let theirs = decoding.run(move || decode(&bytes, &limits).map(|upright| upright.fingerprint()));
    Ok(matches!(theirs.await, Ok(Ok(fingerprint)) if fingerprint.is_close(&photo.fingerprint)))
}
