//! `photorelay forget <user> --yes`: deletes a user's photos for good and captures none any more.
//!
//! The `forgotten` entry comes first: from then on no worker commits for the user. Only then photos are deleted, and
//! every sweep repeats that. It never touches a target, and never the trail.

use std::io::Write;

use anyhow::{Result, bail};
use photorelay_core::contract::EntryKind;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::storage::Storage;
use photorelay_core::store::list_all;

use super::append::{append, newest};
use crate::jobs::forgotten::delete_photos;

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
pub async fn forget(storage: &Storage, forget: Forget, out: &mut dyn Write) -> Result<()> {
    let Forget { tenant, user, signature, yes } = forget;
    let blobs = &*storage.blobs;
    if !yes {
        let photos = list_all(blobs, Container::Photos, &names::person_prefix(user)).await?.len();
        bail!(
            "this would delete {photos} blobs of photos/{user}/ for good and capture no photo of {user} any more; \
             confirm with --yes"
        );
    }
    let known = newest(blobs, user).await?.filter(|newest| newest.entry.kind == EntryKind::Forgotten);
    let committed = match known {
        Some(known) => known,
        None => append(blobs, tenant, user, EntryKind::Forgotten, &signature, async |entry, _| Ok(entry)).await?,
    };
    writeln!(out, "{user}: forgotten as entry {}; no photo is captured any more", committed.entry.seq)?;
    let deleted = delete_photos(blobs, user).await?;
    writeln!(out, "deleted {deleted} blobs of photos/{user}/; every sweep deletes what a slow worker may still store")?;
    writeln!(out, "kept    the trail, which has no photo, but of each photo a fingerprint of 24x24 cells")?;
    let receipts = list_all(blobs, Container::Receipts, &names::person_prefix(user)).await?;
    let before = receipts.iter().filter(|blob| blob.name.ends_with(".before")).count();
    if before > 0 {
        writeln!(out, "kept    {before} values that an agent found in a target and saved: receipts/{user}/*.before")?;
    }
    writeln!(out, "kept    what targets show: remove it there if it has to go")?;
    Ok(())
}
