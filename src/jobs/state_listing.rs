//! What the storage holds about every user: heads, ends of trails and newest receipts, from three bulk listings.
//!
//! All three come in the order of ids, so they are merged page by page, and memory does not grow with the tenant.

use photorelay_core::heads::Summary;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, HEADS_PREFIX};
use photorelay_core::store::{BlobStore, Pager, StoreError};
use photorelay_core::target::Targets;

/// What the listings show of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UserRecord {
    pub(super) head: Option<Summary>,
    /// The newest entry of the trail; 0 if there is none.
    pub(super) trail: u32,
    /// The newest receipt of each target.
    pub(super) receipts: Vec<(String, u32)>,
}

impl UserRecord {
    /// The newest entry that the target has acknowledged; 0 if none.
    pub(super) fn receipt(&self, target: &str) -> u32 {
        self.receipts.iter().find(|(name, _)| name == target).map_or(0, |(_, seq)| *seq)
    }

    /// Every target has acknowledged the newest entry, if there is one.
    pub(super) fn is_acknowledged(&self, targets: &Targets) -> bool {
        targets.all().iter().all(|target| self.receipt(&target.name) >= self.trail)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.forgotten)
    }

    fn add_receipt(&mut self, target: String, seq: u32) {
        match self.receipts.iter_mut().find(|(name, _)| *name == target) {
            Some((_, newest)) => *newest = seq.max(*newest),
            None => self.receipts.push((target, seq)),
        }
    }
}

pub(super) struct StateListing<'a> {
    heads: Pager<'a, (UserId, Summary)>,
    trail: Pager<'a, (UserId, u32)>,
    receipts: Pager<'a, (UserId, (String, u32))>,
}

impl<'a> StateListing<'a> {
    pub(super) fn open(blobs: &'a dyn BlobStore) -> Self {
        let heads = Pager::new(blobs, Container::State, HEADS_PREFIX, |blob| {
            Some((names::parse_head(&blob.name)?, Summary::of(&blob.metadata)))
        });
        Self {
            heads: heads.with_metadata(),
            trail: Pager::new(blobs, Container::Audit, "", |blob| names::parse_audit_entry(&blob.name)),
            receipts: Pager::new(blobs, Container::Receipts, "", |blob| {
                let receipt = names::parse_receipt(&blob.name)?;
                Some((receipt.user, (receipt.target, receipt.seq)))
            }),
        }
    }

    /// The user that comes next.
    pub(super) async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
        let all = [peek(&mut self.heads).await?, peek(&mut self.trail).await?, peek(&mut self.receipts).await?];
        Ok(all.into_iter().flatten().min())
    }

    /// Everything about the user that comes next.
    pub(super) async fn take(&mut self, user: UserId) -> Result<UserRecord, StoreError> {
        let mut record = UserRecord::default();
        while let Some((_, head)) = self.heads.next_if(|(of, _)| *of == user).await? {
            record.head = Some(head);
        }
        while let Some((_, seq)) = self.trail.next_if(|(of, _)| *of == user).await? {
            record.trail = record.trail.max(seq);
        }
        while let Some((_, (target, seq))) = self.receipts.next_if(|(of, _)| *of == user).await? {
            record.add_receipt(target, seq);
        }
        Ok(record)
    }
}

async fn peek<T>(pager: &mut Pager<'_, (UserId, T)>) -> Result<Option<UserId>, StoreError> {
    Ok(pager.peek().await?.map(|(user, _)| *user))
}
