//! Goes through the listings of entries, receipts and heads side by side and brings together what belongs to one
//! person. All three are in the order of person ids, so one page of each is all that has to be held.

use std::collections::VecDeque;

use super::{owner, parse_head, parse_receipt};
use crate::id::UserId;
use crate::names::{self, Container};
use crate::store::{BlobStore, Listing, StoreError};

/// Daily checkpoints lie beside the people.
const CHECKPOINTS_PREFIX: &str = "checkpoints/";

/// What the listings say about one person.
#[derive(Debug)]
pub(super) struct Traces {
    pub(super) user: UserId,
    /// Sequence numbers of the entries, in order.
    pub(super) entries: Vec<u32>,
    /// Names in the person's part of `audit` that are no entries.
    pub(super) foreign: Vec<String>,
    /// The receipt with the highest number.
    pub(super) newest_receipt: Option<(u32, String)>,
    pub(super) has_head: bool,
}

pub(super) enum Item {
    Person(Traces),
    /// A blob that belongs to nobody.
    Foreign {
        container: Container,
        name: String,
    },
}

pub(super) struct Walk<'a> {
    entries: Names<'a>,
    receipts: Names<'a>,
    heads: Names<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn of_everybody(blobs: &'a dyn BlobStore) -> Self {
        Self {
            entries: Names::new(blobs, Container::Audit, String::new()),
            receipts: Names::new(blobs, Container::Receipts, String::new()),
            heads: Names::new(blobs, Container::State, names::HEADS_PREFIX.to_owned()),
        }
    }

    pub(super) fn of_person(blobs: &'a dyn BlobStore, user: UserId) -> Self {
        let prefix = names::person_prefix(user);
        Self {
            entries: Names::new(blobs, Container::Audit, prefix.clone()),
            receipts: Names::new(blobs, Container::Receipts, prefix),
            heads: Names::new(blobs, Container::State, names::head(user)),
        }
    }

    /// The next person, or the next blob that belongs to nobody.
    pub(super) async fn next(&mut self) -> Result<Option<Item>, StoreError> {
        loop {
            // What is nobody's comes out at once; checkpoints and names in other containers are none of our business.
            let Some(name) = self.entries.peek().await? else { break };
            if owner(Container::Audit, name).is_some() {
                break;
            }
            let name = self.entries.take();
            if !name.starts_with(CHECKPOINTS_PREFIX) {
                return Ok(Some(Item::Foreign { container: Container::Audit, name }));
            }
        }
        self.receipts.skip_nobodys().await?;
        self.heads.skip_nobodys().await?;
        let mut user = None;
        for names in [&mut self.entries, &mut self.receipts, &mut self.heads] {
            let candidate = names.owner().await?;
            user = match (user, candidate) {
                (Some(first), Some(other)) => Some(std::cmp::min(first, other)),
                (first, other) => first.or(other),
            };
        }
        let Some(user) = user else { return Ok(None) };
        let mut traces =
            Traces { user, entries: Vec::new(), foreign: Vec::new(), newest_receipt: None, has_head: false };
        while self.entries.owner().await? == Some(user) {
            let name = self.entries.take();
            match names::parse_audit_entry(&name) {
                Some((_, seq)) => traces.entries.push(seq),
                None => traces.foreign.push(name),
            }
        }
        while self.receipts.owner().await? == Some(user) {
            let name = self.receipts.take();
            if let Some((_, seq)) = parse_receipt(&name) {
                traces.newest_receipt = Some((seq, name));
            }
        }
        while self.heads.owner().await? == Some(user) {
            traces.has_head |= parse_head(&self.heads.take()).is_some();
        }
        Ok(Some(Item::Person(traces)))
    }
}

/// The names of one listing, page after page.
struct Names<'a> {
    blobs: &'a dyn BlobStore,
    container: Container,
    prefix: String,
    page: VecDeque<String>,
    /// What to go on with; the outer none means that the last page is here.
    next: Option<Option<String>>,
}

impl<'a> Names<'a> {
    fn new(blobs: &'a dyn BlobStore, container: Container, prefix: String) -> Self {
        Self { blobs, container, prefix, page: VecDeque::new(), next: Some(None) }
    }

    async fn peek(&mut self) -> Result<Option<&str>, StoreError> {
        while self.page.is_empty() {
            let Some(continuation) = self.next.take() else { return Ok(None) };
            let listing = Listing { continuation: continuation.as_deref(), ..Listing::of(&self.prefix) };
            let page = self.blobs.list(self.container, listing).await?;
            self.page = page.blobs.into_iter().map(|blob| blob.name).collect();
            self.next = page.next.map(Some);
        }
        Ok(self.page.front().map(String::as_str))
    }

    async fn owner(&mut self) -> Result<Option<UserId>, StoreError> {
        let container = self.container;
        Ok(self.peek().await?.and_then(|name| owner(container, name)))
    }

    async fn skip_nobodys(&mut self) -> Result<(), StoreError> {
        let container = self.container;
        while self.peek().await?.is_some_and(|name| owner(container, name).is_none()) {
            self.page.pop_front();
        }
        Ok(())
    }

    /// The name that was just peeked at.
    fn take(&mut self) -> String {
        self.page.pop_front().unwrap_or_default()
    }
}
