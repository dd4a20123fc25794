//! Listings of the trail: which user owns each blob, and which users have a trail.

use crate::id::UserId;
use crate::names::{self, Container};
use crate::store::{BlobStore, Pager, StoreError};

/// The blob names of one listing, and the users who own them.
pub(super) struct Names<'a> {
    container: Container,
    pager: Pager<'a, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(blobs: &'a dyn BlobStore, container: Container, prefix: impl Into<String>) -> Self {
        Self { container, pager: Pager::new(blobs, container, prefix, |blob| Some(blob.name)) }
    }

    pub(super) async fn peek(&mut self) -> Result<Option<&str>, StoreError> {
        Ok(self.pager.peek().await?.map(String::as_str))
    }

    pub(super) async fn next(&mut self) -> Result<Option<String>, StoreError> {
        self.pager.next().await
    }

    /// The owner of the next blob; `None` if it belongs to no user, or at the end.
    pub(super) async fn owner(&mut self) -> Result<Option<UserId>, StoreError> {
        let container = self.container;
        Ok(self.peek().await?.and_then(|name| owner(container, name)))
    }

    /// The next name, if it belongs to this user.
    pub(super) async fn next_of(&mut self, user: UserId) -> Result<Option<String>, StoreError> {
        let container = self.container;
        self.pager.next_if(|name| owner(container, name) == Some(user)).await
    }

    /// The next name, if it belongs to no user.
    pub(super) async fn next_unowned(&mut self) -> Result<Option<String>, StoreError> {
        let container = self.container;
        self.pager.next_if(|name| owner(container, name).is_none()).await
    }
}

/// The user whose id begins the blob name, whatever follows it.
fn owner(container: Container, name: &str) -> Option<UserId> {
    if container == Container::State {
        return names::parse_head(name);
    }
    let (first, _) = name.split_once('/')?;
    let user: UserId = first.parse().ok()?;
    (user.to_string() == first).then_some(user)
}

/// All users who have a trail, in the order of their ids, one page at a time.
#[derive(Debug)]
pub struct TrailUsers<'a> {
    pager: Pager<'a, UserId>,
    /// The last user seen: the entries of one user may span two pages.
    last: Option<UserId>,
}

impl<'a> TrailUsers<'a> {
    /// The users after `last`.
    pub fn after(blobs: &'a dyn BlobStore, last: Option<UserId>) -> Self {
        let parse = |blob: crate::store::Listed| names::parse_audit_entry(&blob.name).map(|(user, _)| user);
        Self { pager: Pager::new(blobs, Container::Audit, "", parse), last }
    }

    /// The users of the next page, which may be empty; `None` after the last page.
    pub async fn next_page(&mut self) -> Result<Option<Vec<UserId>>, StoreError> {
        let Some(mut users) = self.pager.next_page().await? else { return Ok(None) };
        users.dedup();
        users.retain(|user| self.last.is_none_or(|last| *user > last));
        self.last = users.last().copied().or(self.last);
        Ok(Some(users))
    }
}
