//! One sweep at a time: what another sweep, a stop or the time limit of a function does to it.

use std::time::Duration;

use graph_sim::{Fault, FaultRule, HoldPoint, PatternScope, RequestPattern, RetryAfter};
use jiff::{SignedDuration, Timestamp};
use photorelay::config::{AppConfig, HostingSettings};
use photorelay::jobs::sweep::{Run, SweepError, SweepSettings};
use photorelay_core::audit;
use photorelay_core::contract::{self, CaptureFigures, ContinueSweep, SweepLease, V1};
use photorelay_core::names::{self, CHECKS_QUEUE, Container};
use photorelay_core::population;
use photorelay_core::queue::Outgoing;
use photorelay_core::store::list_all;
use photorelay_core::target::Targets;
use photorelay_core::{documents, figures};
use testkit::world::{Setup, Store, World};

use crate::sweep::*;

#[tokio::test]
async fn of_two_sweeps_at_once_one_gives_way() {
    let world = silent(Store::Embedded, 6).await;
    let held = world.sim.hold(RequestPattern::new("POST", "/v1.0/$batch"), HoldPoint::Before);
    let (report, ()) = tokio::join!(sweep(&world), async {
        held.arrived().await;
        let error = world.app.sweep.run(&Run::default()).await.unwrap_err();
        assert!(matches!(error, SweepError::UnderWay { .. }), "{error}");
        assert_eq!(world.post("/sweep", TIMER).await.status(), 200, "the next one at its time is no failure");
        held.release();
    });
    assert!(report.is_complete);
    world.settle().await;
    assert_agreement(&world).await;
    assert!(sweep(&world).await.is_complete, "the lease was given back");
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn the_lease_of_a_dead_sweep_runs_out() {
    let world = silent(Store::Embedded, 2).await;
    let blobs = &*world.storage().blobs;
    let lease = |until: Timestamp| contract::to_bytes(&SweepLease { v: V1, until });
    let put = async |number: u64, content: Vec<u8>| {
        let name = names::sweep_lease(number);
        blobs.put(Container::State, &name, "application/json", content.into(), &Default::default()).await.unwrap();
    };
    let ahead = |hours: i64| Timestamp::now() + SignedDuration::from_hours(hours);
    put(7, lease(Timestamp::now() + SignedDuration::from_secs(20))).await;
    assert!(matches!(world.app.sweep.run(&Run::default()).await.unwrap_err(), SweepError::UnderWay { .. }));
    // It has run out, its holder's clock is wrong, or it cannot be read.
    for content in [lease(ahead(-1)), lease(ahead(1)), b"{".to_vec()] {
        put(7, content).await;
        assert!(sweep(&world).await.is_complete);
        let leases = list_all(blobs, Container::State, names::SWEEP_LEASES_PREFIX).await.unwrap();
        assert_eq!(leases.len(), 1, "old leases are not left behind: {leases:?}");
        blobs.delete(Container::State, &leases[0].name).await.unwrap();
    }
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn a_sweep_that_stood_still_gives_way_to_the_one_that_took_over() {
    let world = silent(Store::Embedded, 2).await;
    let hasty = sweep_with(&world, |settings| settings.lease = Duration::from_millis(30));
    let held = world.sim.hold(RequestPattern::new("POST", "/v1.0/$batch"), HoldPoint::Before);
    let run = Run::default();
    let (result, ()) = tokio::join!(hasty.run(&run), async {
        held.arrived().await;
        let content = contract::to_bytes(&SweepLease { v: V1, until: Timestamp::now() });
        let name = names::sweep_lease(9);
        let blobs = &*world.storage().blobs;
        blobs.create(Container::State, &name, "application/json", content.into()).await.unwrap();
    });
    assert!(matches!(result.unwrap_err(), SweepError::TakenOver));
    held.release();
    world.end().await;
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_time_hands_over_until_everybody_was_looked_at() {
    let sim = graph_sim::SimConfig { users: 130, with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut AppConfig| config.hosting.sweep_time_limit = Duration::ZERO;
    let world = World::with(Setup { sim, edit, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| settings.delta_page = 130);
    assert_eq!(world.post("/sweep", TIMER).await.status(), 200);
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 1, "the rest waits in the queue");
    assert_eq!(world.sim.requests().count("POST /v1.0/$batch"), 1, "the limit ends a run between any two batches");
    world.app.pump.drain().await.unwrap();
    assert_eq!(world.sim.requests().count("POST /v1.0/$batch"), 7, "nobody was asked about twice");
    assert!(cursor(&world).await.current.is_none());
    world.end().await;
}

#[tokio::test]
async fn a_sweep_that_runs_out_of_time_while_it_lists_the_users_goes_on_listing() {
    let sim = graph_sim::SimConfig { users: 45, with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut AppConfig| config.hosting.sweep_time_limit = Duration::ZERO;
    let world = World::with(Setup { sim, edit, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| settings.delta_page = 10);
    let stored = async |name: &str| world.storage().blobs.get(Container::State, name, 1 << 20).await.unwrap();
    let lists = || world.sim.requests().count("GET /v1.0/users/delta");
    assert_eq!(world.post("/sweep", TIMER).await.status(), 200);
    assert_eq!((lists(), world.sim.requests().count("POST /v1.0/$batch")), (1, 0));
    assert!(stored(names::POPULATION).await.is_none(), "half a list is no list: the others would seem to have left");
    assert!(stored(names::POPULATION_QUERY).await.is_some());
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 1, "a message goes on");

    world.app.pump.drain().await.unwrap();
    assert_eq!((lists(), world.sim.requests().count("POST /v1.0/$batch")), (5 + 2, 3), "no page was read twice");
    let blobs = &*world.storage().blobs;
    let list = population::read(blobs).await.unwrap().unwrap();
    assert_eq!(population::members(blobs, list.list()).await.unwrap().unwrap().len(), 45);
    assert!(stored(names::POPULATION_QUERY).await.is_none() && cursor(&world).await.current.is_none());
    world.end().await;
}

#[tokio::test]
async fn a_message_of_a_sweep_that_is_over_starts_nothing() {
    let world = silent(Store::Embedded, 1).await;
    settled(&world).await;
    world.sim.clear_requests();
    let message = contract::to_bytes(&ContinueSweep { v: V1, continue_sweep: Timestamp::UNIX_EPOCH });
    world.storage().queues.send(CHECKS_QUEUE, vec![Outgoing::now(message)]).await.unwrap();
    world.app.pump.drain().await.unwrap();
    assert!(world.sim.requests().entries.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_sweep_that_is_stopped_keeps_what_it_has_and_goes_on_later() {
    let world = silent(Store::Embedded, 45).await;
    let slow = sweep_with(&world, |settings| {
        settings.people_per_stretch = 20;
        settings.batches_at_once = 1;
    });
    let first = world.sim.hold(RequestPattern::new("POST", "/v1.0/$batch"), HoldPoint::Before);
    let run = Run::default();
    let (report, ()) = tokio::join!(slow.run(&run), async {
        first.arrived().await;
        let second = world.sim.hold(RequestPattern::new("POST", "/v1.0/$batch"), HoldPoint::Before);
        first.release();
        second.arrived().await;
        run.stop.cancel();
    });
    let report = report.unwrap();
    assert_eq!((report.people, report.is_complete), (20, false));
    assert_eq!(run.progress.borrow().done, 20);
    let rest = Run::default();
    let report = slow.run(&rest).await.unwrap();
    assert_eq!((report.people, report.is_resumed, report.is_complete), (25, true, true));
    assert_eq!((rest.progress.borrow().done, rest.progress.borrow().of), (45, 45));
    world.settle().await;
    assert_agreement(&world).await;
    world.end().await;
}

#[test]
fn a_function_hands_over_before_the_host_ends_it() {
    let host: serde_json::Value = serde_json::from_str(include_str!("../../host.json")).unwrap();
    let [hours, minutes, seconds] =
        host["functionTimeout"].as_str().unwrap().split(':').map(|n| n.parse().unwrap()).collect::<Vec<u64>>()[..]
    else {
        panic!("functionTimeout is hh:mm:ss")
    };
    let timeout = Duration::from_secs((hours * 60 + minutes) * 60 + seconds);
    // A request that has begun is finished; a wait that goes beyond the limit does not begin.
    let longest = HostingSettings::default().sweep_time_limit + SweepSettings::new(Targets::default()).longest_wait;
    assert!(longest < timeout, "{longest:?} is too near to {timeout:?}");
}

/// The user whom a sweep comes to last.
fn last_of(world: &World) -> String {
    world.sim.tenant().user_ids().into_iter().max().unwrap().to_string()
}

#[tokio::test]
async fn a_sweep_that_graph_throttles_hands_over_at_its_time_limit_and_keeps_what_it_has() {
    let world = silent(Store::Embedded, 45).await;
    let sweep = sweep_with(&world, |settings| settings.batches_at_once = 1);
    let batches = RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests);
    let throttled = Fault::Throttled { retry_after: RetryAfter::Seconds(50) };
    world.sim.add_fault(FaultRule::new(batches, throttled).naming(&last_of(&world)));
    // Ample for two batches, and less than the last one has to wait.
    let limit = Duration::from_secs(40);
    let run = Run { time_limit: Some(limit), ..Run::default() };
    let report = sweep.run(&run).await.unwrap();
    assert_eq!((report.people, report.checks, report.is_complete), (40, 40, false), "{report}");
    assert!(report.took < limit, "{report}");

    world.sim.clear_faults();
    let rest = sweep.run(&Run::default()).await.unwrap();
    assert_eq!((rest.people, rest.is_resumed, rest.is_complete), (5, true, true), "{rest}");
    world.settle().await;
    assert_agreement(&world).await;
    world.end().await;
}

#[tokio::test]
async fn a_sweep_that_graph_ends_keeps_what_it_has() {
    let world = silent(Store::Embedded, 45).await;
    let sweep = sweep_with(&world, |settings| settings.batches_at_once = 1);
    let batches = RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests);
    let throttled = Fault::Throttled { retry_after: RetryAfter::Seconds(3_600) };
    world.sim.add_fault(FaultRule::new(batches, throttled).naming(&last_of(&world)));
    let error = sweep.run(&Run::default()).await.unwrap_err();
    assert!(matches!(error, SweepError::Graph(_)), "{error}");
    world.sim.clear_faults();
    let rest = sweep.run(&Run::default()).await.unwrap();
    assert_eq!((rest.people, rest.is_resumed), (5, true), "{rest}");
    world.settle().await;
    assert_agreement(&world).await;
    world.end().await;
}

#[tokio::test]
async fn a_sweep_in_several_parts_counts_everyone_once_and_its_last_part_takes_the_checkpoint() {
    let world = silent(Store::Embedded, 45).await;
    settled(&world).await;
    let run = Run { time_limit: Some(Duration::ZERO), ..Run::default() };
    let blobs = &*world.storage().blobs;
    for part in 1..=3 {
        let report = world.app.sweep.run(&run).await.unwrap();
        assert_eq!((report.people, report.is_complete), (if part == 3 { 5 } else { 20 }, part == 3));
        world.app.watch.after_sweep(&report, Timestamp::now()).await;
        let name = names::capture_figures(figures::day_of(Timestamp::now()));
        let counted: CaptureFigures = documents::read(blobs, Container::State, &name).await.unwrap().unwrap();
        assert_eq!(counted.people, 45, "whatever part was compared");
        let taken = audit::newest_checkpoint(blobs).await.unwrap().map(|stored| stored.checkpoint.unwrap().people);
        assert_eq!(taken, (part == 3).then_some(45));
    }
    assert_eq!(audit::verify_all(blobs).await.unwrap().findings, []);
    world.settle().await;
    world.end().await;
}
