//! Brings the index up to the trail: one listing tells whose trail has grown, and only those entries are read.
//!
//! A trail that cannot be read as an entry hides that user and no other; a storage that does not answer ends the refresh,
//! and the next one continues.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use futures::{StreamExt as _, stream};
use photorelay_core::audit::{self, AuditError};
use photorelay_core::contract::{AuditEntry, EntryKind};
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::rights::ScopedBlobs;
use photorelay_core::store::{Pager, StoreError};
use photorelay_core::target::Target;

use super::index::PhotoIndex;

/// Entries read side by side: a first fill of 100,000 users takes a minute or two.
const CONCURRENCY: usize = 16;

#[derive(Debug)]
pub(super) struct IndexRefresh {
    blobs: ScopedBlobs,
    tenant: TenantId,
    serving: Target,
}

impl IndexRefresh {
    pub(super) fn new(blobs: ScopedBlobs, tenant: TenantId, serving: Target) -> Self {
        Self { blobs, tenant, serving }
    }

    /// Returns how many trails were read.
    pub(super) async fn run(&self, index: &RwLock<PhotoIndex>) -> Result<usize, StoreError> {
        let ends = self.ends().await?;
        let present: HashSet<UserId> = ends.iter().map(|(user, _)| *user).collect();
        let grown: Vec<(UserId, u32)> = {
            let index = index.read().unwrap_or_else(PoisonError::into_inner);
            ends.into_iter().filter(|(user, seq)| index.end_of_trail(*user) != Some(*seq)).collect()
        };
        let count = grown.len();
        let read = |(user, seq)| async move { (user, seq, self.shown(user, seq).await) };
        let mut entries = stream::iter(grown).map(read).buffer_unordered(CONCURRENCY);
        while let Some((user, seq, entry)) = entries.next().await {
            index.write().unwrap_or_else(PoisonError::into_inner).put(user, seq, entry?);
        }
        index.write().unwrap_or_else(PoisonError::into_inner).retain(&present);
        Ok(count)
    }

    /// The number of every user's newest entry.
    async fn ends(&self) -> Result<Vec<(UserId, u32)>, StoreError> {
        let mut entries = Pager::new(&self.blobs, Container::Audit, "", |blob| names::parse_audit_entry(&blob.name));
        let mut ends: Vec<(UserId, u32)> = Vec::new();
        while let Some((user, seq)) = entries.next().await? {
            match ends.last_mut() {
                Some((last, end)) if *last == user => *end = seq,
                _ => ends.push((user, seq)),
            }
        }
        Ok(ends)
    }

    /// The entry that counts, if it is one to show.
    async fn shown(&self, user: UserId, end: u32) -> Result<Option<AuditEntry>, StoreError> {
        let sequence: Vec<u32> = (1..=end).collect();
        let entry = match audit::newest_not_refused(&self.blobs, user, &sequence).await {
            Ok(newest) => newest.map(|committed| committed.entry),
            Err(AuditError::Store(error)) if !matches!(error, StoreError::TooLarge { .. }) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "this user is not shown: run `photorelay audit verify`");
                None
            }
        };
        Ok(entry.filter(|entry| {
            matches!(entry.kind, EntryKind::Captured | EntryKind::Restored)
                && entry.tenant_id == self.tenant
                && self.serving.serves(entry.identity.domain.as_deref())
        }))
    }
}
