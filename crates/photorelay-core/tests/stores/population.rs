//! The stored list of users: a small change writes little, and what is damaged is no list.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{MAX_MEMBERS_PER_SEGMENT, MemberList, SegmentLink, UnreferencedSegments};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, POPULATION_SEGMENTS_PREFIX};
use photorelay_core::population::{self, collect, compare, members, store};
use photorelay_core::store::list_all;
use uuid::Uuid;

use crate::bench::Bench;

fn user(number: usize) -> UserId {
    UserId::from_uuid(Uuid::from_u128((number as u128) << 64))
}

fn users(numbers: impl IntoIterator<Item = usize>) -> Vec<UserId> {
    numbers.into_iter().map(user).collect()
}

fn list(segments: &[SegmentLink]) -> MemberList<'_> {
    MemberList { members: &[], segments }
}

fn digests(segments: &[SegmentLink]) -> BTreeSet<Digest> {
    segments.iter().map(|link| link.sha256).collect()
}

async fn stored(bench: &Bench) -> BTreeSet<Digest> {
    let listed = list_all(&*bench.blobs, Container::State, POPULATION_SEGMENTS_PREFIX).await.unwrap();
    listed.iter().filter_map(|blob| names::parse_population_segment(&blob.name)).collect()
}

async fn overwrite(bench: &Bench, segment: SegmentLink, content: Vec<u8>) {
    let name = names::population_segment(segment.sha256);
    bench.blobs.put(Container::State, &name, "application/json", content.into(), &Default::default()).await.unwrap();
}

#[tokio::test]
async fn a_change_writes_the_segments_that_it_falls_into_and_no_other() {
    let bench = Bench::embedded().await;
    let blobs = &*bench.blobs;
    let all = users((0..20_000).map(|number| number * 2));
    let before = store(blobs, &all, &[]).await.unwrap();
    assert_eq!(before.len(), 10);
    assert_eq!(members(blobs, list(&before)).await.unwrap().as_ref(), Some(&all));

    let mut changed = all.clone();
    changed.retain(|member| *member != user(5_000));
    changed.push(user(1_000_000));
    let after = store(blobs, &changed, &before).await.unwrap();
    assert_eq!(digests(&before).intersection(&digests(&after)).count(), 8, "one in the middle, and the last one");
    assert_eq!(members(blobs, list(&after)).await.unwrap(), Some(changed));
    assert_eq!(members(blobs, list(&before)).await.unwrap(), Some(all.clone()), "the list before is still whole");
    assert_eq!(compare(blobs, list(&before), &users([0, 1, 2])).await.unwrap(), Some((2, 19_998)));
}

#[tokio::test]
async fn segments_stay_within_their_size_however_the_list_grows_and_shrinks() {
    let bench = Bench::embedded().await;
    let blobs = &*bench.blobs;
    let mut segments = Vec::new();
    let lists = [
        users(0..1),
        users(0..9_000),
        // All new members are between two old ones.
        users((0..1).chain(100_000..112_000).chain(200_000..200_001)),
        users((0..30_000).step_by(3)),
        users([7]),
        users([]),
        users(3..5),
    ];
    for next in lists {
        segments = store(blobs, &next, &segments).await.unwrap();
        assert!(segments.iter().all(|link| (1..=MAX_MEMBERS_PER_SEGMENT).contains(&(link.count as usize))));
        assert!(segments.len() <= 2 * next.len().div_ceil(2_000) + 1, "{} for {}", segments.len(), next.len());
        assert_eq!(members(blobs, list(&segments)).await.unwrap(), Some(next));
    }
}

#[tokio::test]
async fn a_segment_that_is_missing_or_another_one_is_no_list_and_is_written_again() {
    let bench = Bench::embedded().await;
    let blobs = &*bench.blobs;
    let all = users(0..6_000);
    let segments = store(blobs, &all, &[]).await.unwrap();
    let name = names::population_segment(segments[1].sha256);
    let other = blobs.get(Container::State, &names::population_segment(segments[0].sha256), 1 << 20).await.unwrap();
    for content in [None, Some(b"{".to_vec()), Some(vec![b' '; 1 << 20]), Some(other.unwrap().to_vec())] {
        match content {
            None => blobs.delete(Container::State, &name).await.unwrap(),
            Some(content) => overwrite(&bench, segments[1], content).await,
        }
        assert_eq!(members(blobs, list(&segments)).await.unwrap(), None);
        assert_eq!(compare(blobs, list(&segments), &all).await.unwrap(), None);
        assert_eq!(store(blobs, &all, &[]).await.unwrap(), segments);
        assert_eq!(members(blobs, list(&segments)).await.unwrap().as_ref(), Some(&all));
    }
    // The bytes are those that the list names, but not the members.
    let wrong = SegmentLink { count: segments[1].count - 1, ..segments[1] };
    assert_eq!(members(blobs, list(&[wrong])).await.unwrap(), None);
}

#[tokio::test]
async fn a_segment_without_a_list_is_deleted_a_day_after_it_was_seen() {
    let bench = Bench::embedded().await;
    let blobs = &*bench.blobs;
    let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
    let old = store(blobs, &users(0..10), &[]).await.unwrap();
    let new = store(blobs, &users(0..11), &old).await.unwrap();
    let again = store(blobs, &users(0..12), &new).await.unwrap();
    let (all, named) = (stored(&bench).await, digests(&new));
    assert_eq!(all.len(), 3);

    let seen = collect(blobs, None, &named, at(0)).await.unwrap();
    assert_eq!(seen.segments.iter().copied().collect::<BTreeSet<_>>(), &digests(&old) | &digests(&again));
    assert_eq!(stored(&bench).await, all, "the reader of a list that was just replaced is not disturbed");
    let recent = collect(blobs, Some(&seen), &(&named | &digests(&again)), at(23)).await.unwrap();
    assert_eq!(recent, UnreferencedSegments { seen_at: at(0), segments: digests(&old).into_iter().collect() });
    let later = collect(blobs, Some(&recent), &named, at(24)).await.unwrap();
    assert_eq!(stored(&bench).await, &named | &digests(&again), "one that was named meanwhile has its own day");
    collect(blobs, Some(&later), &named, at(48)).await.unwrap();
    assert_eq!(stored(&bench).await, named);
    assert!(population::read(blobs).await.unwrap().is_none());
}
