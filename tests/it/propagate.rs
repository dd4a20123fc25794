//! A changed photo becomes a stored, audited photo, a write-back message, and a written file.

use bytes::Bytes;
use graph_sim::{Fault, FaultRule, RequestPattern};
use jiff::{SignedDuration, Timestamp};
use photorelay::app::App;
use photorelay_core::contract::{CaptureStatus, CauseKind, EntryKind, FetchPolicy, Outcome};
use photorelay_core::id::Digest;
use photorelay_core::names::{self, CHECKS_QUEUE, Container};
use photorelay_core::queue::Outgoing;
use serde_json::json;
use testkit::everywhere;
use testkit::world::{Setup, Store, World, configuration, fixture, guid};

everywhere!(
    a_changed_photo_is_stored_audited_announced_and_written,
    an_irrelevant_notification_writes_nothing_and_costs_one_batch,
    a_repeated_notification_writes_once,
    an_identical_upload_makes_no_entry,
    a_change_that_nothing_announces_is_found_by_a_check_and_not_before,
    going_back_to_an_earlier_photo_is_a_change_with_either_kind_of_etag,
    every_entry_is_chained_to_the_one_before,
    a_head_that_was_lost_is_rebuilt_from_the_trail,
);

async fn a_changed_photo_is_stored_audited_announced_and_written(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;

    let trail = world.trail(user).await;
    let shown = world.sim.tenant().shown(guid(user)).unwrap();
    assert_eq!(trail.len(), 1);
    let entry = &trail[0].entry;
    assert_eq!((entry.seq, entry.kind, entry.previous), (1, EntryKind::Captured, Digest::ZERO));
    assert_eq!(entry.cause.kind, CauseKind::Notification);
    assert_eq!(entry.seen.sha256.map(|digest| digest.to_string()), shown.sha256());
    assert_eq!(entry.seen.media_etag.as_deref(), Some(shown.media_etag.as_str()));

    let photo = entry.photo.as_ref().unwrap();
    let stored =
        world.storage().blobs.get(Container::Photos, &names::photo(user, photo.sha256), 1 << 22).await.unwrap();
    assert_eq!(stored, shown.bytes(), "bytes that Graph returned are stored untouched");

    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!(receipt.outcome, Outcome::Written);
    assert_eq!(receipt.after, Some(entry.renditions[0].sha256));
    assert_eq!(receipt.traceparent, entry.traceparent);
    assert!(world.shows_newest(user).await);
    world.end().await;
}

async fn an_irrelevant_notification_writes_nothing_and_costs_one_batch(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.change(user).await;
    let head = world.head(user).await;
    world.sim.clear_requests();

    world.sim.tenant().touch(guid(user)).unwrap();
    world.settle().await;

    let requests = world.sim.requests();
    assert_eq!(requests.entries.len(), 1, "{:#?}", requests.counters);
    assert_eq!(requests.count("POST /v1.0/$batch"), 1);
    assert_eq!(world.trail(user).await.len(), 1);
    assert_eq!(world.head(user).await, head);
    world.end().await;
}

#[tokio::test]
async fn twenty_unchanged_people_cost_one_batch() {
    let world =
        World::with(Setup { sim: graph_sim::SimConfig { users: 20, ..Default::default() }, ..Setup::default() }).await;
    let everybody: Vec<_> = (0..20).map(|at| world.user(at)).collect();
    world.check(&everybody, FetchPolicy::IfChanged).await;
    world.settle().await;
    world.sim.clear_requests();

    world.check(&everybody, FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_eq!(world.sim.requests().entries.len(), 1);
    world.end().await;
}

async fn a_repeated_notification_writes_once(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.sim.set(|settings| settings.duplicates = 1.0);
    world.change(user).await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.receipt(user, 2).await.is_none());
    world.end().await;
}

async fn an_identical_upload_makes_no_entry(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;

    assert_eq!(world.trail(user).await.len(), 1);
    let shown = world.sim.tenant().shown(guid(user)).unwrap();
    assert_eq!(world.head(user).await.unwrap().media_etag, Some(shown.media_etag), "the head follows the ETag");
    world.end().await;
}

async fn a_change_that_nothing_announces_is_found_by_a_check_and_not_before(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.sim.set(|settings| settings.notify = graph_sim::NotificationMode::Never);
    world.change(user).await;
    assert_eq!(world.trail(user).await.len(), 0);

    world.check(&[user], FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.shows_newest(user).await);
    world.end().await;
}

async fn going_back_to_an_earlier_photo_is_a_change_with_either_kind_of_etag(store: Store) {
    for etags_return in [false, true] {
        let world = World::on(store).await;
        let user = world.user(0);
        world.sim.set(|settings| settings.etags_return = etags_return);
        for photo in ["astronaut-648.jpg", "cat-648.jpg", "astronaut-648.jpg"] {
            world.sim.tenant().set_photo(guid(user), &fixture(photo)).unwrap();
            world.settle().await;
        }
        let trail = world.trail(user).await;
        assert_eq!(trail.len(), 3);
        assert_eq!(trail[0].entry.seen.sha256, trail[2].entry.seen.sha256);
        assert!(world.shows_newest(user).await);
        world.end().await;
    }
}

async fn every_entry_is_chained_to_the_one_before(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    for _ in 0..3 {
        world.change(user).await;
    }
    let trail = world.trail(user).await;
    assert_eq!(trail[1].entry.previous, trail[0].sha256);
    assert_eq!(trail[2].entry.previous, trail[1].sha256);
    world.end().await;
}

#[tokio::test]
async fn people_out_of_scope_are_noted_and_never_fetched() {
    let world = World::with(Setup {
        sim: graph_sim::SimConfig { users: 1, guests: 1, cloud_only: 1, ..Default::default() },
        ..Setup::default()
    })
    .await;
    let everybody: Vec<_> = (0..3).map(|at| world.user(at)).collect();
    world.check(&everybody, FetchPolicy::IfChanged).await;
    world.settle().await;
    let trails: Vec<usize> =
        futures::future::join_all(everybody.iter().map(|user| world.trail(*user))).await.iter().map(Vec::len).collect();
    assert_eq!(trails.iter().sum::<usize>(), 1, "{trails:?}");
    assert_eq!(world.sim.requests().count("GET /v1.0/users/{id}/photo/$value"), 1);
    world.end().await;
}

#[tokio::test]
async fn more_captures_than_a_day_allows_are_put_off_and_not_lost() {
    let world = World::with(Setup { edit: |config| config.capture.captures_per_day = 2, ..Setup::default() }).await;
    let user = world.user(0);
    for _ in 0..4 {
        world.change(user).await;
    }
    assert_eq!(world.trail(user).await.len(), 2);
    let waiting = world.storage().queues.count(CHECKS_QUEUE).await.unwrap();
    assert_eq!(waiting, 1, "one check comes back when the day is over, however many changes there were");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn an_entry_from_the_end_of_time_puts_a_user_off_for_a_day_at_most() {
    let world = World::with(Setup { edit: |config| config.capture.captures_per_day = 2, ..Setup::default() }).await;
    let user = world.user(0);
    for _ in 0..2 {
        world.change(user).await;
    }
    let (blobs, name) = (&*world.storage().blobs, names::audit_entry(user, 1));
    let stored = blobs.get(Container::Audit, &name, 1 << 16).await.unwrap().unwrap();
    let mut entry: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    entry["observedAt"] = json!(Timestamp::MAX.to_string());
    let put = async |content: Bytes| {
        blobs.put(Container::Audit, &name, "application/json", content, &Default::default()).await.unwrap()
    };
    put(entry.to_string().into()).await;
    world.change(user).await;

    let CaptureStatus::Parked { until } = world.head(user).await.unwrap().capture_status else { panic!("not put off") };
    assert!(until <= Timestamp::now() + SignedDuration::from_hours(24), "{until}");
    put(stored).await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_message_that_is_not_ours_is_buried_with_its_reason_and_blocks_nobody() {
    let world = World::start().await;
    let user = world.user(0);
    let newer = br#"{"v":2,"users":[]}"#.to_vec();
    let messages = vec![Outgoing::now(b"no json".to_vec()), Outgoing::now(newer)];
    world.storage().queues.send(CHECKS_QUEUE, messages).await.unwrap();
    world.change(user).await;

    assert_eq!(world.trail(user).await.len(), 1);
    assert_eq!(world.storage().queues.count(&names::poison_queue(CHECKS_QUEUE)).await.unwrap(), 2);
    let kept = photorelay_core::store::list_all(&*world.storage().blobs, Container::State, "poison/").await.unwrap();
    let mut reasons = Vec::new();
    for blob in kept {
        let bytes = world.storage().blobs.get(Container::State, &blob.name, 65_536).await.unwrap().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        reasons.push(record["reason"].as_str().unwrap().to_owned());
    }
    assert_eq!(reasons.len(), 2);
    assert!(reasons.iter().any(|reason| reason.contains("newer version")), "{reasons:?}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_message_that_claims_as_many_attempts_as_can_be_is_not_tried_anew() {
    let world = World::start().await;
    let batches = RequestPattern::new("POST", "/v1.0/$batch");
    world.sim.add_fault(FaultRule::new(batches, Fault::GraphError { name: "server_error".to_owned() }));
    let (user, attempt) = (world.user(0), u32::MAX);
    let cause = json!({ "kind": "operator", "id": "1" });
    let message = json!({ "v": 1, "cause": cause, "users": [user], "attempt": attempt }).to_string();
    world.storage().queues.send(CHECKS_QUEUE, vec![Outgoing::now(message)]).await.unwrap();
    world.settle().await;

    let queues = &world.storage().queues;
    let poison = queues.count(&names::poison_queue(CHECKS_QUEUE)).await.unwrap();
    assert_eq!((queues.count(CHECKS_QUEUE).await.unwrap(), poison), (0, 1));
    world.end_with_leftovers().await;
}

async fn a_head_that_was_lost_is_rebuilt_from_the_trail(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    world.change(user).await;
    world.storage().blobs.delete(Container::State, &names::head(user)).await.unwrap();

    world.check(&[user], FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert_eq!(world.head(user).await.unwrap().seq, 1);
    world.end().await;
}

#[tokio::test]
async fn a_rendition_that_is_configured_later_is_made_of_the_photo_that_is_known() {
    let world = World::start().await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;
    let mut config = configuration(&world.sim, world.dir(), world.url.clone());
    config.capture.renditions.push("mim:240:30720".parse().unwrap());
    let app = App::build(&config).await.unwrap();
    for _ in 0..2 {
        world.check(&[user], FetchPolicy::Always).await;
        app.pump.drain().await.unwrap();
    }
    let trail = world.trail(user).await;
    assert_eq!(trail.len(), 2, "once, although the photo is fetched again");
    let [first, second] = [&trail[0].entry, &trail[1].entry];
    assert_eq!((&first.photo, first.renditions.len(), second.renditions.len()), (&second.photo, 1, 2));
    assert_eq!(first.renditions[0], second.renditions[0], "the directory has nothing to do");
    world.settle().await;
    assert_eq!(world.receipt(user, 2).await.unwrap().outcome, Outcome::Unchanged);
    world.end().await;
}
