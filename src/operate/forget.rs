//! `photorelay forget <user> --yes`: erases everything in which a user can be recognised, and captures no photo any more.
//!
//! The `forgotten` entry comes first: from then on no worker commits for the user. Only then likenesses are deleted, and
//! every sweep repeats that. Targets are asked to erase their copies; the trail is never touched. What cannot be erased
//! here is said.

use std::io::Write;

use anyhow::{Context as _, Result, bail};
use photorelay_core::audit;
use photorelay_core::contract::EntryKind;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::target::Targets;
use photorelay_core::wording::counted;

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

/// Says what would be done. Does nothing, and so needs no operator's name.
pub async fn unconfirmed(storage: &Storage, user: UserId) -> Result<()> {
    let found = likenesses(&*storage.blobs, user).await?.len() as u64;
    bail!(
        "this would delete {} for good (photos, renditions, and values that agents saved), ask the targets \
         to erase their copies, and capture no photo of {user} any more; confirm with --yes",
        counted(found, "blob", "blobs")
    )
}

/// Forgets the user if `yes`. What must not be deleted with the rights of this operator is said, listed, and an error at the end.
pub async fn forget(storage: &Storage, targets: &Targets, forget: Forget, out: &mut dyn Write) -> Result<()> {
    let Forget { tenant, user, signature, yes } = forget;
    if !yes {
        return unconfirmed(storage, user).await;
    }
    let blobs = &*storage.blobs;
    let known = newest(blobs, user).await?.filter(|newest| newest.entry.kind == EntryKind::Forgotten);
    let committed = match known {
        Some(known) => known,
        None => append(blobs, tenant, user, EntryKind::Forgotten, &signature, async |entry, _| Ok(entry)).await?,
    };
    writeln!(out, "{user}: forgotten as entry {}; no photo is captured any more", committed.entry.seq)?;
    // The targets act on the entry, whatever becomes of the rest.
    let announced_to = announce(&*storage.queues, targets, &committed).await?;
    match announced_to.is_empty() {
        true => writeln!(out, "targets none serves this user")?,
        false => writeln!(out, "targets {} erase their copies of the photo", announced_to.join(", "))?,
    }
    let denied = match erase(blobs, user).await {
        Ok(erased) => {
            let (photos, saved) = (counted(erased.photos as u64, "blob", "blobs"), erased.saved_values as u64);
            writeln!(out, "deleted {photos} of photos/{user}/: photos and renditions")?;
            writeln!(out, "deleted {} that agents saved: receipts/{user}/*.before", counted(saved, "value", "values"))?;
            None
        }
        Err(error @ StoreError::Denied { .. }) => {
            writeln!(out, "DENIED  {error}")?;
            Some(error)
        }
        Err(error) => return Err(error.into()),
    };
    prove(blobs, user, out).await?;
    writeln!(out, "kept    the trail, receipts, notes and decisions: digests and times, no picture")?;
    writeln!(out, "by hand what a directory shows, if its removals wait or are ignored (`photorelay-agent held`)")?;
    writeln!(out, "        backups, and deleted blobs that the storage account still keeps: docs/data-protection.md")?;
    match denied {
        None => Ok(()),
        Some(error) => {
            Err(error).context("not all of it could be deleted: run `forget` with the rights of an operator")
        }
    }
}

/// Lists what is left, and says what can never be erased.
async fn prove(blobs: &dyn BlobStore, user: UserId, out: &mut dyn Write) -> Result<()> {
    let left = likenesses(blobs, user).await?;
    writeln!(
        out,
        "left    {} with a likeness in photos/{user}/ and receipts/{user}/, listed again",
        counted(left.len() as u64, "blob", "blobs")
    )?;
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
