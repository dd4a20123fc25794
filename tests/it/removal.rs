//! "Photos gone": nothing is removed on one answer, nor before the hold time, whatever shape the answer has.

use std::time::Duration;

use bytes::Bytes;
use graph_sim::{Fault, FaultRule, NoPhoto, NotificationMode, PatternScope, RequestPattern};
use jiff::{SignedDuration, Timestamp};
use photorelay::app::App;
use photorelay::jobs::sweep::Run;
use photorelay_core::clock::Clock;
use photorelay_core::contract::{EntryKind, FetchPolicy};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, CHECKS_QUEUE, Container};
use photorelay_core::queue::embedded::{EmbeddedQueueOptions, EmbeddedQueues};
use photorelay_core::queue::{MessageBody, QueueStore};
use testkit::world::{Setup, World, configuration, guid};

/// Everybody has a photo that is captured, written and settled; nothing is announced by Graph.
async fn settled(users: usize) -> World {
    let sim = graph_sim::SimConfig { users, with_photo: 1.0, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| settings.notify = NotificationMode::Never);
    for _ in 0..2 {
        sweep(&world).await;
    }
    world
}

async fn sweep(world: &World) {
    world.app.sweep.run(&Run::default()).await.unwrap();
    world.settle().await;
}

fn everybody(world: &World) -> Vec<UserId> {
    world.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect()
}

async fn everybodys_photo_goes(world: &World) {
    for user in everybody(world) {
        world.sim.tenant().remove_photo(guid(user)).unwrap();
    }
}

/// The second looks, as they come when the hold time is over. They are taken from the queue.
async fn second_looks(world: &World) -> Vec<Bytes> {
    let later = || Timestamp::now() + SignedDuration::from_mins(16);
    let options = EmbeddedQueueOptions { clock: Clock::telling(later), ..EmbeddedQueueOptions::default() };
    let queues = EmbeddedQueues::open_with(world.dir(), options).unwrap();
    let mut bodies = Vec::new();
    loop {
        let some = queues.receive(CHECKS_QUEUE, 32, Duration::from_secs(60)).await.unwrap();
        if some.is_empty() {
            return bodies;
        }
        for delivery in some {
            queues.delete(CHECKS_QUEUE, &delivery).await.unwrap();
            match delivery.body {
                MessageBody::Bytes(bytes) => bodies.push(bytes),
                MessageBody::Undecodable(text) => panic!("{text}"),
            }
        }
    }
}

/// The same app with its hold time over: a look at something that was first seen a moment ago comes after it.
async fn after_the_hold_time(world: &World) -> App {
    let mut config = configuration(&world.sim, world.dir(), world.url.clone());
    config.capture.hold = Duration::ZERO;
    App::build(&config).await.unwrap()
}

async fn kinds(world: &World, user: UserId) -> Vec<EntryKind> {
    world.trail(user).await.iter().map(|committed| committed.entry.kind).collect()
}

/// Nobody is removed, and every target shows what it showed.
async fn assert_nobody_is_removed(world: &World) {
    for user in everybody(world) {
        assert_eq!(kinds(world, user).await, [EntryKind::Captured], "{user}");
        assert!(world.shows_newest(user).await, "{user}");
    }
}

#[tokio::test]
async fn everybodys_photo_gone_for_ten_minutes_removes_nobody() {
    let world = settled(25).await;
    let gone = RequestPattern::new("GET", "/v1.0/users/*/photo");
    let gone = world.sim.add_fault(FaultRule::new(gone, not_found()));
    sweep(&world).await;
    sweep(&world).await;
    assert_nobody_is_removed(&world).await;
    for user in everybody(&world) {
        assert!(world.head(user).await.unwrap().absent_since.is_some(), "{user}");
    }
    world.sim.remove_fault(gone);

    // The incident is over before the hold time: the second looks find every photo.
    let app = after_the_hold_time(&world).await;
    let looks = second_looks(&world).await;
    assert_eq!(looks.len(), 25, "one second look for each, however often nothing was found");
    for look in looks {
        app.propagate.handle(&look, 1).await.unwrap();
    }
    world.settle().await;
    assert_nobody_is_removed(&world).await;
    for user in everybody(&world) {
        assert_eq!(world.head(user).await.unwrap().absent_since, None, "{user}");
    }
    world.end().await;
}

#[tokio::test]
async fn everybodys_photo_gone_for_good_is_recorded_after_the_hold_time_and_removed_from_no_target() {
    let world = settled(25).await;
    everybodys_photo_goes(&world).await;
    let report = world.app.sweep.run(&Run::default()).await.unwrap();
    assert_eq!(report.missing, 25);
    world.settle().await;
    assert_nobody_is_removed(&world).await;
    let looks = second_looks(&world).await;
    // Too early by a clock that goes ahead: it waits again, and removes nobody.
    for look in &looks {
        world.app.propagate.handle(look, 1).await.unwrap();
    }
    assert_nobody_is_removed(&world).await;

    let app = after_the_hold_time(&world).await;
    for look in second_looks(&world).await {
        app.propagate.handle(&look, 1).await.unwrap();
    }
    world.settle().await;
    for user in everybody(&world) {
        assert_eq!(kinds(&world, user).await, [EntryKind::Captured, EntryKind::Removed], "{user}");
        assert!(world.written(user).is_some(), "{user}: the target keeps it until an operator approves");
    }
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn every_shape_of_no_photo_waits_for_the_hold_time_and_is_removed_after_it() {
    let world = settled(NoPhoto::ALL.len()).await;
    let people = everybody(&world);
    for (user, shape) in people.iter().zip(NoPhoto::ALL) {
        world.sim.tenant().remove_photo_as(guid(*user), shape).unwrap();
    }
    sweep(&world).await;
    assert_nobody_is_removed(&world).await;
    let app = after_the_hold_time(&world).await;
    for look in second_looks(&world).await {
        app.propagate.handle(&look, 1).await.unwrap();
    }
    world.settle().await;
    for (user, shape) in people.iter().zip(NoPhoto::ALL) {
        assert_eq!(kinds(&world, *user).await, [EntryKind::Captured, EntryKind::Removed], "{shape:?}");
    }
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_batch_that_tells_of_no_photo_is_not_believed_when_the_person_alone_has_one() {
    let world = settled(3).await;
    let user = world.user(0);
    let photo = world.sim.tenant().photo(guid(user)).unwrap();
    // Gone for a moment, so that a second look is on its way; when it comes, only the batch still says so.
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    sweep(&world).await;
    let looks = second_looks(&world).await;
    assert_eq!(looks.len(), 1);
    world.sim.tenant().set_photo(guid(user), &photo).unwrap();
    let items = RequestPattern::new("GET", "/v1.0/users/*/photo").within(PatternScope::BatchItems);
    world.sim.add_fault(FaultRule::new(items, not_found()));
    let app = after_the_hold_time(&world).await;
    app.propagate.handle(&looks[0], 1).await.unwrap();
    sweep(&world).await;
    for user in everybody(&world) {
        assert!(!kinds(&world, user).await.contains(&EntryKind::Removed), "{user}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_photo_that_was_seen_in_between_cancels_the_removal() {
    let world = settled(1).await;
    let user = world.user(0);
    let photo = world.sim.tenant().photo(guid(user)).unwrap();
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    sweep(&world).await;
    let looks = second_looks(&world).await;
    world.sim.tenant().set_photo(guid(user), &photo).unwrap();
    sweep(&world).await;
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    // The second look of the first absence comes now: it is another absence, whose hold time begins.
    let app = after_the_hold_time(&world).await;
    for look in &looks {
        app.propagate.handle(look, 1).await.unwrap();
    }
    assert!(!kinds(&world, user).await.contains(&EntryKind::Removed));
    assert!(world.head(user).await.unwrap().absent_since.is_some());
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_user_who_is_deleted_for_now_or_for_good_keeps_trail_and_photo() {
    let world = settled(4).await;
    let people = everybody(&world);
    // The photo of the first two was gone before they went themselves.
    for user in &people[..2] {
        world.sim.tenant().remove_photo(guid(*user)).unwrap();
    }
    sweep(&world).await;
    for (at, user) in people.iter().enumerate() {
        world.sim.tenant().delete_user(guid(*user), at % 2 == 1).unwrap();
    }
    let app = after_the_hold_time(&world).await;
    for look in second_looks(&world).await {
        app.propagate.handle(&look, 1).await.unwrap();
    }
    world.check(&people, FetchPolicy::Always).await;
    sweep(&world).await;
    for user in &people {
        assert_eq!(kinds(&world, *user).await, [EntryKind::Captured], "{user}");
        let photos = names::person_prefix(*user);
        let kept = photorelay_core::store::list_all(&*world.storage().blobs, Container::Photos, &photos).await.unwrap();
        assert_eq!(kept.len(), 2, "{user}: the photo and a rendition");
    }
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_lost_licence_and_its_return_within_the_hold_time_remove_nothing() {
    let world = settled(1).await;
    let user = world.user(0);
    let photo = world.sim.tenant().photo(guid(user)).unwrap();
    world.sim.tenant().remove_photo_as(guid(user), NoPhoto::NoMailbox).unwrap();
    sweep(&world).await;
    assert_nobody_is_removed(&world).await;
    world.sim.tenant().set_photo(guid(user), &photo).unwrap();
    let app = after_the_hold_time(&world).await;
    for look in second_looks(&world).await {
        app.propagate.handle(&look, 1).await.unwrap();
    }
    world.settle().await;
    assert!(!kinds(&world, user).await.contains(&EntryKind::Removed));
    world.end_with_leftovers().await;
}

fn not_found() -> Fault {
    Fault::GraphError { name: "photo_image_not_found".to_owned() }
}
