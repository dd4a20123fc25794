//! Step 4, for an operator who asks: whether the store still has what the trail says is known.
//!
//! It must never change what an entry says: a photo is stored again only under the digests that the entry names. It owns
//! the failure "photos were deleted that Graph still shows".

use photorelay_core::audit::Committed;
use photorelay_core::contract::{AuditEntry, CauseKind};
use photorelay_core::names::{self, Container};

use super::context::Reconciliation;
use super::fetch::PhotoContent;
use super::outcome::ReconcileError;
use super::photo::DecodedPhoto;
use crate::graph::MAX_PHOTO_BYTES;

/// Whether Graph shows the newest entry's photo, and the store lacks it or one of its renditions. Only an operator's check
/// looks, because it costs a read for each of them.
pub(super) async fn is_lost(
    cx: &Reconciliation<'_>,
    content: &PhotoContent,
    newest: Option<&Committed>,
) -> Result<bool, ReconcileError> {
    let Some(Committed { entry, .. }) = newest.filter(|_| cx.message.cause.kind == CauseKind::Operator) else {
        return Ok(false);
    };
    let Some(photo) = entry.photo.as_ref().filter(|photo| content.sha256() == Some(photo.sha256)) else {
        return Ok(false);
    };
    let renditions = entry.renditions.iter();
    let renditions = renditions.map(|it| names::rendition(cx.user, photo.sha256, &it.name, it.sha256));
    for blob in std::iter::once(names::photo(cx.user, photo.sha256)).chain(renditions) {
        if cx.blobs().get(Container::Photos, &blob, MAX_PHOTO_BYTES).await?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether these are just the renditions that the entry names.
pub(super) fn is_as_committed(decoded: &DecodedPhoto, entry: &AuditEntry) -> bool {
    entry.renditions.iter().all(|named| decoded.renditions.iter().any(|it| it.sha256 == named.sha256))
}
