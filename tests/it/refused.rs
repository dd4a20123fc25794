//! Bytes that are not a photo we can safely use: refused, recorded, and nobody else is harmed.

use std::time::Duration;

use bytes::Bytes;
use graph_sim::{Fault, FaultRule, RequestPattern};
use jiff::{SignedDuration, Timestamp};
use photorelay::config::AppConfig;
use photorelay::jobs::notify::checks;
use photorelay::jobs::sweep::Run;
use photorelay_core::contract::{self, CauseKind, DecodeMarker, EntryKind, FetchPolicy, Head, V1};
use photorelay_core::heads;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::trace::TraceContext;
use testkit::everywhere;
use testkit::process::text;
use testkit::world::{Setup, Store, World, fixture, guid};

use crate::commands::photorelay;

everywhere!(every_bad_photo_is_refused_once_and_the_good_one_before_stays,);

const BAD: [&str; 4] = ["bad-bomb-60000x60000.png", "bad-html.jpg", "bad-huge-dimensions.jpg", "bad-truncated.jpg"];

/// How Graph shows that there is none.
const NO_PHOTO: [&str; 2] = ["bad-empty.jpg", "bad-1x1.gif"];

async fn every_bad_photo_is_refused_once_and_the_good_one_before_stays(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;
    let before = world.written(user);

    for (at, name) in BAD.iter().enumerate() {
        world.sim.tenant().set_raw_photo(guid(user), fixture(name), "image/jpeg").unwrap();
        world.settle().await;
        world.check(&[user], FetchPolicy::IfChanged).await;
        world.settle().await;

        let newest = world.trail(user).await.pop().unwrap();
        assert_eq!((newest.entry.kind, newest.entry.seq as usize), (EntryKind::Refused, at + 2), "{name}");
        assert!(newest.entry.reason.is_some_and(|reason| !reason.is_empty()), "{name}");
        assert_eq!(world.written(user), before, "{name}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_empty_answer_and_a_placeholder_are_no_photo_and_remove_nothing() {
    for name in NO_PHOTO {
        let world = World::start().await;
        let user = world.user(0);
        world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
        world.settle().await;
        world.sim.tenant().set_raw_photo(guid(user), fixture(name), "image/gif").unwrap();
        world.settle().await;
        assert_eq!(world.trail(user).await.len(), 1, "{name}");
        assert!(world.head(user).await.unwrap().absent_since.is_some(), "{name}");
        assert!(world.shows_newest(user).await, "{name}");
        world.end_with_leftovers().await;
    }
}

/// Half a photo in an answer that says it is whole, more than once.
#[tokio::test]
async fn a_photo_that_came_in_half_is_asked_for_again_at_every_sweep_of_a_day() {
    let edit = |config: &mut AppConfig| config.capture.hold = Duration::ZERO;
    // Alone in the message, so that the photo comes in an answer of its own.
    let sim = graph_sim::SimConfig { users: 1, ..graph_sim::SimConfig::default() };
    let world = World::with(Setup { edit, sim, subscribe: false, ..Setup::default() }).await;
    let user = world.user(0);
    let half = RequestPattern::new("GET", &format!("/v1.0/users/{user}/photo/$value"));
    let half = world.sim.add_fault(FaultRule::new(half, Fault::Truncated));
    for _ in 0..3 {
        world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
    }
    let trail = world.trail(user).await;
    assert_eq!(trail.iter().map(|committed| committed.entry.kind).collect::<Vec<_>>(), [EntryKind::Refused]);

    world.sim.remove_fault(half);
    assert_eq!(world.app.sweep.run(&Run::default()).await.unwrap().unsettled, 1);
    world.settle().await;
    assert_eq!(world.trail(user).await.pop().unwrap().entry.kind, EntryKind::Captured);
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn a_photo_that_was_bad_for_a_day_is_left_alone() {
    let edit = |config: &mut AppConfig| config.capture.hold = Duration::ZERO;
    let world = World::with(Setup { edit, subscribe: false, ..Setup::default() }).await;
    let user = world.user(0);
    world.sim.tenant().set_raw_photo(guid(user), fixture("bad-truncated.jpg"), "image/jpeg").unwrap();
    for _ in 0..2 {
        world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
    }
    let head = world.head(user).await.unwrap();
    assert!(!head.settled);
    let since = head.since - SignedDuration::from_hours(25);
    heads::write(&*world.storage().blobs, &Head { since, ..head }).await.unwrap();
    world.app.sweep.run(&Run::default()).await.unwrap();
    world.settle().await;
    assert_eq!(world.app.sweep.run(&Run::default()).await.unwrap().checks, 0);
    world.end().await;
}

#[tokio::test]
async fn one_bad_photo_does_not_keep_others_in_the_same_message_from_being_captured() {
    let world = World::start().await;
    let people: Vec<_> = (0..3).map(|at| world.user(at)).collect();
    world.sim.tenant().set_raw_photo(guid(people[1]), fixture("bad-truncated.jpg"), "image/jpeg").unwrap();
    world.check(&people, FetchPolicy::IfChanged).await;
    world.settle().await;
    let mut kinds = Vec::new();
    for user in people {
        kinds.push(world.trail(user).await[0].entry.kind);
    }
    assert_eq!(kinds, [EntryKind::Captured, EntryKind::Refused, EntryKind::Captured]);
    world.end().await;
}

fn check_of(user: UserId) -> Bytes {
    checks(&[user], CauseKind::Notification, FetchPolicy::IfChanged, &TraceContext::start()).remove(0).body
}

/// Restarts, evictions and deployments use up deliveries, and say nothing about the photo.
#[tokio::test]
async fn a_good_photo_whose_message_was_delivered_again_and_again_is_captured() {
    let world = World::with(Setup { subscribe: false, ..Setup::default() }).await;
    let user = world.user(0);
    for deliveries in [5, 9] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
        world.app.propagate.handle(&check_of(user), deliveries).await.unwrap();
        assert_eq!(world.trail(user).await.pop().unwrap().entry.kind, EntryKind::Captured, "{deliveries} deliveries");
    }
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}

async fn put_marker(world: &World, marker: &DecodeMarker) {
    let metadata =
        [("refused", marker.refused.to_string()), ("program", marker.program.clone()), ("at", marker.at.to_string())];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value)).into();
    let (name, content) = (names::decode_marker(marker.user_id), contract::to_bytes(marker));
    world.storage().blobs.put(Container::State, &name, "application/json", content.into(), &metadata).await.unwrap();
}

#[tokio::test]
async fn a_photo_that_the_program_died_of_is_refused_and_tried_again_by_a_new_version_and_after_a_week() {
    let edit = |config: &mut AppConfig| config.capture.hold = Duration::ZERO;
    let week = SignedDuration::from_hours(7 * 24);
    for (program, age) in [("0.0.0", SignedDuration::ZERO), (env!("CARGO_PKG_VERSION"), week)] {
        let world = World::with(Setup { edit, subscribe: false, ..Setup::default() }).await;
        let user = world.user(0);
        world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
        let shown = world.sim.tenant().shown(guid(user)).unwrap();
        // As workers leave it that die while they decode.
        let died = DecodeMarker {
            v: V1,
            user_id: user,
            sha256: Digest::of(&shown.bytes().unwrap()),
            begun: 3,
            refused: false,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            at: Timestamp::now(),
        };
        put_marker(&world, &died).await;
        world.app.propagate.handle(&check_of(user), 5).await.unwrap();
        let refused = world.trail(user).await.pop().unwrap().entry;
        assert_eq!(refused.kind, EntryKind::Refused);
        assert!(refused.reason.is_some_and(|reason| reason.contains("died repeatedly while it decoded")));

        let head = world.head(user).await.unwrap();
        heads::write(&*world.storage().blobs, &Head { settled: true, ..head }).await.unwrap();
        world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
        assert_eq!(world.trail(user).await.len(), 1, "not before something has changed");

        let later = DecodeMarker { refused: true, program: program.to_owned(), at: died.at - age, ..died };
        put_marker(&world, &later).await;
        assert_eq!(world.app.sweep.run(&Run::default()).await.unwrap().bytes_due, 1);
        world.settle().await;
        assert_eq!(world.trail(user).await.pop().unwrap().entry.kind, EntryKind::Captured);
        assert!(world.shows_newest(user).await);
        let marker = world.storage().blobs.get(Container::State, &names::decode_marker(user), 1 << 16).await.unwrap();
        assert_eq!(marker, None);
        world.end().await;
    }
}

#[tokio::test]
async fn status_counts_the_people_whose_newest_photo_is_refused_and_lists_them_with_the_reason() {
    let world = World::with(Setup { subscribe: false, ..Setup::default() }).await;
    let (bad, fixed, good) = (world.user(0), world.user(1), world.user(2));
    for user in [bad, fixed] {
        world.sim.tenant().set_raw_photo(guid(user), fixture("bad-truncated.jpg"), "image/jpeg").unwrap();
    }
    world.check(&[bad, fixed, good], FetchPolicy::IfChanged).await;
    world.settle().await;
    world.sim.tenant().set_photo(guid(fixed), &fixture("astronaut-648.jpg")).unwrap();
    world.check(&[fixed], FetchPolicy::IfChanged).await;
    world.settle().await;

    let json = text(&photorelay(&world, &["status", "--json"], &[]).await.stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["trail"]["refused"], 1, "{json:#}");
    let screen = text(&photorelay(&world, &["status"], &[]).await.stdout);
    assert!(screen.contains("1 refused"), "{screen}");

    let reason = world.trail(bad).await.pop().unwrap().entry.reason.unwrap();
    let listed = text(&photorelay(&world, &["status", "--refused"], &[]).await.stdout);
    let line = listed.lines().find(|line| line.contains(&bad.to_string())).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("entry 1") && line.contains(&reason), "{line}");
    assert!(!listed.contains(&fixed.to_string()) && !listed.contains(&good.to_string()), "{listed}");
    let listed = text(&photorelay(&world, &["status", "--refused", "--json"], &[]).await.stdout);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["userId"], &listed[0]["reason"]), (&bad.to_string().into(), &reason.into()));
    world.end().await;
}
