//! Everybody in the trail, in the order of their ids, a page of names at a time.

use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::store::{BlobStore, Listing, StoreError};

/// Where a walk through the trail is.
pub(crate) struct People<'a> {
    blobs: &'a dyn BlobStore,
    continuation: Option<String>,
    /// The last one who was seen: somebody's entries may go on from one page to the next.
    last: Option<UserId>,
    ended: bool,
}

impl<'a> People<'a> {
    /// Those who come after this one.
    pub(crate) fn after(blobs: &'a dyn BlobStore, last: Option<UserId>) -> Self {
        Self { blobs, continuation: None, last, ended: false }
    }

    /// The people of the next page, who may be none; `None` after the last page.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<UserId>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let listing = Listing { continuation: self.continuation.as_deref(), ..Listing::of("") };
        let page = self.blobs.list(Container::Audit, listing).await?;
        let entries = page.blobs.iter().filter_map(|blob| names::parse_audit_entry(&blob.name));
        let mut people: Vec<UserId> = entries.map(|(user, _)| user).collect();
        people.dedup();
        people.retain(|user| self.last.is_none_or(|last| *user > last));
        self.last = people.last().copied().or(self.last);
        self.ended = page.next.is_none();
        self.continuation = page.next;
        Ok(Some(people))
    }
}
