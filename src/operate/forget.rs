//! `photorelay forget <user> --yes`: erases everything in which a user can be recognised, and captures no photo any more.
//!
//! The `forgotten` entry comes first: from then on no worker commits for the user. Only then likenesses are deleted, and
//! every sweep repeats that. Targets are asked to erase their copies; the trail is never touched. What cannot be erased
//! here is said.

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use photorelay_core::audit;
use photorelay_core::contract::EntryKind;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::target::Targets;
use photorelay_core::wording::counted;
use serde::Serialize;

use super::append::{append, newest};
use crate::jobs::announce::announce;
use crate::jobs::forgotten::{Erasure, erase, likenesses};

/// Whom to forget, by whom and why.
#[derive(Debug, Clone)]
pub struct Forget {
    /// Needed only for a user without an entry.
    pub tenant: Option<TenantId>,
    pub user: UserId,
    pub signature: OperatorSignature,
}

/// What forgetting a user would delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForgetPreview {
    pub user_id: UserId,
    #[serde(flatten)]
    pub would_erase: Erasure,
}

impl fmt::Display for ForgetPreview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blobs = (self.would_erase.photos + self.would_erase.saved_values) as u64;
        write!(
            f,
            "this would delete {} for good (photos, renditions, and values that agents saved), ask the targets \
             to erase their copies, and capture no photo of {} any more; confirm with --yes",
            counted(blobs, "blob", "blobs"),
            self.user_id
        )
    }
}

/// Says what would be done. Does nothing, and so needs no operator's name.
pub async fn preview(storage: &Storage, user: UserId) -> Result<ForgetPreview> {
    let mut would_erase = Erasure::default();
    for (container, _) in likenesses(&*storage.blobs, user).await? {
        would_erase.count(container);
    }
    Ok(ForgetPreview { user_id: user, would_erase })
}

/// What became of a forgotten user's likenesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForgottenUser {
    pub user_id: UserId,
    /// The entry that says so.
    pub seq: u32,
    pub announced_to: Vec<String>,
    /// None if this operator may not delete all of it.
    pub erased: Option<Erasure>,
    /// What this operator may not delete.
    pub denied: Option<String>,
    /// The blobs with a likeness that are left, listed again: container and name.
    pub left: Vec<String>,
    /// The entries of version 1, which hold a fingerprint and stay.
    pub fingerprints: Vec<u32>,
}

impl ForgottenUser {
    /// An error unless everything was deleted that can be.
    pub fn complete(&self) -> Result<()> {
        let denied = self.denied.as_deref().unwrap_or_default();
        ensure!(
            self.denied.is_none(),
            "not all of it could be deleted: run `forget` with the rights of an operator: {denied}"
        );
        Ok(())
    }
}

impl fmt::Display for ForgottenUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user_id;
        writeln!(f, "{user}: forgotten as entry {}; no photo is captured any more", self.seq)?;
        match self.announced_to.is_empty() {
            true => writeln!(f, "targets none serves this user")?,
            false => writeln!(f, "targets {} erase their copies of the photo", self.announced_to.join(", "))?,
        }
        if let Some(Erasure { photos, saved_values }) = self.erased {
            let (photos, saved) = (counted(photos as u64, "blob", "blobs"), saved_values as u64);
            writeln!(f, "deleted {photos} of photos/{user}/: photos and renditions")?;
            writeln!(f, "deleted {} that agents saved: receipts/{user}/*.before", counted(saved, "value", "values"))?;
        }
        if let Some(denied) = &self.denied {
            writeln!(f, "DENIED  {denied}")?;
        }
        let left = counted(self.left.len() as u64, "blob", "blobs");
        writeln!(f, "left    {left} with a likeness in photos/{user}/ and receipts/{user}/, listed again")?;
        self.left.iter().try_for_each(|blob| writeln!(f, "        {blob}"))?;
        if !self.fingerprints.is_empty() {
            let entries: Vec<String> = self.fingerprints.iter().map(u32::to_string).collect();
            writeln!(
                f,
                "STAYS   entries {} of the trail are of version 1: each holds a fingerprint,",
                entries.join(", ")
            )?;
            writeln!(
                f,
                "        a picture of 24x24 cells in which the person can be recognised. photorelay deletes no"
            )?;
            writeln!(
                f,
                "        entry, and a WORM policy allows it to no one before its time: docs/data-protection.md"
            )?;
        }
        writeln!(f, "kept    the trail, receipts, notes and decisions: digests and times, no picture")?;
        writeln!(f, "by hand what a directory shows, if its removals wait or are ignored (`photorelay-agent held`)")?;
        write!(f, "        backups, and deleted blobs that the storage account still keeps: docs/data-protection.md")
    }
}

/// Forgets the user. What must not be deleted with the rights of this operator is listed, and
/// [`ForgottenUser::complete`] fails.
pub async fn forget(storage: &Storage, targets: &Targets, forget: Forget) -> Result<ForgottenUser> {
    let Forget { tenant, user, signature } = forget;
    let blobs = &*storage.blobs;
    let known = newest(blobs, user).await?.filter(|newest| newest.entry.kind == EntryKind::Forgotten);
    let committed = match known {
        Some(known) => known,
        None => append(blobs, tenant, user, EntryKind::Forgotten, &signature, async |entry, _| Ok(entry)).await?,
    };
    let seq = committed.entry.seq;
    let not_all = || format!("{user} is forgotten as entry {seq}, but not all of it is done: run `forget` again");
    // The targets act on the entry, whatever becomes of the rest.
    let announced_to = announce(&*storage.queues, targets, &committed).await.with_context(not_all)?;
    let (erased, denied) = match erase(blobs, user).await {
        Ok(erased) => (Some(erased), None),
        Err(error @ StoreError::Denied { .. }) => (None, Some(error.to_string())),
        Err(error) => return Err(error).with_context(not_all),
    };
    let left = likenesses(blobs, user).await.with_context(not_all)?;
    let left = left.into_iter().map(|(container, name)| format!("{container}/{name}")).collect();
    let fingerprints = fingerprints(blobs, user).await.with_context(not_all)?;
    Ok(ForgottenUser { user_id: user, seq, announced_to, erased, denied, left, fingerprints })
}

/// The entries that hold what can never be erased.
async fn fingerprints(blobs: &dyn BlobStore, user: UserId) -> Result<Vec<u32>> {
    let mut held = Vec::new();
    for seq in audit::sequence_numbers(blobs, user).await? {
        let photo = audit::read(blobs, user, seq).await?.and_then(|committed| committed.entry.photo);
        if photo.is_some_and(|photo| photo.fingerprint.is_some()) {
            held.push(seq);
        }
    }
    Ok(held)
}
