//! `photorelay export <user> FILE`: the photo that targets should show, as Graph gave it.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use photorelay_core::answer::CommandAnswer;
use photorelay_core::audit;
use photorelay_core::contract::EntryKind;
use photorelay_core::id::UserId;
use photorelay_core::names;
use photorelay_core::storage::Storage;
use photorelay_core::vault;

/// The largest photo that is stored, in bytes.
const MAX_PHOTO_BYTES: u64 = 4 * 1024 * 1024;

/// Writes the person's current photo to a file, or to stdout for `-`, and says what it is.
pub async fn export(storage: &Storage, user: UserId, file: &Path) -> Result<String> {
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
    Ok(format!(
        "{}: {} bytes, {}, {}x{} pixels, SHA-256 {}, entry {} of {}",
        file.display(),
        photo.bytes,
        photo.content_type,
        photo.width,
        photo.height,
        photo.sha256,
        entry.seq,
        entry.observed_at
    ))
}
