//! What the storage holds about every user: heads, ends of trails and newest receipts, from three bulk listings.
//!
//! All three come in the order of ids, so they are merged page by page, and memory does not grow with the tenant.

use photorelay_core::audit::{self, EntryDigest, ListedEnd, ListedReceipt};
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
    /// Its digest, if it was listed and the store has it.
    pub(super) entry: Option<EntryDigest>,
    /// The newest receipt of each target.
    pub(super) receipts: Vec<ListedReceipt>,
}

impl UserRecord {
    /// The newest entry that the target has acknowledged; 0 if none.
    pub(super) fn receipt(&self, target: &str) -> u32 {
        self.receipts.iter().find(|(name, _)| name.target == target).map_or(0, |(name, _)| name.seq)
    }

    /// Every target has acknowledged the newest entry, if there is one.
    pub(super) fn is_acknowledged(&self, targets: &Targets) -> bool {
        targets.all().iter().all(|target| self.receipt(&target.name) >= self.trail)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.forgotten)
    }

    /// As a checkpoint records it.
    pub(super) fn end_of(&self, user: UserId) -> ListedEnd {
        ListedEnd { user, seq: self.trail, entry: self.entry, receipts: self.receipts.clone() }
    }
}

pub(super) struct StateListing<'a> {
    heads: Pager<'a, (UserId, Summary)>,
    trail: Pager<'a, (UserId, (u32, Option<EntryDigest>))>,
    receipts: Pager<'a, (UserId, ListedReceipt)>,
}

impl<'a> StateListing<'a> {
    pub(super) fn open(blobs: &'a dyn BlobStore) -> Self {
        let heads = Pager::new(blobs, Container::State, HEADS_PREFIX, |blob| {
            Some((names::parse_head(&blob.name)?, Summary::of(&blob.metadata)))
        });
        Self {
            heads: heads.with_metadata(),
            trail: Pager::new(blobs, Container::Audit, "", |blob| {
                let (user, seq) = names::parse_audit_entry(&blob.name)?;
                Some((user, (seq, EntryDigest::of(&blob.metadata))))
            }),
            receipts: Pager::new(blobs, Container::Receipts, "", |blob| {
                let name = names::parse_receipt(&blob.name)?;
                Some((name.user, (name, audit::receipt_digest(&blob.metadata))))
            }),
        }
    }

    /// Lists the digests of entries and receipts too.
    pub(super) fn with_digests(self) -> Self {
        Self { trail: self.trail.with_metadata(), receipts: self.receipts.with_metadata(), ..self }
    }

    /// The user that comes next.
    pub(super) async fn peek(&mut self) -> Result<Option<UserId>, StoreError> {
        let (head, entry, receipt) =
            futures::try_join!(peek(&mut self.heads), peek(&mut self.trail), peek(&mut self.receipts))?;
        Ok([head, entry, receipt].into_iter().flatten().min())
    }

    /// Everything about the user that comes next.
    pub(super) async fn take(&mut self, user: UserId) -> Result<UserRecord, StoreError> {
        let mut record = UserRecord::default();
        while let Some((_, head)) = self.heads.next_if(|(of, _)| *of == user).await? {
            record.head = Some(head);
        }
        while let Some((_, (seq, entry))) = self.trail.next_if(|(of, _)| *of == user).await? {
            if seq > record.trail {
                (record.trail, record.entry) = (seq, entry);
            }
        }
        while let Some((_, receipt)) = self.receipts.next_if(|(of, _)| *of == user).await? {
            audit::keep_newest(&mut record.receipts, receipt);
        }
        Ok(record)
    }
}

async fn peek<T>(pager: &mut Pager<'_, (UserId, T)>) -> Result<Option<UserId>, StoreError> {
    Ok(pager.peek().await?.map(|(user, _)| *user))
}
