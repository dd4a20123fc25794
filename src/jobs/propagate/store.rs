//! Step 5: stores the photo untouched and its renditions, create-once. A refused photo is never stored.

use photorelay_core::{names, vault};

use super::context::Reconciliation;
use super::journal::Step;
use super::outcome::ReconcileError;
use super::photo::NewPhoto;

pub(super) async fn store(cx: &mut Reconciliation<'_>, photo: &NewPhoto) -> Result<(), ReconcileError> {
    let NewPhoto::Decoded(decoded) = photo else { return Ok(()) };
    let blobs = cx.blobs();
    vault::store_photo(blobs, cx.user, decoded.sha256, decoded.content_type, decoded.bytes.clone()).await?;
    for rendition in &decoded.renditions {
        let bytes = rendition.bytes.clone();
        vault::store_rendition(blobs, cx.user, decoded.sha256, &rendition.name, rendition.sha256, bytes).await?;
    }
    cx.journal.note(Step::Store, || {
        let renditions: Vec<_> = decoded
            .renditions
            .iter()
            .map(|r| format!("{} {}x{} in {} bytes", r.name, r.width, r.height, r.bytes.len()))
            .collect();
        format!("stored photos/{} and {}", names::photo(cx.user, decoded.sha256), renditions.join(", "))
    });
    Ok(())
}
