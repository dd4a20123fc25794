//! Iterates over a listing page by page, holding only one page in memory, however many blobs there are.

use std::collections::VecDeque;

use super::{BlobStore, Listed, Listing, StoreError};
use crate::names::Container;

/// A listing in the order of names, parsed as it arrives. Skips blobs that `parse` does not recognise.
#[derive(Debug)]
pub struct Pager<'a, T> {
    blobs: &'a dyn BlobStore,
    container: Container,
    prefix: String,
    with_metadata: bool,
    parse: fn(Listed) -> Option<T>,
    page: VecDeque<T>,
    next: NextPage,
}

#[derive(Debug)]
enum NextPage {
    First,
    After(String),
    End,
}

impl<'a, T> Pager<'a, T> {
    pub fn new(
        blobs: &'a dyn BlobStore,
        container: Container,
        prefix: impl Into<String>,
        parse: fn(Listed) -> Option<T>,
    ) -> Self {
        let (prefix, page) = (prefix.into(), VecDeque::new());
        Self { blobs, container, prefix, with_metadata: false, parse, page, next: NextPage::First }
    }

    /// Lists blob metadata too.
    pub fn with_metadata(self) -> Self {
        Self { with_metadata: true, ..self }
    }

    /// The rest of the current page, or the next page, which may be empty; `None` after the last one.
    pub async fn next_page(&mut self) -> Result<Option<Vec<T>>, StoreError> {
        if self.page.is_empty() && !self.load().await? {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.page).into()))
    }

    pub async fn peek(&mut self) -> Result<Option<&T>, StoreError> {
        while self.page.is_empty() {
            if !self.load().await? {
                return Ok(None);
            }
        }
        Ok(self.page.front())
    }

    pub async fn next(&mut self) -> Result<Option<T>, StoreError> {
        self.next_if(|_| true).await
    }

    /// Takes the next item if `wanted` returns true for it.
    pub async fn next_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Result<Option<T>, StoreError> {
        let is_wanted = self.peek().await?.is_some_and(wanted);
        Ok(if is_wanted { self.page.pop_front() } else { None })
    }

    /// All remaining items. Only for prefixes that are known to be small.
    pub async fn collect(mut self) -> Result<Vec<T>, StoreError> {
        let mut items = Vec::new();
        while let Some(page) = self.next_page().await? {
            items.extend(page);
        }
        Ok(items)
    }

    /// Loads the next page; returns false if there is none.
    async fn load(&mut self) -> Result<bool, StoreError> {
        let continuation = match &self.next {
            NextPage::First => None,
            NextPage::After(marker) => Some(marker.as_str()),
            NextPage::End => return Ok(false),
        };
        let listing = Listing { continuation, with_metadata: self.with_metadata, ..Listing::of(&self.prefix) };
        let page = self.blobs.list(self.container, listing).await?;
        self.page = page.blobs.into_iter().filter_map(self.parse).collect();
        self.next = page.next.map_or(NextPage::End, NextPage::After);
        Ok(true)
    }
}

/// All blobs with a prefix. Only for prefixes that are known to be small.
pub async fn list_all(blobs: &dyn BlobStore, container: Container, prefix: &str) -> Result<Vec<Listed>, StoreError> {
    Pager::new(blobs, container, prefix, Some).collect().await
}
