//! What the Functions host does to the package beside the main job, which `under_the_host` tests elsewhere: kills, every
//! oddity of its envelopes, a time limit, messages that cannot be handled, and a log of its own.

use std::time::Duration;

use graph_sim::{HoldPoint, NotificationMode, PatternScope, RequestHold, RequestPattern};
use host_sim::HostFaults;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, CHECKS_QUEUE};
use photorelay_core::queue::Outgoing;
use testkit::process::until;
use testkit::world::{Setup, Store, World, guid};

use crate::kills::show;

async fn world(host: fn(&mut host_sim::HostOptions)) -> World {
    World::with(Setup { store: Store::Hosted, host, ..Setup::default() }).await
}

/// A new photo of this person is about to be fetched.
async fn fetching(world: &World, user: UserId, photo: &str) -> RequestHold {
    let fetch =
        RequestPattern::new("GET", &format!("/v1.0/users/{}/photo/$value", guid(user))).within(PatternScope::Requests);
    let hold = world.sim.hold(fetch, HoldPoint::Before);
    show(world, user, photo);
    world.sim.flush().await;
    hold.arrived().await;
    hold
}

#[tokio::test]
async fn a_photo_is_carried_after_a_kill_in_the_middle_of_it() {
    let world = world(|_| {}).await;
    let (user, hosted) = (world.user(0), world.hosted.as_ref().unwrap());
    let hold = fetching(&world, user, "cat-432-alpha.png").await;
    hosted.running.kill();
    drop(hold);
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.shows_newest(user).await);
    assert_eq!(hosted.failures().len(), 1, "{:?}", hosted.failures());
    world.end().await;
}

#[tokio::test]
async fn every_oddity_of_the_host_at_once_changes_nothing() {
    let world = world(|options| {
        options.faults = HostFaults {
            numeric_dequeue_count: true,
            null_schedule_status: true,
            no_traceparent: true,
            unknown_metadata: true,
            deliver_twice: true,
            fail_fast: true,
            ..HostFaults::default()
        }
    })
    .await;
    let (user, hosted) = (world.user(0), world.hosted.as_ref().unwrap());
    show(&world, user, "astronaut-240.jpg");
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.shows_newest(user).await);
    assert!(hosted.failures().is_empty(), "{:?}", hosted.failures());
    world.end().await;
}

#[tokio::test]
async fn a_photo_that_nothing_announced_is_found_by_the_timer() {
    let world = world(sweeping).await;
    world.sim.set(|settings| settings.notify = NotificationMode::Never);
    let (user, hosted) = (world.user(0), world.hosted.as_ref().unwrap());
    show(&world, user, "astronaut-240.jpg");
    world.settle().await;
    assert!(world.trail(user).await.is_empty());
    // Late timers come whenever the host starts, which is no reason for a first sweep.
    hosted.run_timer("sweep", true).await;
    world.settle().await;
    assert!(world.trail(user).await.is_empty());
    hosted.run_timer("sweep", false).await;
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.shows_newest(user).await);
    world.end().await;
}

/// The timer of the sweep is one of the functions.
fn sweeping(options: &mut host_sim::HostOptions) {
    options.environment.retain(|(name, _)| name != "AzureWebJobs.sweep.Disabled");
}

#[tokio::test]
async fn a_message_that_cannot_be_handled_is_dead_lettered_with_its_reason_and_blocks_no_other() {
    let world = world(|_| {}).await;
    let (user, hosted) = (world.user(0), world.hosted.as_ref().unwrap());
    let garbage = Outgoing::now(bytes::Bytes::from_static(b"{\"v\":1,\"no\":\"check\"}"));
    world.storage().queues.send(CHECKS_QUEUE, vec![garbage]).await.unwrap();
    show(&world, user, "astronaut-240.jpg");
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(hosted.failures().is_empty(), "a dead-lettered message is answered: {:?}", hosted.failures());
    let poison = names::poison_queue(CHECKS_QUEUE);
    assert_eq!(world.storage().queues.count(&poison).await.unwrap(), 1);
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn the_log_goes_to_stdout_and_names_the_invocation() {
    let world = world(|_| {}).await;
    let (user, hosted) = (world.user(0), world.hosted.as_ref().unwrap());
    show(&world, user, "astronaut-240.jpg");
    world.settle().await;
    let lines = hosted.running.lines().borrow().clone();
    assert!(lines.iter().all(|(stream, _)| *stream == "out"), "the host takes stderr for errors: {lines:#?}");
    let invocations = hosted.running.invocations().borrow().clone();
    let propagate = invocations.iter().find(|invocation| invocation.function == "propagate").unwrap();
    let id = propagate.id.to_string();
    let of_user: Vec<&String> =
        lines.iter().map(|(_, line)| line).filter(|line| line.contains(&user.to_string())).collect();
    assert!(!of_user.is_empty() && of_user.iter().all(|line| line.contains(&id)), "{id} is missing in {of_user:#?}");
    world.end().await;
}

#[tokio::test]
async fn work_that_outlives_the_hosts_time_limit_is_done_by_the_next_process() {
    let world = world(|options| options.function_timeout = Some(Duration::from_secs(3))).await;
    let (user, hosted) = (world.user(0), world.hosted.as_ref().unwrap());
    let hold = fetching(&world, user, "astronaut-240.jpg").await;
    hosted.brings("a failed invocation", until(async || !hosted.failures().is_empty())).await;
    drop(hold);
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.shows_newest(user).await);
    world.end().await;
}
