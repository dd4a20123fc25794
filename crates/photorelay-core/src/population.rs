//! The list of the users that the sweep checks, as it is stored: one document that names its members' segments, which
//! are documents of their own, named by their digests.
//!
//! A list must never be read in part: where a segment is missing, or is not what the list says, there is no list, and
//! the sweep lists the users anew. Segments that no list names any more stay for another day, for those who are reading
//! the list before.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};

use crate::contract::{
    self, Contract, MAX_MEMBERS_PER_SEGMENT, MemberList, Population, PopulationSegment, SegmentLink,
    UnreferencedSegments, V1,
};
use crate::documents;
use crate::id::{Digest, UserId};
use crate::names::{self, Container, POPULATION_SEGMENTS_PREFIX};
use crate::store::{BlobStore, Creation, Metadata, Pager, StoreError};

/// What a new segment is filled with: there is room for as many more.
const NEW_SEGMENT: usize = MAX_MEMBERS_PER_SEGMENT / 2;
/// Segments that are read or written concurrently.
const AT_ONCE: usize = 16;
/// How often segments without a list are looked for, and how long they stay.
const COLLECTED_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// What is found beyond is collected later.
const MAX_UNREFERENCED: usize = 10_000;

/// Reads the list without its members; `None` if it does not exist or cannot be read.
pub async fn read(blobs: &dyn BlobStore) -> Result<Option<Population>, StoreError> {
    documents::read(blobs, Container::State, names::POPULATION).await
}

/// All members of a list, in order; `None` if not all of them can be read.
pub async fn members(blobs: &dyn BlobStore, list: MemberList<'_>) -> Result<Option<Vec<UserId>>, StoreError> {
    let mut members = list.members.to_vec();
    for links in list.segments.chunks(AT_ONCE) {
        for segment in try_join_all(links.iter().map(|link| read_segment(blobs, *link))).await? {
            let Some(segment) = segment else { return Ok(None) };
            members.extend(segment);
        }
    }
    Ok(Some(members))
}

/// How many of these users the list names, and how many others; `None` if not all of its members can be read. Holds a
/// few segments in memory, not the list.
pub async fn compare(
    blobs: &dyn BlobStore,
    list: MemberList<'_>,
    with: &[UserId],
) -> Result<Option<(usize, usize)>, StoreError> {
    let count = |members: &[UserId]| members.iter().filter(|member| with.binary_search(member).is_ok()).count();
    let (mut common, mut all) = (count(list.members), list.members.len());
    for links in list.segments.chunks(AT_ONCE) {
        for segment in try_join_all(links.iter().map(|link| read_segment(blobs, *link))).await? {
            let Some(segment) = segment else { return Ok(None) };
            common += count(&segment);
            all += segment.len();
        }
    }
    Ok(Some((common, all - common)))
}

/// Stores the members, which are in order, as segments. `before` are the segments of a list that was read, and those
/// that still hold what they should are not written again.
pub async fn store(
    blobs: &dyn BlobStore,
    members: &[UserId],
    before: &[SegmentLink],
) -> Result<Vec<SegmentLink>, StoreError> {
    let known: BTreeSet<Digest> = before.iter().map(|link| link.sha256).collect();
    let mut segments = Vec::new();
    for pieces in pieces(members, before).chunks(AT_ONCE) {
        segments.extend(try_join_all(pieces.iter().map(|piece| write_segment(blobs, piece, &known))).await?);
    }
    Ok(segments)
}

/// Deletes the segments that were without a list a day ago and still are, and records those that are without one now.
/// Does so once a day; between, it returns what was recorded. `named` are the segments of all lists.
pub async fn collect(
    blobs: &dyn BlobStore,
    recorded: Option<&UnreferencedSegments>,
    named: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<UnreferencedSegments, StoreError> {
    if let Some(recent) = recorded.filter(|seen| now.duration_since(seen.seen_at).abs() < COLLECTED_EVERY) {
        // One that is named again meanwhile is not due when this is read next.
        let segments = recent.segments.iter().filter(|segment| !named.contains(segment)).copied().collect();
        return Ok(UnreferencedSegments { seen_at: recent.seen_at, segments });
    }
    let due: BTreeSet<Digest> = recorded.into_iter().flat_map(|seen| seen.segments.iter().copied()).collect();
    let mut listed = Pager::new(blobs, Container::State, POPULATION_SEGMENTS_PREFIX, |blob| {
        names::parse_population_segment(&blob.name)
    });
    let mut segments = Vec::new();
    while let Some(segment) = listed.next().await? {
        if named.contains(&segment) {
            continue;
        }
        if due.contains(&segment) {
            blobs.delete(Container::State, &names::population_segment(segment)).await?;
        } else if segments.len() < MAX_UNREFERENCED {
            segments.push(segment);
        }
    }
    Ok(UnreferencedSegments { seen_at: now, segments })
}

/// The members of each segment: those of the segments before, where they still fit, so that the others stay as they are.
fn pieces<'a>(members: &'a [UserId], before: &[SegmentLink]) -> Vec<&'a [UserId]> {
    let mut pieces = Vec::new();
    let mut rest = members;
    for next in before.iter().skip(1) {
        let (piece, others) = rest.split_at(rest.partition_point(|member| *member < next.first));
        pieces.extend(split(piece));
        rest = others;
    }
    pieces.extend(split(rest));
    // Where many users have left, few segments are as good as many.
    let is_sparse = pieces.len() > 2 * members.len().div_ceil(NEW_SEGMENT) + 1;
    if is_sparse { split(members) } else { pieces }
}

/// One piece if that is not too large, otherwise pieces of the same size, but for the last one.
fn split(members: &[UserId]) -> Vec<&[UserId]> {
    if members.len() <= MAX_MEMBERS_PER_SEGMENT {
        return if members.is_empty() { Vec::new() } else { vec![members] };
    }
    members.chunks(members.len().div_ceil(members.len().div_ceil(NEW_SEGMENT))).collect()
}

/// There is one member at least.
async fn write_segment(
    blobs: &dyn BlobStore,
    members: &[UserId],
    known: &BTreeSet<Digest>,
) -> Result<SegmentLink, StoreError> {
    let content = Bytes::from(contract::to_bytes(&PopulationSegment { v: V1, members: members.to_vec() }));
    let link = SegmentLink {
        sha256: Digest::of(&content),
        first: members[0],
        last: members[members.len() - 1],
        count: u32::try_from(members.len()).unwrap_or(u32::MAX),
    };
    if known.contains(&link.sha256) {
        return Ok(link);
    }
    let name = names::population_segment(link.sha256);
    let creation = blobs.create(Container::State, &name, documents::JSON, content.clone()).await?;
    // What stands there already may have been damaged since.
    if creation == Creation::AlreadyExists && read_segment(blobs, link).await?.is_none() {
        blobs.put(Container::State, &name, documents::JSON, content, &Metadata::new()).await?;
    }
    Ok(link)
}

/// `None` if it does not exist, or is not what the list says.
async fn read_segment(blobs: &dyn BlobStore, link: SegmentLink) -> Result<Option<Vec<UserId>>, StoreError> {
    let name = names::population_segment(link.sha256);
    let bytes = match blobs.get(Container::State, &name, PopulationSegment::MAX_BYTES as u64).await {
        Ok(bytes) => bytes,
        Err(StoreError::TooLarge { .. }) => None,
        Err(error) => return Err(error),
    };
    let bytes = bytes.filter(|bytes| Digest::of(bytes) == link.sha256);
    let segment = bytes.and_then(|bytes| contract::parse::<PopulationSegment>(&bytes).ok());
    let members = segment.map(|segment| segment.members).filter(|members| {
        let ends = (members.first(), members.last());
        ends == (Some(&link.first), Some(&link.last)) && members.len() == link.count as usize
    });
    if members.is_none() {
        tracing::warn!(blob = %format!("{}/{name}", Container::State), "a part of the list of users cannot be read");
    }
    Ok(members)
}
