//! The names of one listing, page after page, so that one page is all that has to be held.

use std::collections::VecDeque;

use crate::id::UserId;
use crate::names::{self, Container};
use crate::store::{BlobStore, Listing, StoreError};

/// The names of one listing, page after page.
pub(super) struct Names<'a> {
    blobs: &'a dyn BlobStore,
    container: Container,
    prefix: String,
    page: VecDeque<String>,
    /// What to go on with; the outer none means that the last page is here.
    next: Option<Option<String>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(blobs: &'a dyn BlobStore, container: Container, prefix: String) -> Self {
        Self { blobs, container, prefix, page: VecDeque::new(), next: Some(None) }
    }

    pub(super) async fn peek(&mut self) -> Result<Option<&str>, StoreError> {
        while self.page.is_empty() {
            let Some(continuation) = self.next.take() else { return Ok(None) };
            let listing = Listing { continuation: continuation.as_deref(), ..Listing::of(&self.prefix) };
            let page = self.blobs.list(self.container, listing).await?;
            self.page = page.blobs.into_iter().map(|blob| blob.name).collect();
            self.next = page.next.map(Some);
        }
        Ok(self.page.front().map(String::as_str))
    }

    /// Whose blob comes next; none if it is nobody's or the end.
    pub(super) async fn owner(&mut self) -> Result<Option<UserId>, StoreError> {
        let container = self.container;
        Ok(self.peek().await?.and_then(|name| owner(container, name)))
    }

    pub(super) async fn skip_nobodys(&mut self) -> Result<(), StoreError> {
        let container = self.container;
        while self.peek().await?.is_some_and(|name| owner(container, name).is_none()) {
            self.page.pop_front();
        }
        Ok(())
    }

    /// The name that was just peeked at.
    pub(super) fn take(&mut self) -> String {
        self.page.pop_front().unwrap_or_default()
    }
}

/// The person whom a blob name of this container begins with, whatever comes after.
fn owner(container: Container, name: &str) -> Option<UserId> {
    if container == Container::State {
        return names::parse_head(name);
    }
    let (first, _) = name.split_once('/')?;
    let user: UserId = first.parse().ok()?;
    (user.to_string() == first).then_some(user)
}
