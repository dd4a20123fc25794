//! One person for whom Graph fails, in whatever way, stops nobody else.

use graph_sim::{Fault, FaultRule, PatternScope, RequestPattern, RetryAfter};
use photorelay_core::contract::FetchPolicy;
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use testkit::world::{Store, World};

use crate::sweep::{silent, sweep};

const HOUR: RetryAfter = RetryAfter::Seconds(3_600);

fn item_of(user: UserId) -> RequestPattern {
    RequestPattern::new("GET", &format!("/v1.0/users/{user}/photo")).within(PatternScope::BatchItems)
}

/// Every batch that names this user fails as a whole.
fn poisons_batches(world: &World, user: UserId, error: &str) -> u64 {
    let batches = RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests);
    let fault = Fault::GraphError { name: error.to_owned() };
    world.sim.add_fault(FaultRule::new(batches, fault).naming(&user.to_string()))
}

async fn waiting(world: &World) -> u64 {
    world.storage().queues.count(CHECKS_QUEUE).await.unwrap()
}

/// Everybody but these was captured, and these after all once nothing is wrong with them.
async fn assert_only_these_wait(world: World, these: &[UserId]) {
    world.settle().await;
    for id in world.sim.tenant().user_ids() {
        let user = UserId::from_uuid(id);
        let captured = world.trail(user).await.len();
        assert_eq!(captured, usize::from(!these.contains(&user)), "{user}");
    }
    world.sim.clear_faults();
    world.check(these, FetchPolicy::IfChanged).await;
    world.settle().await;
    for user in these {
        assert_eq!(world.trail(*user).await.len(), 1, "{user}");
    }
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn one_person_whom_graph_asks_to_wait_for_an_hour_does_not_end_the_sweep() {
    let faults = [
        Fault::Throttled { retry_after: HOUR },
        Fault::Status { status: 503, code: "serviceNotAvailable".to_owned(), retry_after: HOUR },
    ];
    for fault in faults {
        let world = silent(Store::Embedded, 45).await;
        let user = world.user(7);
        world.sim.add_fault(FaultRule::new(item_of(user), fault));
        let report = sweep(&world).await;
        assert_eq!((report.people, report.differing, report.unreadable), (45, 44, 1), "{report}");
        assert!(report.is_complete);
        assert_only_these_wait(world, &[user]).await;
    }
}

#[tokio::test]
async fn one_person_for_whom_every_batch_fails_as_a_whole_keeps_nobody_else_out_of_the_sweep() {
    for error in ["server_error", "batch_malformed"] {
        let world = silent(Store::Embedded, 45).await;
        let people = [world.user(7), world.user(8), world.user(30)];
        for user in people {
            poisons_batches(&world, user, error);
        }
        let report = sweep(&world).await;
        assert_eq!((report.people, report.differing, report.unreadable), (45, 42, 3), "{report}");
        assert_only_these_wait(world, &people).await;
    }
}

#[tokio::test]
async fn one_person_for_whom_every_batch_fails_as_a_whole_keeps_nobody_else_in_the_message_waiting() {
    for error in ["server_error", "batch_malformed"] {
        let world = silent(Store::Embedded, 20).await;
        let everybody: Vec<UserId> = world.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
        poisons_batches(&world, everybody[3], error);
        world.check(&everybody, FetchPolicy::IfChanged).await;
        assert_only_these_wait(world, &everybody[3..4]).await;
    }
}

#[tokio::test]
async fn people_who_failed_together_wait_as_long_as_graph_asks_for_each_of_them() {
    let world = silent(Store::Embedded, 3).await;
    let people = [world.user(0), world.user(1), world.user(2)];
    world.sim.add_fault(FaultRule::new(item_of(people[0]), Fault::Throttled { retry_after: HOUR }));
    world.sim.add_fault(FaultRule::new(item_of(people[1]), Fault::Throttled { retry_after: RetryAfter::Absent }));
    world.check(&people, FetchPolicy::IfChanged).await;
    world.settle().await;
    assert_eq!(world.trail(people[2]).await.len(), 1);
    assert_eq!(waiting(&world).await, 2, "one message each, because one of them waits for an hour");
    assert_only_these_wait(world, &people[..2]).await;
}

/// A server that answers 503 is asked again only later, with less at a time.
#[tokio::test]
async fn a_batch_that_graph_is_not_available_for_is_halved_until_the_person_is_alone() {
    let world = silent(Store::Embedded, 45).await;
    let user = world.user(7);
    poisons_batches(&world, user, "unavailable");
    let report = sweep(&world).await;
    assert_eq!((report.people, report.differing, report.unreadable), (45, 44, 1), "{report}");
    assert_only_these_wait(world, &[user]).await;
}

#[tokio::test]
async fn a_person_whose_mailbox_is_throttled_does_not_slow_the_sweep_down() {
    let world = silent(Store::Embedded, 200).await;
    let user = world.user(7);
    world.sim.add_fault(FaultRule::new(item_of(user), Fault::Throttled { retry_after: RetryAfter::Absent }).times(3));
    let run = photorelay::jobs::sweep::Run::default();
    let report = world.app.sweep.run(&run).await.unwrap();
    assert_eq!((report.differing, report.throttled), (200, 3));
    assert!(run.progress.borrow().concurrency >= 6, "{}", run.progress.borrow().concurrency);
    world.end_with_leftovers().await;
}
