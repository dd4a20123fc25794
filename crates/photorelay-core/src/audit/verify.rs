//! Walks the trail and names what is broken: a changed, missing or inserted entry, a photo that does not match, and,
//! against heads and receipts, a tail that was cut off or a person who is missing altogether.
//!
//! It reads and never repairs. It holds one page of each listing and a few people at a time, so 100,000 people need no
//! more memory than ten. Somebody who commits while it runs is not taken for a thief: before a cut tail is reported,
//! the entry is asked for once more. What the hash chain cannot show is a forged newest entry that nobody has acted on.

mod finding;
mod person;
mod walk;

use futures::TryStreamExt as _;

use crate::id::UserId;
use crate::names::{self, Container};
use crate::store::{BlobStore, StoreError};
use walk::{Item, Walk};

pub use finding::{Finding, Problem};

/// How many people are looked at together. Each holds one photo in memory.
const PEOPLE_AT_ONCE: usize = 16;

/// What a verification looked at and found, in the order of the trail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub people: u64,
    pub entries: u64,
    /// Photos and renditions that exist and match their digests.
    pub blobs: u64,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, other: Report) {
        self.people += other.people;
        self.entries += other.entries;
        self.blobs += other.blobs;
        self.findings.extend(other.findings);
    }
}

/// Verifies what concerns one person. An `Err` means that it could not look, not that something is wrong.
pub async fn verify_person(blobs: &dyn BlobStore, user: UserId) -> Result<Report, StoreError> {
    verify(blobs, Walk::of_person(blobs, user)).await
}

/// Verifies everybody. An `Err` means that it could not look to the end, not that something is wrong.
pub async fn verify_all(blobs: &dyn BlobStore) -> Result<Report, StoreError> {
    verify(blobs, Walk::of_everybody(blobs)).await
}

async fn verify(blobs: &dyn BlobStore, walk: Walk<'_>) -> Result<Report, StoreError> {
    let items = futures::stream::try_unfold(walk, |mut walk| async move {
        Ok::<_, StoreError>(walk.next().await?.map(|item| (item, walk)))
    });
    items
        .map_ok(|item| async move {
            match item {
                Item::Person(traces) => person::verify(blobs, traces).await,
                Item::Foreign { container, name } => {
                    Ok(Report { findings: vec![Finding::foreign(container, &name)], ..Report::default() })
                }
            }
        })
        .try_buffered(PEOPLE_AT_ONCE)
        .try_fold(Report::default(), |mut sum, report| async move {
            sum.add(report);
            Ok(sum)
        })
        .await
}

/// The person and sequence number that a blob name of `receipts` speaks of.
fn parse_receipt(name: &str) -> Option<(UserId, u32)> {
    let (user, file) = name.split_once('/')?;
    let (seq, target) = file.strip_suffix(".json")?.split_once('.')?;
    let (user, seq): (UserId, u32) = (user.parse().ok()?, seq.parse().ok()?);
    (names::receipt(user, seq, target) == name).then_some((user, seq))
}

/// The person whose head a blob of `state` is.
fn parse_head(name: &str) -> Option<UserId> {
    let user: UserId = name.strip_prefix(names::HEADS_PREFIX)?.strip_suffix(".json")?.parse().ok()?;
    (names::head(user) == name).then_some(user)
}

/// The person whom a blob name of this container begins with, whatever comes after.
fn owner(container: Container, name: &str) -> Option<UserId> {
    if container == Container::State {
        return parse_head(name);
    }
    let (first, _) = name.split_once('/')?;
    let user: UserId = first.parse().ok()?;
    (user.to_string() == first).then_some(user)
}
