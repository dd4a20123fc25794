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
use photorelay_core::photo::{Refusal, Rendition, RenditionSpec, decode_for};

use super::context::Reconciliation;
use super::echo;
use super::fetch::PhotoContent;
use super::journal::Step;
use super::lost_photo;
use super::outcome::ReconcileError;
use super::photo::{DecodedPhoto, NewPhoto};
use super::settings::PropagateSettings;
use crate::graph::MAX_PHOTO_BYTES;
use crate::jobs::decode_markers;

pub(super) enum Examined {
    /// The newest entry recorded just this.
    Known,
    /// Our own rendition of an earlier entry, come back through the directory.
    Echo {
        of_seq: u32,
        sha256: Digest,
    },
    New(NewPhoto),
    /// The newest entry recorded just this, and the store has lost it.
    Lost(NewPhoto),
}

impl Examined {
    pub(super) fn echo_seen_at(&self, seen_at: Timestamp) -> Option<EchoSighting> {
        match self {
            Examined::Echo { of_seq, sha256 } => Some(EchoSighting { sha256: *sha256, of_seq: *of_seq, seen_at }),
            Examined::Known | Examined::New(_) | Examined::Lost(_) => None,
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
    let lacks_rendition = lacks_rendition(cx.settings, content, newest);
    let is_lost = is_known && lost_photo::is_lost(cx, content, newest).await?;
    if is_known && !lacks_rendition && !is_lost && !reexamines_refused(cx, content, newest).await? {
        cx.journal.note(Step::CompareContent, || "the same bytes as the newest entry saw".to_owned());
        return Ok(Examined::Known);
    }
    let photo = decode(cx, content, is_known).await?;
    let decoded = match &photo {
        NewPhoto::Refused { .. } if is_known => return Ok(Examined::Known),
        NewPhoto::Refused { .. } => return Ok(Examined::New(photo)),
        NewPhoto::Decoded(_) if lacks_rendition => return Ok(Examined::New(photo)),
        NewPhoto::Decoded(decoded) if is_lost => {
            // Renditions that are made differently now need an entry that names them.
            let is_same = newest.is_some_and(|newest| lost_photo::is_as_committed(decoded, &newest.entry));
            return Ok(if is_same { Examined::Lost(photo) } else { Examined::New(photo) });
        }
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

/// Whether the newest entry captured this photo before a rendition was configured that targets ask for now.
fn lacks_rendition(settings: &PropagateSettings, content: &PhotoContent, newest: Option<&Committed>) -> bool {
    let Some(newest) = newest.map(|newest| &newest.entry).filter(|entry| entry.kind == EntryKind::Captured) else {
        return false;
    };
    let is_same = newest.photo.as_ref().map(|photo| photo.sha256) == content.sha256();
    let has = |spec: &RenditionSpec| newest.renditions.iter().any(|rendition| rendition.name == spec.name);
    is_same && !settings.renditions.iter().all(has)
}

/// A refused photo is examined anew when an operator asks, because this version of the program may be able to decode it,
/// and now and then if the program died of it.
async fn reexamines_refused(
    cx: &Reconciliation<'_>,
    content: &PhotoContent,
    newest: Option<&Committed>,
) -> Result<bool, ReconcileError> {
    let Some(refused) = newest.map(|newest| &newest.entry).filter(|entry| entry.kind == EntryKind::Refused) else {
        return Ok(false);
    };
    if cx.message.cause.kind == CauseKind::Operator {
        return Ok(true);
    }
    let is_deadly = refused.reason.as_deref() == Some(decode_markers::REFUSED_BECAUSE);
    match content.sha256() {
        Some(sha256) if is_deadly => Ok(decode_markers::is_due(cx.blobs(), cx.user, sha256).await?),
        _ => Ok(false),
    }
}

/// Decodes the photo and makes its renditions, off the async threads. `is_known`: it was refused before.
async fn decode(
    cx: &mut Reconciliation<'_>,
    content: &PhotoContent,
    is_known: bool,
) -> Result<NewPhoto, ReconcileError> {
    let refused = |reason: &str| NewPhoto::Refused { reason: reason.to_owned() };
    let photo = match content {
        PhotoContent::TooLarge => refused(&format!("the file has more bytes than the limit of {MAX_PHOTO_BYTES}")),
        PhotoContent::Bytes { bytes, sha256 } => {
            // An operator who asks has the photo decoded, whatever happened before.
            let is_asked_for = cx.message.cause.kind == CauseKind::Operator;
            let is_marked = cx.is_redelivered || (is_known && !is_asked_for);
            // Who waits must not stand marked: the program may die of another photo meanwhile.
            let decoding = cx.room.decoding().await;
            if is_marked && !decode_markers::begin(cx.blobs(), cx.user, *sha256).await? {
                refused(decode_markers::REFUSED_BECAUSE)
            } else {
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
                let decoded = decoding.run(work).await;
                if is_marked || is_known {
                    decode_markers::end(cx.blobs(), cx.user).await?;
                }
                decoded.unwrap_or_else(|_| refused("the decoder failed unexpectedly"))
            }
        }
    };
    cx.journal.note(Step::CompareContent, || match &photo {
        NewPhoto::Decoded(decoded) => {
            format!("new bytes: {} of {}x{} pixels", decoded.content_type, decoded.width, decoded.height)
        }
        NewPhoto::Refused { reason } => format!("new bytes, refused: {reason}"),
    });
    Ok(photo)
}

/// Each rendition is made of what is decoded for its own size, so that its bytes do not depend on what else is configured.
fn decode_and_render(bytes: &Bytes, sha256: Digest, settings: &PropagateSettings) -> Result<DecodedPhoto, Refusal> {
    // No echo of a rendition has more pixels than it, so the fingerprint needs no more than the largest does.
    let side = settings.renditions.iter().map(|spec| spec.side).max().unwrap_or(u32::MAX);
    let upright = decode_for(bytes, &settings.limits, side)?;
    let largest = |spec: &RenditionSpec| (spec.side == side).then(|| upright.render(spec)).transpose();
    let made: Vec<Option<Rendition>> = settings.renditions.iter().map(largest).collect::<Result<_, _>>()?;
    let (content_type, width, height) = (upright.content_type(), upright.width(), upright.height());
    let fingerprint = upright.fingerprint();
    // Two decoded photos at once would take twice the memory.
    drop(upright);
    let smaller = |spec: &RenditionSpec| decode_for(bytes, &settings.limits, spec.side)?.render(spec);
    let of_spec = |(made, spec): (Option<Rendition>, _)| made.map_or_else(|| smaller(spec), Ok);
    let renditions = made.into_iter().zip(&settings.renditions).map(of_spec).collect::<Result<_, _>>()?;
    Ok(DecodedPhoto { bytes: bytes.clone(), sha256, content_type, width, height, fingerprint, renditions })
}
