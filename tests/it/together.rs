//! Users of one message whose photos are fetched and confirmed together: one of them never decides for another.

use graph_sim::{Fault, FaultRule, HoldPoint, PatternScope, RequestPattern, RetryAfter};
use photorelay_core::contract::FetchPolicy;
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use testkit::world::{Store, World, guid};
use tokio::process::Command;

use crate::commands::{photorelay, settings};
use crate::sweep::{silent, sweep};

/// Eight users with photos, none of them known.
async fn strangers() -> (World, Vec<UserId>) {
    let world = silent(Store::Embedded, 8).await;
    let users = world.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
    world.sim.clear_requests();
    (world, users)
}

fn photo_of(user: UserId, scope: PatternScope) -> RequestPattern {
    RequestPattern::new("GET", &format!("/v1.0/users/{user}/photo/$value")).within(scope)
}

/// The requests of their own, and the batches.
fn asked(world: &World) -> (usize, usize) {
    let requests = world.sim.requests().entries;
    let of_graph = requests.iter().filter(|request| request.target.starts_with("/v1.0/"));
    let (batches, alone): (Vec<_>, Vec<_>) = of_graph.partition(|request| request.target.ends_with("$batch"));
    (alone.len(), batches.len())
}

/// Every user's newest entry is what Graph shows for that user, and heads say so.
async fn assert_shown(world: &World, users: &[UserId]) {
    for user in users {
        let trail = world.trail(*user).await;
        let seen = trail.last().and_then(|newest| newest.entry.seen.sha256).map(|sha256| sha256.to_string());
        let shown = world.sim.tenant().shown(guid(*user)).unwrap();
        assert_eq!(seen, shown.sha256(), "{user}");
        assert_eq!(world.head(*user).await.unwrap().media_etag, Some(shown.media_etag), "{user}");
    }
}

#[tokio::test]
async fn photos_are_fetched_four_by_four_and_confirmed_all_together() {
    let (world, users) = strangers().await;
    world.check(&users, FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_shown(&world, &users).await;
    // The metadata, the users, the photos in two, and the metadata once more; a machine that is slow may need a few more.
    let (alone, batches) = asked(&world);
    assert!(alone + batches <= 8, "{:?}", world.sim.requests().counters);
    world.end().await;
}

/// Of a batch, Graph reads the metadata of four photos at a time.
#[tokio::test]
async fn users_that_a_sweep_found_are_asked_about_by_eights_and_their_properties_meanwhile() {
    let world = silent(Store::Embedded, 20).await;
    let users: Vec<UserId> = world.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
    assert_eq!(sweep(&world).await.checks, 20);
    world.sim.clear_requests();
    let of_first = |rest: &str| format!("/v1.0/users/{}{rest}", users[0]);
    let held = |path: &str| {
        let items = RequestPattern::new("GET", path).within(PatternScope::BatchItems);
        world.sim.hold(items, HoldPoint::Before)
    };
    let (metadata, properties) = (held(&of_first("/photo")), held(&of_first("")));
    let release = async {
        tokio::join!(metadata.arrived(), properties.arrived());
        metadata.release();
        properties.release();
    };
    tokio::join!(world.settle(), release);
    assert_shown(&world, &users).await;
    // The metadata in three, the properties, the photos in five, and the metadata once more in three; a machine that is
    // slow needs more.
    let (alone, batches) = asked(&world);
    assert!(alone + batches >= 12, "{:?}", world.sim.requests().counters);
    world.end().await;
}

#[tokio::test]
async fn one_changed_user_of_a_message_costs_what_it_did() {
    let (world, users) = strangers().await;
    world.check(&users, FetchPolicy::IfChanged).await;
    world.settle().await;
    world.sim.tenant().change_photo(guid(users[5])).unwrap();
    world.sim.clear_requests();
    world.check(&users, FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_eq!(asked(&world), (2, 2), "the photo and its metadata alone: {:?}", world.sim.requests().counters);
    assert_shown(&world, &users).await;
    world.end().await;
}

#[tokio::test]
async fn a_photo_that_only_the_batch_does_not_find_is_captured_all_the_same() {
    for error in ["photo_image_not_found", "server_error"] {
        let (world, users) = strangers().await;
        let fault = Fault::GraphError { name: error.to_owned() };
        world.sim.add_fault(FaultRule::new(photo_of(users[2], PatternScope::BatchItems), fault));
        world.check(&users, FetchPolicy::IfChanged).await;
        world.settle().await;
        assert_shown(&world, &users).await;
        // A machine that is slow may need a few more.
        assert!(asked(&world).0 >= 1, "{error}");
        world.end().await;
    }
}

#[tokio::test]
async fn a_confirmation_that_fails_in_the_batch_is_asked_for_alone() {
    let (world, users) = strangers().await;
    let metadata = RequestPattern::new("GET", &format!("/v1.0/users/{}/photo", users[2]));
    let hold = world.sim.hold(photo_of(users[2], PatternScope::BatchItems), HoldPoint::After);
    world.check(&users, FetchPolicy::IfChanged).await;
    let confuse = async {
        hold.arrived().await;
        let fault = Fault::GraphError { name: "photo_image_not_found".to_owned() };
        world.sim.add_fault(FaultRule::new(metadata.within(PatternScope::BatchItems), fault));
        hold.release();
    };
    tokio::join!(world.settle(), confuse);
    assert_shown(&world, &users).await;
    assert_eq!(asked(&world).0, 1);
    world.end().await;
}

#[tokio::test]
async fn users_who_are_throttled_within_a_batch_come_back_and_no_other_user_waits() {
    let (world, users) = strangers().await;
    let throttled = Fault::Throttled { retry_after: RetryAfter::Seconds(3_600) };
    world.sim.add_fault(FaultRule::new(photo_of(users[1], PatternScope::BatchItems), throttled));
    world.check(&users, FetchPolicy::IfChanged).await;
    world.settle().await;
    let others: Vec<UserId> = users.iter().copied().filter(|user| *user != users[1]).collect();
    assert_shown(&world, &others).await;
    assert!(world.trail(users[1]).await.is_empty());
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 1);
    world.sim.clear_faults();
    world.check(&users[1..2], FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_shown(&world, &users).await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_photo_that_changes_between_the_shared_fetch_and_the_confirmation_is_fetched_again() {
    let (world, users) = strangers().await;
    let hold = world.sim.hold(photo_of(users[6], PatternScope::BatchItems), HoldPoint::After);
    world.check(&users, FetchPolicy::IfChanged).await;
    let change = async {
        hold.arrived().await;
        world.sim.tenant().change_photo(guid(users[6])).unwrap();
        hold.release();
    };
    tokio::join!(world.settle(), change);
    assert_shown(&world, &users).await;
    for user in &users {
        assert_eq!(world.trail(*user).await.len(), 1 + usize::from(*user == users[6]));
    }
    world.end().await;
}

/// The other seven are announced while the eighth is held, and their heads are written soon after.
#[tokio::test]
async fn a_user_who_is_slow_holds_up_no_head_for_long() {
    let (world, users) = strangers().await;
    let alone = photo_of(users[0], PatternScope::Requests);
    let fault = Fault::GraphError { name: "server_error".to_owned() };
    world.sim.add_fault(FaultRule::new(photo_of(users[0], PatternScope::BatchItems), fault));
    let hold = world.sim.hold(alone, HoldPoint::Before);
    world.check(&users, FetchPolicy::IfChanged).await;
    let others_are_done = async {
        hold.arrived().await;
        for user in &users[1..] {
            while world.head(*user).await.is_none() {
                tokio::task::yield_now().await;
            }
        }
        assert!(world.head(users[0]).await.is_none());
        hold.release();
    };
    tokio::join!(world.settle(), others_are_done);
    assert_shown(&world, &users).await;
    world.end().await;
}

#[tokio::test]
async fn a_first_sweep_that_is_killed_between_the_shared_fetch_and_the_commits_loses_nothing() {
    let (world, users) = strangers().await;
    let hold = world.sim.hold(photo_of(users[3], PatternScope::BatchItems), HoldPoint::After);
    let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay"));
    command.args(["sweep", "--first"]).env_clear().envs(settings(&world)).kill_on_drop(true);
    let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    hold.arrived().await;
    child.kill().await.unwrap();
    hold.release();
    assert!(world.trail(users[3]).await.is_empty(), "what was fetched was not committed");
    let filled = photorelay(&world, &["sweep", "--first"], &[]).await;
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    assert_shown(&world, &users).await;
    for user in &users {
        assert_eq!(world.trail(*user).await.len(), 1, "{user}");
    }
    world.end_with_leftovers().await;
}
