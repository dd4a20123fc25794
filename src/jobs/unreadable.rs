//! The users for whom Graph fails: a small document each, whose metadata lets one listing show all of them.
//!
//! Written when a check fails, and deleted when one succeeds or the sweep finds nothing left to do. It only delays checks:
//! a document that is lost costs one more check.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::UnreadableUser;
use photorelay_core::documents;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, UNREADABLE_PREFIX};
use photorelay_core::store::{BlobStore, Metadata, Pager, StoreError};

/// A check that waits in the queue is handled within this time after it becomes visible.
const GRACE: Duration = Duration::from_secs(5 * 60);
/// What the metadata of a blob may hold.
const MAX_TEXT_BYTES: usize = 120;

/// What the listing shows of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnreadableSummary {
    pub(super) reason: String,
    pub(super) operation: String,
    next_check_at: Option<Timestamp>,
}

impl UnreadableSummary {
    fn of(metadata: &Metadata) -> Self {
        let value = |name: &str| metadata.get(name).cloned().unwrap_or_default();
        Self { reason: value("reason"), operation: value("operation"), next_check_at: value("next").parse().ok() }
    }

    /// Whether another check may be sent; one without a time is due.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next_check_at.is_none_or(|at| now >= at + GRACE)
    }
}

/// All of them.
pub(super) async fn list(blobs: &dyn BlobStore) -> Result<BTreeMap<UserId, UnreadableSummary>, StoreError> {
    let listed = Pager::new(blobs, Container::State, UNREADABLE_PREFIX, |blob| {
        Some((names::parse_unreadable_user(&blob.name)?, UnreadableSummary::of(&blob.metadata)))
    });
    Ok(listed.with_metadata().collect().await?.into_iter().collect())
}

pub(super) async fn read(blobs: &dyn BlobStore, user: UserId) -> Result<Option<UnreadableUser>, StoreError> {
    documents::read(blobs, Container::State, &names::unreadable_user(user)).await
}

pub(super) async fn write(blobs: &dyn BlobStore, unreadable: &UnreadableUser) -> Result<(), StoreError> {
    let metadata = [
        ("reason", fit_for_metadata(&unreadable.reason)),
        ("operation", fit_for_metadata(&unreadable.operation)),
        ("next", unreadable.next_check_at.to_string()),
    ];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value)).into();
    let name = names::unreadable_user(unreadable.user_id);
    documents::replace_with_metadata(blobs, Container::State, &name, unreadable, &metadata).await
}

pub(super) async fn delete(blobs: &dyn BlobStore, user: UserId) -> Result<(), StoreError> {
    blobs.delete(Container::State, &names::unreadable_user(user)).await
}

fn fit_for_metadata(text: &str) -> String {
    let text: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_TEXT_BYTES).collect();
    text.trim().to_owned()
}
