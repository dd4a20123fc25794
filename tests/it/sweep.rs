//! The sweep: whatever was lost, killed or throttled before, trail and Graph agree after it.

use std::sync::Arc;
use std::time::Duration;

use graph_sim::{Fault, FaultRule, NotificationMode, PatternScope, RequestPattern, RetryAfter};
use jiff::{SignedDuration, Timestamp};
use photorelay::config::AppConfig;
use photorelay::jobs::sweep::{Run, Sweep, SweepReport, SweepSettings};
use photorelay_core::contract::{self, EntryKind, SweepCursor};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, CHECKS_QUEUE, Container, WRITEBACKS_QUEUE};
use photorelay_core::store::list_all;
use photorelay_core::target::Targets;
use testkit::on_every_store;
use testkit::world::{Setup, Store, World, guid};

on_every_store!(
    a_change_that_nothing_announced_is_found_and_written,
    unchanged_people_cost_a_twentieth_of_a_request_and_no_write,
    whatever_was_lost_is_repaired,
    a_removed_photo_is_found_and_then_left_alone,
    people_who_come_and_go_are_followed,
);

/// Nothing is announced by Graph, and a head settles with the next look.
pub(crate) async fn silent(store: Store, users: usize) -> World {
    let sim = graph_sim::SimConfig { users, ..Default::default() };
    let edit = |config: &mut AppConfig| config.capture.hold = Duration::ZERO;
    let world = World::with(Setup { store, sim, edit, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| settings.notify = NotificationMode::Never);
    world
}

pub(crate) async fn sweep(world: &World) -> SweepReport {
    world.app.sweep.run(&Run::default()).await.unwrap()
}

pub(crate) async fn sweep_in_hours(world: &World, hours: i64) -> SweepReport {
    let now = Timestamp::now() + SignedDuration::from_hours(hours);
    world.app.sweep.run(&Run { now, ..Run::default() }).await.unwrap()
}

/// Sweeps until everybody is captured, written and settled.
pub(crate) async fn settled(world: &World) {
    for _ in 0..2 {
        sweep(world).await;
        world.settle().await;
    }
}

/// What the host posts to a timer function at its time.
pub(crate) const TIMER: &str = r#"{"Data":{"timer":{"IsPastDue":false}},"Metadata":{}}"#;

pub(crate) async fn cursor(world: &World) -> SweepCursor {
    let blobs = &*world.storage().blobs;
    contract::parse(&blobs.get(Container::State, names::SWEEP, 1 << 16).await.unwrap().unwrap()).unwrap()
}

/// A sweep of its own with other settings.
pub(crate) fn sweep_with(world: &World, edit: impl FnOnce(&mut SweepSettings)) -> Sweep {
    let mut settings = SweepSettings::new(Targets::default());
    edit(&mut settings);
    Sweep::new(Arc::clone(&world.app.graph), world.app.storage.clone(), settings)
}

/// Every blob, but for the sweep's own cursor and lease.
pub(crate) async fn everything_stored(world: &World) -> Vec<(Container, String, Option<Digest>)> {
    let blobs = &*world.storage().blobs;
    let mut all = Vec::new();
    for container in Container::ALL {
        for blob in list_all(blobs, container, "").await.unwrap() {
            if blob.name != names::SWEEP && !blob.name.starts_with(names::SWEEP_LEASES_PREFIX) {
                let bytes = blobs.get(container, &blob.name, 1 << 24).await.unwrap();
                all.push((container, blob.name, bytes.map(|bytes| Digest::of(&bytes))));
            }
        }
    }
    all
}

pub(crate) async fn shown_by_trail(world: &World, user: UserId) -> Option<String> {
    let newest = world.trail(user).await.pop()?;
    newest.entry.seen.sha256.map(|digest| digest.to_string())
}

/// Trail, Graph and target agree for everybody.
pub(crate) async fn assert_agreement(world: &World) {
    for id in world.sim.tenant().user_ids() {
        let user = UserId::from_uuid(id);
        let shown = world.sim.tenant().shown(id).unwrap();
        assert_eq!(shown_by_trail(world, user).await, shown.sha256(), "{user}");
        assert!(world.shows_newest(user).await, "{user}");
    }
}

async fn a_change_that_nothing_announced_is_found_and_written(store: Store) {
    let world = silent(store, 3).await;
    let first = sweep(&world).await;
    assert_eq!((first.population, first.joined, first.differing, first.checks), (3, 3, 3, 3));
    assert!(first.is_complete && first.is_full_list);
    world.settle().await;
    assert_agreement(&world).await;
    settled(&world).await;

    let user = world.user(1);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    let second = sweep(&world).await;
    assert_eq!((second.people, second.differing, second.checks, second.is_full_list), (3, 1, 1, false));
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 2);
    assert_agreement(&world).await;
    world.end().await;
}

async fn unchanged_people_cost_a_twentieth_of_a_request_and_no_write(store: Store) {
    let world = silent(store, 22).await;
    settled(&world).await;
    let before = everything_stored(&world).await;
    world.sim.clear_requests();

    let report = sweep(&world).await;
    assert_eq!((report.people, report.checks, report.announced_again, report.requests), (22, 0, 0, 2));
    let requests = world.sim.requests();
    assert_eq!(requests.entries.len(), 3, "{:#?}", requests.counters);
    assert_eq!((requests.count("GET /v1.0/users/delta"), requests.count("POST /v1.0/$batch")), (1, 2));
    let is_low = |request: &graph_sim::RecordedRequest| {
        request.headers.get("x-ms-throttle-priority").is_some_and(|p| p == "Low")
    };
    assert!(requests.entries.iter().all(is_low));
    assert_eq!(everything_stored(&world).await, before);
    world.end().await;
}

async fn whatever_was_lost_is_repaired(store: Store) {
    let world = silent(store, 5).await;
    settled(&world).await;
    let blobs = world.storage().blobs.clone();
    // A head is lost, one is behind the trail, one cannot be read, a receipt is lost, and a photo has changed.
    blobs.delete(Container::State, &names::head(world.user(0))).await.unwrap();
    let old_head = blobs.get(Container::State, &names::head(world.user(1)), 1 << 16).await.unwrap().unwrap();
    world.sim.tenant().change_photo(guid(world.user(1))).unwrap();
    sweep(&world).await;
    world.settle().await;
    let metadata = [("seq", "1"), ("settled", "true"), ("etag", "\"OLD\"")];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let json = "application/json";
    blobs.put(Container::State, &names::head(world.user(1)), json, old_head, &metadata).await.unwrap();
    blobs
        .put(Container::State, &names::head(world.user(2)), json, "no json".into(), &Default::default())
        .await
        .unwrap();
    world.sim.tenant().change_photo(guid(world.user(4))).unwrap();

    let report = sweep(&world).await;
    assert_eq!((report.behind, report.differing), (2, 1), "{report}");
    world.settle().await;
    settled(&world).await;
    assert_agreement(&world).await;
    let lengths: Vec<usize> =
        futures::future::join_all((0..5).map(|at| world.trail(world.user(at)))).await.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1, 2, 1, 1, 2], "nothing is committed twice");
    assert_eq!(sweep(&world).await.checks, 0);
    world.end().await;
}

async fn a_removed_photo_is_found_and_then_left_alone(store: Store) {
    let world = silent(store, 2).await;
    settled(&world).await;
    let user = world.user(0);
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    let report = sweep(&world).await;
    assert_eq!((report.missing, report.checks), (1, 1));
    world.settle().await;
    let kinds: Vec<EntryKind> = world.trail(user).await.iter().map(|committed| committed.entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Captured, EntryKind::Removed]);
    assert_eq!(sweep(&world).await.checks, 0, "who has no photo and should have none needs nothing");
    world.end_with_leftovers().await;
}

async fn people_who_come_and_go_are_followed(store: Store) {
    let world = silent(store, 3).await;
    settled(&world).await;
    let tenant = world.sim.tenant();
    let gone = world.user(0);
    tenant.delete_user(guid(gone), false).unwrap();
    let came = UserId::from_uuid(tenant.add_user());
    tenant.add_guest();
    tenant.add_cloud_only();
    let report = sweep(&world).await;
    assert_eq!((report.population, report.joined, report.left), (3, 1, 1));
    world.settle().await;
    assert_eq!(world.trail(came).await.len(), 1);
    assert_eq!(world.trail(gone).await.len(), 1);

    tenant.restore_user(guid(gone)).unwrap();
    tenant.change_photo(guid(gone)).unwrap();
    assert_eq!(sweep(&world).await.joined, 1);
    world.settle().await;
    assert_eq!(world.trail(gone).await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_forgotten_link_costs_one_full_list_and_nobody() {
    let world = silent(Store::Embedded, 3).await;
    settled(&world).await;
    let gone = world.user(0);
    world.sim.tenant().delete_user(guid(gone), true).unwrap();
    world.sim.set(|settings| {
        settings.delta_generation += 1;
        settings.delta_replays = 0.5;
        settings.delta_empty_pages = 0.5;
        settings.delta_page = 2;
    });
    let report = sweep(&world).await;
    assert_eq!((report.population, report.left, report.joined, report.is_full_list), (2, 1, 0, true));
    assert!(!sweep(&world).await.is_full_list);
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn an_entry_without_a_receipt_is_announced_again_at_growing_intervals() {
    let world = silent(Store::Embedded, 1).await;
    sweep(&world).await;
    world.app.pump.drain().await.unwrap();
    let queues = world.storage().queues.clone();
    // The agent never hears of it.
    let lost = queues.receive(WRITEBACKS_QUEUE, 1, Duration::from_secs(60)).await.unwrap();
    queues.delete(WRITEBACKS_QUEUE, &lost[0]).await.unwrap();

    let mut announced = Vec::new();
    for hours in [0, 1, 2, 3, 4, 5, 6] {
        announced.push(sweep_in_hours(&world, hours).await.announced_again);
    }
    assert_eq!(announced, [0, 1, 1, 1, 0, 0, 1], "once its age has doubled since the time before");
    world.settle().await;
    assert!(world.shows_newest(world.user(0)).await);
    assert_eq!(sweep_in_hours(&world, 100).await.announced_again, 0);
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn everybodys_bytes_are_looked_at_again_within_the_cycle() {
    let world = silent(Store::Embedded, 6).await;
    settled(&world).await;
    let mut due = 0;
    for day in 1..=31 {
        due += sweep_in_hours(&world, 24 * day).await.bytes_due;
    }
    assert!((6..=7).contains(&due), "{due}");
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn a_sweep_that_was_cut_off_goes_on_where_it_was() {
    let world = silent(Store::Embedded, 7).await;
    let piecemeal = sweep_with(&world, |settings| {
        settings.people_per_stretch = 3;
    });
    let mut people = Vec::new();
    loop {
        let run = Run { time_limit: Some(Duration::ZERO), ..Run::default() };
        let report = piecemeal.run(&run).await.unwrap();
        people.push(report.people);
        assert_eq!(report.is_resumed, people.len() > 1);
        if report.is_complete {
            break;
        }
    }
    assert_eq!(people, [3, 3, 1]);
    world.settle().await;
    assert_agreement(&world).await;

    // A damaged cursor costs a whole sweep and no more.
    let blobs = &*world.storage().blobs;
    blobs.put(Container::State, names::SWEEP, "application/json", "{".into(), &Default::default()).await.unwrap();
    assert_eq!(sweep(&world).await.people, 7);
    let cursor = cursor(&world).await;
    assert!(cursor.current.is_none() && cursor.previous.is_some());
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn throttled_people_are_asked_again_and_nobody_is_missed() {
    let world = silent(Store::Embedded, 45).await;
    let items = RequestPattern::new("GET", "/v1.0/users/*/photo").within(PatternScope::BatchItems);
    world.sim.add_fault(FaultRule::new(items, Fault::Throttled { retry_after: RetryAfter::Absent }).times(7));
    let report = sweep(&world).await;
    assert_eq!((report.people, report.differing, report.unreadable), (45, 45, 0));
    assert!(report.throttled > 0 && report.requests > 3, "{report}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_sweep_slows_down_when_graph_says_that_the_tenant_is_near_its_limit() {
    let world = silent(Store::Embedded, 400).await;
    let at_once = async || {
        let run = Run::default();
        world.app.sweep.run(&run).await.unwrap();
        run.progress.borrow().concurrency
    };
    let free = at_once().await;
    // Any answer of the directory says so, to whoever asked.
    world.sim.advance(Duration::from_secs(10));
    world.sim.set(|settings| settings.resource_units = Some(1));
    world.app.graph.find_user(&world.user(0).to_string()).await.unwrap();
    world.sim.set(|settings| settings.resource_units = Some(1_000_000));
    assert!(world.app.graph.limit_percentage().is_some_and(|used| used >= 1.0));
    let warned = at_once().await;
    assert!(warned < free, "{warned} requests at once instead of {free}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_graph_that_asks_to_wait_for_an_hour_ends_the_sweep_for_now() {
    let world = silent(Store::Embedded, 25).await;
    let batches = RequestPattern::new("POST", "/v1.0/$batch");
    let id = world.sim.add_fault(FaultRule::new(batches, Fault::Throttled { retry_after: RetryAfter::Seconds(3600) }));
    world.app.sweep.run(&Run::default()).await.unwrap_err();
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 0);
    world.sim.remove_fault(id);
    assert_eq!(sweep(&world).await.people, 25);
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn the_timer_sweeps_at_its_time_but_not_first_thing_after_a_start() {
    let world = silent(Store::Embedded, 2).await;
    let envelope = |late: bool| format!(r#"{{"Data":{{"timer":{{"IsPastDue":{late}}}}},"Metadata":{{}}}}"#);
    assert_eq!(world.post("/sweep", envelope(true)).await.status(), 200);
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 0);
    assert_eq!(world.post("/sweep", envelope(false)).await.status(), 200);
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 1);
    world.settle().await;
    assert_agreement(&world).await;
    world.end().await;
}

#[tokio::test]
async fn ten_thousand_people_are_swept_in_a_few_seconds() {
    let sim = graph_sim::SimConfig { users: 10_000, with_photo: 0.0, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| settings.delta_page = 1_000);
    let report = sweep(&world).await;
    assert_eq!((report.people, report.requests, report.checks), (10_000, 500, 0));
    assert!(report.took < Duration::from_secs(60), "{report}");
    world.end().await;
}
