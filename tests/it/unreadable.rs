//! People for whom Graph fails again and again: asked about ever more seldom, counted, and never twice at once.

use graph_sim::{Fault, FaultRule, PatternScope, RequestPattern, RetryAfter};
use photorelay_core::contract::{self, Cause, CauseKind, CheckMessage, FetchPolicy, V1};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, CHECKS_QUEUE, Container};
use photorelay_core::queue::Outgoing;
use photorelay_core::store::list_all;
use photorelay_core::trace::TraceContext;
use serde_json::{Value, json};
use testkit::on_every_store;
use testkit::process::text;
use testkit::world::{Store, World, guid};

use crate::commands::photorelay;
use crate::sweep::{settled, silent, sweep, sweep_in_hours};

on_every_store!(
    a_person_whose_bytes_graph_refuses_is_not_fetched_at_every_sweep,
    a_person_whose_check_waits_in_the_queue_gets_no_second_one,
);

/// How Graph answers for a mailbox that an application access policy excludes.
fn refuse(world: &World, path: &str) -> u64 {
    let calls = RequestPattern::new("GET", path);
    world.sim.add_fault(FaultRule::new(calls, Fault::GraphError { name: "denied_photo".to_owned() }))
}

fn metadata_of(user: UserId) -> String {
    format!("/v1.0/users/{user}/photo")
}

async fn waiting(world: &World) -> u64 {
    world.storage().queues.count(CHECKS_QUEUE).await.unwrap()
}

async fn unreadable(world: &World) -> Value {
    let printed = photorelay(world, &["status", "--json"], &[]).await;
    serde_json::from_slice::<Value>(&printed.stdout).unwrap()["unreadable"].clone()
}

#[tokio::test]
async fn a_person_whom_graph_refuses_is_asked_about_ever_more_seldom_and_counted_until_it_is_over() {
    let world = silent(Store::Embedded, 3).await;
    let user = world.user(0);
    let refused = refuse(&world, &metadata_of(user));
    let mut checks = Vec::new();
    for hours in 0..=24 {
        let report = sweep_in_hours(&world, hours).await;
        checks.push(report.checks);
        world.settle().await;
        assert_eq!(waiting(&world).await, 0, "nothing waits in the queue for a person whom Graph refuses");
    }
    assert_eq!(checks[0], 3);
    let of_the_one: usize = checks[3..].iter().sum();
    assert!((2..=5).contains(&of_the_one), "{checks:?}");
    assert_eq!(unreadable(&world).await, json!([{ "reason": "403 ErrorAccessDenied", "people": 1 }]));
    let printed = text(&photorelay(&world, &["status"], &[]).await.stdout);
    assert!(printed.contains("unreadable     1 (403 ErrorAccessDenied)"), "{printed}");

    world.sim.remove_fault(refused);
    assert_eq!(sweep(&world).await.checks, 1, "who can be read again is not kept waiting");
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert_eq!(unreadable(&world).await, json!([]));
    world.end().await;
}

async fn a_person_whose_bytes_graph_refuses_is_not_fetched_at_every_sweep(store: Store) {
    let world = silent(store, 2).await;
    settled(&world).await;
    let user = world.user(0);
    let refused = refuse(&world, &format!("/v1.0/users/{user}/photo/$value"));
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.clear_requests();
    for hours in 0..=24 {
        sweep_in_hours(&world, hours).await;
        world.settle().await;
    }
    let fetched = world.sim.requests().count("GET /v1.0/users/{id}/photo/$value");
    assert!((3..=8).contains(&fetched), "{fetched}");
    world.sim.remove_fault(refused);
    sweep_in_hours(&world, 72).await;
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 2);
    assert_eq!(unreadable(&world).await, json!([]));
    world.end().await;
}

async fn a_person_whose_check_waits_in_the_queue_gets_no_second_one(store: Store) {
    let world = silent(store, 3).await;
    let user = world.user(0);
    let item = RequestPattern::new("GET", &metadata_of(user));
    world.sim.add_fault(FaultRule::new(item, Fault::Throttled { retry_after: RetryAfter::Seconds(7_200) }));
    for _ in 0..3 {
        sweep(&world).await;
        world.settle().await;
        // As after a notification.
        world.check(&[user], FetchPolicy::IfChanged).await;
        world.settle().await;
        assert_eq!(waiting(&world).await, 1);
    }
    world.sim.clear_faults();
    world.check(&[user], FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1, "what can be read is read, whatever waits");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_role_that_is_granted_is_not_asked_for_when_graph_refuses_one_mailbox() {
    let world = World::start().await;
    let user = world.user(0);
    refuse(&world, &metadata_of(user));
    let printed = text(&photorelay(&world, &["check", &user.to_string()], &[]).await.stderr);
    assert!(printed.contains("403 ErrorAccessDenied"), "{printed}");
    assert!(!printed.contains("grant it") && printed.contains("application access policy"), "{printed}");
    let printed = text(&photorelay(&world, &["doctor", &user.to_string()], &[]).await.stdout);
    let photo = printed.lines().find(|line| line.contains("user photo")).unwrap();
    assert!(!photo.contains("grant the application role") && photo.contains("application access policy"), "{photo}");
    world.end().await;

    let mut sim = graph_sim::SimConfig { users: 1, ..Default::default() };
    sim.app.roles = vec![graph_sim::roles::PEOPLE_SETTINGS_READ.to_owned()];
    let world = World::with(testkit::world::Setup { sim, subscribe: false, ..Default::default() }).await;
    let printed = text(&photorelay(&world, &["check", &world.user(0).to_string()], &[]).await.stderr);
    assert!(printed.contains("grant it the application role"), "{printed}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_dead_letter_says_why_the_last_attempt_failed() {
    let world = silent(Store::Embedded, 2).await;
    let batches = RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests);
    let code = "serviceNotAvailable".to_owned();
    let down = Fault::Status { status: 503, code, retry_after: RetryAfter::Seconds(3_600) };
    world.sim.add_fault(FaultRule::new(batches, down));
    let trace = TraceContext::start();
    let message = CheckMessage {
        v: V1,
        cause: Cause::new(CauseKind::Sweep, trace.trace_id()),
        users: vec![world.user(0), world.user(1)],
        fetch_policy: FetchPolicy::IfChanged,
        attempt: 19,
        absence: None,
        traceparent: None,
    };
    let message = Outgoing::now(contract::to_bytes(&message));
    world.storage().queues.send(CHECKS_QUEUE, vec![message]).await.unwrap();
    world.app.pump.drain().await.unwrap();
    let blobs = &*world.storage().blobs;
    let mut reasons = Vec::new();
    for blob in list_all(blobs, Container::State, "poison/").await.unwrap() {
        let bytes = blobs.get(Container::State, &blob.name, 1 << 16).await.unwrap().unwrap();
        let kept: Value = serde_json::from_slice(&bytes).unwrap();
        reasons.push(kept["reason"].as_str().unwrap().to_owned());
    }
    assert!(
        !reasons.is_empty() && reasons.iter().all(|reason| reason.contains("503 serviceNotAvailable")),
        "{reasons:?}"
    );
    assert!(world.storage().queues.count(&names::poison_queue(CHECKS_QUEUE)).await.unwrap() > 0);
    world.end_with_leftovers().await;
}
