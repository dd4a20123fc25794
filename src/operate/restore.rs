//! `photorelay restore <user> <seq>`: puts an earlier photo back, by an entry like any other.
//!
//! The entry keeps what Graph showed last as `seen`, so the next check finds nothing new and does not undo it. A photo
//! that the user sets afterwards replaces it.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use photorelay_core::audit;
use photorelay_core::contract::{AuditEntry, EntryKind, PhotoFacts};
use photorelay_core::id::UserId;
use photorelay_core::names;
use photorelay_core::operator::OperatorSignature;
use photorelay_core::storage::Storage;
use photorelay_core::target::Targets;
use photorelay_core::vault;
use serde::Serialize;

use super::append::append;
use crate::jobs::announce::announce;

/// No photo or rendition is larger.
const MAX_BLOB_BYTES: u64 = 4 * 1024 * 1024;

/// Which photo, whose, by whom and why.
#[derive(Debug, Clone)]
pub struct Restore {
    pub user: UserId,
    pub seq: u32,
    /// The newest entry that the operator saw: if there is a newer one by now, nothing is restored.
    pub after: Option<u32>,
    pub signature: OperatorSignature,
}

/// A photo that is back in the trail, and on its way to the targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoredPhoto {
    #[serde(rename = "userId")]
    pub user: UserId,
    /// The entry whose photo it is.
    pub of: u32,
    /// The entry that restores it.
    pub seq: u32,
    pub announced_to: Vec<String>,
}

impl fmt::Display for RestoredPhoto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, of, seq, announced_to } = self;
        let to = if announced_to.is_empty() { "no target".to_owned() } else { announced_to.join(", ") };
        write!(f, "{user}: the photo of entry {of} is restored as entry {seq}, announced to {to}")
    }
}

/// The entry whose photo would be restored, with all that it names in the storage; `Err` says why it cannot be. Writes
/// nothing.
pub async fn examine(storage: &Storage, user: UserId, seq: u32) -> Result<AuditEntry> {
    let earlier = audit::read(&*storage.blobs, user, seq)
        .await?
        .with_context(|| format!("{user} has no entry {seq}: `photorelay history {user}` lists them"))?
        .entry;
    if !matches!(earlier.kind, EntryKind::Captured | EntryKind::Restored) {
        bail!("entry {seq} of {user} has no photo: it says {:?}", earlier.kind);
    }
    check_photo(storage, &earlier).await?;
    Ok(earlier)
}

/// Commits a `restored` entry with the photo of entry `seq` and announces it.
pub async fn restore(storage: &Storage, targets: &Targets, wanted: Restore) -> Result<RestoredPhoto> {
    let (user, seq) = (wanted.user, wanted.seq);
    let blobs = &*storage.blobs;
    let earlier = examine(storage, user, seq).await?;
    let committed = append(blobs, None, user, EntryKind::Restored, &wanted.signature, async |entry, newest| {
        let forgotten = newest.is_some_and(|newest| newest.entry.kind == EntryKind::Forgotten);
        ensure!(!forgotten, "{user} was forgotten: there is no photo to put back");
        let last = newest.map_or(0, |newest| newest.entry.seq);
        ensure!(
            wanted.after.is_none_or(|after| after == last),
            "entry {last} was made since you looked: look at it again"
        );
        // A fingerprint in an entry of version 1 is not copied into another one that can never be deleted.
        let photo = earlier.photo.clone().map(|photo| PhotoFacts { fingerprint: None, ..photo });
        let renditions = earlier.renditions.clone();
        Ok(AuditEntry { photo, renditions, ..entry })
    })
    .await?;
    let announced_to = announce(&*storage.queues, targets, &committed).await?;
    Ok(RestoredPhoto { user, of: seq, seq: committed.entry.seq, announced_to })
}

/// Everything that the entry names has to be there, unchanged: a target would only refuse it later.
async fn check_photo(storage: &Storage, entry: &AuditEntry) -> Result<()> {
    let Some(photo) = &entry.photo else { bail!("entry {} names no photo", entry.seq) };
    let mut named = vec![(names::photo(entry.user_id, photo.sha256), photo.sha256)];
    named.extend(entry.renditions.iter().map(|rendition| {
        (names::rendition(entry.user_id, photo.sha256, &rendition.name, rendition.sha256), rendition.sha256)
    }));
    for (blob, sha256) in named {
        let read = vault::read_verified(&*storage.blobs, &blob, sha256, MAX_BLOB_BYTES).await;
        read.with_context(|| format!("the photo of entry {} cannot be restored", entry.seq))?;
    }
    Ok(())
}
