//! `photorelay export <user> FILE`: the photo that targets should show, as Graph gave it.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use photorelay_core::answer::CommandAnswer;
use photorelay_core::audit;
use photorelay_core::contract::EntryKind;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names;
use photorelay_core::storage::Storage;
use photorelay_core::vault;
use photorelay_core::wording::counted;
use serde::Serialize;

/// The largest photo that is stored, in bytes.
const MAX_PHOTO_BYTES: u64 = 4 * 1024 * 1024;

/// What was written to the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportedPhoto {
    pub user_id: UserId,
    pub file: String,
    /// The entry that it is the photo of, and when that one was made.
    pub seq: u32,
    pub at: Timestamp,
    pub sha256: Digest,
    pub bytes: u64,
    pub content_type: String,
    pub width: u32,
    pub height: u32,
}

impl fmt::Display for ExportedPhoto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user_id: _, file, seq, at, sha256, bytes, content_type, width, height } = self;
        let size = counted(*bytes, "byte", "bytes");
        write!(f, "{file}: {size}, {content_type}, {width}x{height} pixels, SHA-256 {sha256}, entry {seq} of {at}")
    }
}

/// Writes the person's current photo to a file, or to stdout for `-`, and returns what it is.
pub async fn export(storage: &Storage, user: UserId, file: &Path) -> Result<ExportedPhoto> {
    let blobs = &*storage.blobs;
    let sequence = audit::sequence_numbers(blobs, user).await?;
    let newest = audit::newest_not_refused(blobs, user, &sequence)
        .await?
        .with_context(|| format!("{user} has no entry in the audit trail: run `photorelay check {user}`"))?;
    let entry = newest.entry;
    let photo = match (entry.kind, entry.photo) {
        (EntryKind::Captured | EntryKind::Restored, Some(photo)) => photo,
        (kind, _) => bail!("{user} has no photo: entry {} of {} says {kind:?}", entry.seq, entry.observed_at),
    };
    let blob = names::photo(user, photo.sha256);
    let bytes = vault::read_verified(blobs, &blob, photo.sha256, MAX_PHOTO_BYTES).await?;
    if file == Path::new("-") {
        CommandAnswer.write_all(&bytes)?;
        CommandAnswer.flush()?;
    } else {
        tokio::fs::write(file, &bytes).await.with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(ExportedPhoto {
        user_id: user,
        file: file.display().to_string(),
        seq: entry.seq,
        at: entry.observed_at,
        sha256: photo.sha256,
        bytes: photo.bytes,
        content_type: photo.content_type,
        width: photo.width,
        height: photo.height,
    })
}
