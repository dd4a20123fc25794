//! Step 4: what the fetched content is, compared with what the trail holds.
//!
//! What cannot be decoded safely is never stored and never decoded again: it becomes an entry of kind `refused` with
//! its reason. A decoder that panics refuses the photo, and costs nothing else.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{CauseKind, EchoSighting, EntryKind};
use photorelay_core::id::Digest;
use photorelay_core::photo::{Refusal, decode as decode_photo};

use super::context::Reconciliation;
use super::echo;
use super::fetch::PhotoContent;
use super::journal::Step;
use super::outcome::ReconcileError;
use super::photo::{DecodedPhoto, NewPhoto};
use super::settings::PropagateSettings;

pub(super) enum Examined {
    /// The newest entry recorded just this.
    Known,
    /// Our own rendition of an earlier entry, come back through the directory.
    Echo {
        of_seq: u32,
        sha256: Digest,
    },
    New(NewPhoto),
}

impl Examined {
    pub(super) fn echo_seen_at(&self, seen_at: Timestamp) -> Option<EchoSighting> {
        match self {
            Examined::Echo { of_seq, sha256 } => Some(EchoSighting { sha256: *sha256, of_seq: *of_seq, seen_at }),
            Examined::Known | Examined::New(_) => None,
        }
    }
}

pub(super) async fn examine(
    cx: &mut Reconciliation<'_>,
    content: &PhotoContent,
    newest: Option<&Committed>,
    media_etag: &str,
) -> Result<Examined, ReconcileError> {
    let is_known = is_known(content, newest, media_etag);
    if is_known && !reexamines_refused(cx, newest) {
        cx.journal.note(Step::CompareContent, || "the same bytes as the newest entry saw".to_owned());
        return Ok(Examined::Known);
    }
    let photo = decode(cx, content).await;
    let decoded = match &photo {
        NewPhoto::Refused { .. } if is_known => return Ok(Examined::Known),
        NewPhoto::Refused { .. } => return Ok(Examined::New(photo)),
        NewPhoto::Decoded(decoded) => decoded,
    };
    let seq = newest.map_or(0, |newest| newest.entry.seq);
    let Some(of_seq) = echo::source(cx, decoded, seq).await? else { return Ok(Examined::New(photo)) };
    let sha256 = decoded.sha256;
    cx.journal.note(Step::CompareContent, || format!("an echo of entry {of_seq}: not captured"));
    tracing::info!(user.id = %cx.user, of_seq, photo.sha256 = %sha256, "echo recognised");
    Ok(Examined::Echo { of_seq, sha256 })
}

/// Whether the newest entry saw just this. A photo too large to be read has no digest; there the ETag decides.
fn is_known(content: &PhotoContent, newest: Option<&Committed>, media_etag: &str) -> bool {
    let Some(newest) = newest else { return false };
    match content.sha256() {
        Some(sha256) => newest.entry.seen.sha256 == Some(sha256),
        None => newest.entry.kind == EntryKind::Refused && newest.entry.seen.media_etag.as_deref() == Some(media_etag),
    }
}

/// A refused photo is examined anew when an operator asks: this version of the program may be able to decode it.
fn reexamines_refused(cx: &Reconciliation<'_>, newest: Option<&Committed>) -> bool {
    let is_refused = newest.is_some_and(|newest| newest.entry.kind == EntryKind::Refused);
    is_refused && cx.message.cause.kind == CauseKind::Operator
}

/// Decodes the photo and makes its renditions, off the async threads.
async fn decode(cx: &mut Reconciliation<'_>, content: &PhotoContent) -> NewPhoto {
    let refused = |reason: &str| NewPhoto::Refused { reason: reason.to_owned() };
    let photo = match content {
        PhotoContent::TooLarge => refused("larger than a photo may be"),
        PhotoContent::Bytes { .. } if cx.refuse_undecoded => {
            refused("the program died every time it handled this photo; it was not decoded again")
        }
        PhotoContent::Bytes { bytes, sha256 } => {
            let (bytes, sha256) = (bytes.clone(), *sha256);
            let settings = Arc::clone(cx.settings);
            let work = move || {
                let decoded = decode_and_render(&bytes, sha256, &settings);
                decoded.map_or_else(
                    |refusal| NewPhoto::Refused { reason: refusal.to_string() },
                    |decoded| NewPhoto::Decoded(Box::new(decoded)),
                )
            };
            // The task can only fail by a panic.
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| refused("the decoder failed unexpectedly"))
        }
    };
    cx.journal.note(Step::CompareContent, || match &photo {
        NewPhoto::Decoded(decoded) => {
            format!("new bytes: {} of {}x{} pixels", decoded.content_type, decoded.width, decoded.height)
        }
        NewPhoto::Refused { reason } => format!("new bytes, refused: {reason}"),
    });
    photo
}

fn decode_and_render(bytes: &Bytes, sha256: Digest, settings: &PropagateSettings) -> Result<DecodedPhoto, Refusal> {
    let upright = decode_photo(bytes, &settings.limits)?;
    Ok(DecodedPhoto {
        bytes: bytes.clone(),
        sha256,
        content_type: upright.content_type(),
        width: upright.width(),
        height: upright.height(),
        fingerprint: upright.fingerprint(),
        renditions: settings.renditions.iter().map(|spec| upright.render(spec)).collect::<Result<_, _>>()?,
    })
}
