//! The list of users, as the sweep keeps it: never a part of it, whatever becomes of its documents.

use photorelay_core::contract::{self, Population, V1OrV2};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, POPULATION_SEGMENTS_PREFIX};
use photorelay_core::population;
use photorelay_core::store::list_all;
use testkit::world::{Store, World, guid};

use crate::sweep::*;

async fn list(world: &World) -> Population {
    population::read(&*world.storage().blobs).await.unwrap().unwrap()
}

async fn listed(world: &World) -> Vec<UserId> {
    population::members(&*world.storage().blobs, list(world).await.list()).await.unwrap().unwrap()
}

fn in_graph(world: &World) -> Vec<UserId> {
    let mut all: Vec<UserId> = world.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_list_with_a_missing_or_damaged_segment_costs_one_full_list_and_nobody() {
    let world = silent(Store::Embedded, 5).await;
    settled(&world).await;
    let blobs = &*world.storage().blobs;
    let segment = names::population_segment(list(&world).await.segments[0].sha256);
    let shorter = contract::to_bytes(&contract::PopulationSegment {
        v: contract::V1,
        members: listed(&world).await[1..].to_vec(),
    });
    for content in [None, Some(shorter)] {
        match content {
            None => blobs.delete(Container::State, &segment).await.unwrap(),
            Some(content) => blobs
                .put(Container::State, &segment, "application/json", content.into(), &Default::default())
                .await
                .unwrap(),
        }
        let report = sweep(&world).await;
        assert_eq!((report.population, report.people, report.is_full_list), (5, 5, true));
        assert!(!sweep(&world).await.is_full_list);
        assert_eq!(listed(&world).await, in_graph(&world));
    }
    world.end().await;
}

#[tokio::test]
async fn a_list_of_version_1_is_read_and_replaced_with_the_next_change() {
    let world = silent(Store::Embedded, 3).await;
    settled(&world).await;
    let blobs = &*world.storage().blobs;
    let old = Population {
        v: V1OrV2::V1,
        members: listed(&world).await,
        segments: Vec::new(),
        unreferenced: None,
        ..list(&world).await
    };
    let content = contract::to_bytes(&old);
    blobs
        .put(Container::State, names::POPULATION, "application/json", content.into(), &Default::default())
        .await
        .unwrap();

    let report = sweep(&world).await;
    assert_eq!((report.population, report.joined, report.left, report.is_full_list), (3, 0, 0, false));
    assert_eq!(list(&world).await, old, "nothing has changed");
    let gone = world.user(0);
    world.sim.tenant().delete_user(guid(gone), false).unwrap();
    let report = sweep(&world).await;
    assert_eq!((report.population, report.joined, report.left, report.is_full_list), (2, 0, 1, false));
    assert_eq!(list(&world).await.v, V1OrV2::V2);
    assert_eq!(listed(&world).await, in_graph(&world));
    world.end().await;
}

#[tokio::test]
async fn segments_that_no_list_names_are_deleted_in_the_days_after() {
    let world = silent(Store::Embedded, 3).await;
    settled(&world).await;
    let count =
        async || list_all(&*world.storage().blobs, Container::State, POPULATION_SEGMENTS_PREFIX).await.unwrap().len();
    for _ in 0..3 {
        world.sim.tenant().add_user();
        sweep(&world).await;
        world.settle().await;
    }
    assert_eq!(count().await, 4, "those who read a list that was just replaced can go on");
    for day in 1..=3 {
        sweep_in_hours(&world, 25 * day).await;
        world.settle().await;
    }
    assert_eq!(count().await, 1);
    assert_eq!(listed(&world).await, in_graph(&world));
    world.settle().await;
    world.end().await;
}
