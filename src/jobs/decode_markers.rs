//! Tells a death while a photo was decoded from a restart: a marker stands while a photo is decoded whose message was
//! delivered before.
//!
//! A photo that the program died of several times is refused without being decoded, and tried once more by a new version
//! of the program, or after some days. It must never refuse a photo for any other reason.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::audit::{self, AuditError};
use photorelay_core::contract::{DecodeMarker, V1};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, DECODE_MARKERS_PREFIX};
use photorelay_core::store::{BlobStore, Metadata, Pager, StoreError};

/// In the audit trail.
pub(super) const REFUSED_BECAUSE: &str = "the program died repeatedly while it decoded this photo; it is tried again \
                                          after an update of the program, or after a week";
const MAX_DEATHS: u32 = 3;
const TRIED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Whether this photo may be decoded; the marker stands then. After [`MAX_DEATHS`] it may not.
pub(super) async fn begin(blobs: &dyn BlobStore, user_id: UserId, sha256: Digest) -> Result<bool, StoreError> {
    let now = Timestamp::now();
    let known = read(blobs, user_id).await?.filter(|known| known.sha256 == sha256);
    let deaths = match &known {
        // One more death is enough then.
        Some(known) if is_outdated(&known.program, known.at, now) => known.begun.min(MAX_DEATHS - 1),
        Some(known) => known.begun,
        None => 0,
    };
    let refused = deaths >= MAX_DEATHS;
    if refused && known.is_some_and(|known| known.refused) {
        return Ok(false);
    }
    let begun = if refused { deaths } else { deaths + 1 };
    let marker = DecodeMarker { v: V1, user_id, sha256, begun, refused, program: PROGRAM.to_owned(), at: now };
    let metadata = [("refused", refused.to_string()), ("program", marker.program.clone()), ("at", now.to_string())];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value)).into();
    let name = names::decode_marker(user_id);
    documents::replace_with_metadata(blobs, Container::State, &name, &marker, &metadata).await?;
    Ok(!refused)
}

/// Decoding came to an end, whatever it was.
pub(super) async fn end(blobs: &dyn BlobStore, user: UserId) -> Result<(), StoreError> {
    blobs.delete(Container::State, &names::decode_marker(user)).await
}

/// Whether a photo that was refused because of deaths may be tried again.
pub(super) async fn is_due(blobs: &dyn BlobStore, user: UserId, sha256: Digest) -> Result<bool, StoreError> {
    let known = read(blobs, user).await?;
    let now = Timestamp::now();
    Ok(known.is_none_or(|known| known.sha256 != sha256 || is_outdated(&known.program, known.at, now)))
}

/// The users whose refused photo may be tried again. Removes what stands for a photo that has been replaced since.
pub(super) async fn all_due(blobs: &dyn BlobStore, now: Timestamp) -> Result<BTreeSet<UserId>, StoreError> {
    let standing = Pager::new(blobs, Container::State, DECODE_MARKERS_PREFIX, |blob| {
        Some((names::parse_decode_marker(&blob.name)?, blob.metadata))
    });
    let mut all = BTreeSet::new();
    for (user, metadata) in standing.with_metadata().collect().await? {
        if !is_due_by(&metadata, now) {
            continue;
        }
        if is_newest_refused(blobs, user).await? {
            all.insert(user);
        } else {
            end(blobs, user).await?;
        }
    }
    Ok(all)
}

async fn is_newest_refused(blobs: &dyn BlobStore, user: UserId) -> Result<bool, StoreError> {
    let newest = audit::sequence_numbers(blobs, user).await?.last().copied().unwrap_or_default();
    match audit::read(blobs, user, newest).await {
        Ok(newest) => Ok(newest.is_some_and(|newest| newest.entry.reason.as_deref() == Some(REFUSED_BECAUSE))),
        Err(AuditError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

fn is_due_by(metadata: &Metadata, now: Timestamp) -> bool {
    let value = |name: &str| metadata.get(name).map(String::as_str).unwrap_or_default();
    let at: Timestamp = value("at").parse().unwrap_or_default();
    value("refused") == "true" && is_outdated(value("program"), at, now)
}

fn is_outdated(program: &str, at: Timestamp, now: Timestamp) -> bool {
    program != PROGRAM || now.duration_since(at) >= TRIED_AGAIN_AFTER
}

async fn read(blobs: &dyn BlobStore, user: UserId) -> Result<Option<DecodeMarker>, StoreError> {
    documents::read(blobs, Container::State, &names::decode_marker(user)).await
}
