//! `photorelay forget <user> --yes`: erases everything in which a user can be recognised, and captures no photo any more.
//!
//! The `forgotten` entry comes first: from then on no worker commits for the user. Only then likenesses are deleted, and
//! every sweep repeats that. Targets are asked to erase their copies; the trail is never touched. What cannot be erased
//! here is said.

use std::io::Write;

use anyhow::{Result, bail};
use photorelay_core::audit;
use photorelay_core::contract::EntryKind;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::storage::Storage;
use photorelay_core::store::BlobStore;
use photorelay_core::target::Targets;

use super::append::{append, newest};
use crate::jobs::announce::announce;
use crate::jobs::forgotten::{erase, likenesses};

/// Whom to forget, by whom and why.
#[derive(Debug, Clone)]
pub struct Forget {
    pub tenant: TenantId,
    pub user: UserId,
    pub signature: OperatorSignature,
    /// Otherwise nothing is done.
    pub yes: bool,
}

/// Forgets the user if `yes`; otherwise says what would be done.
pub async fn forget(storage: &Storage, targets: &Targets, forget: Forget, out: &mut dyn Write) -> Result<()> {
    let Forget { tenant, user, signature, yes } = forget;
    let blobs = &*storage.blobs;
    if !yes {
        let found = likenesses(blobs, user).await?.len();
        bail!(
            "this would delete {found} blobs for good (photos, renditions, and values that agents saved), \
             ask the targets to erase their copies, and capture no photo of {user} any more; confirm with --yes"
        );
    }
    let known = newest(blobs, user).await?.filter(|newest| newest.entry.kind == EntryKind::Forgotten);
    let committed = match known {
        Some(known) => known,
        None => append(blobs, tenant, user, EntryKind::Forgotten, &signature, async |entry, _| Ok(entry)).await?,
    };
    writeln!(out, "{user}: forgotten as entry {}; no photo is captured any more", committed.entry.seq)?;
    let erased = erase(blobs, user).await?;
    writeln!(out, "deleted {} blobs of photos/{user}/: photos and renditions", erased.photos)?;
    writeln!(out, "deleted {} values that agents saved: receipts/{user}/*.before", erased.saved_values)?;
    let announced_to = announce(&*storage.queues, targets, &committed).await?;
    match announced_to.is_empty() {
        true => writeln!(out, "targets none serves this user")?,
        false => writeln!(out, "targets {} erase their copies of the photo", announced_to.join(", "))?,
    }
    prove(blobs, user, out).await?;
    writeln!(out, "kept    the trail, receipts, notes and decisions: digests and times, no picture")?;
    writeln!(out, "by hand what a directory shows, if its removals wait or are ignored (`photorelay-agent held`)")?;
    writeln!(out, "        backups, and deleted blobs that the storage account still keeps: docs/data-protection.md")?;
    Ok(())
}

/// Lists what is left, and says what can never be erased.
async fn prove(blobs: &dyn BlobStore, user: UserId, out: &mut dyn Write) -> Result<()> {
    let left = likenesses(blobs, user).await?;
    writeln!(out, "left    {} blobs with a likeness in photos/{user}/ and receipts/{user}/, listed again", left.len())?;
    for (container, name) in left {
        writeln!(out, "        {container}/{name}")?;
    }
    let mut held = Vec::new();
    for seq in audit::sequence_numbers(blobs, user).await? {
        let photo = audit::read(blobs, user, seq).await?.and_then(|committed| committed.entry.photo);
        if photo.is_some_and(|photo| photo.fingerprint.is_some()) {
            held.push(seq.to_string());
        }
    }
    if !held.is_empty() {
        writeln!(out, "STAYS   entries {} of the trail are of version 1: each holds a fingerprint,", held.join(", "))?;
        writeln!(out, "        a picture of 24x24 cells in which the person can be recognised. photorelay deletes no")?;
        writeln!(out, "        entry, and a WORM policy allows it to no one before its time: docs/data-protection.md")?;
    }
    Ok(())
}
