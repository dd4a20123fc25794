//! The figures of a day: what sweeps and agents leave for charts.

use jiff::Timestamp;
use photorelay::jobs::sweep::Run;
use photorelay_core::contract::FetchPolicy;
use photorelay_core::figures::{DayFigures, day_of, last_days};
use testkit::world::{World, guid};

async fn today(world: &World) -> DayFigures {
    let days = last_days(&*world.storage().blobs, day_of(Timestamp::now()), 3).await.unwrap();
    assert_eq!(days.len(), 3);
    assert!(days[..2].iter().all(|day| day.capture.is_none() && day.writeback.is_none()));
    days.into_iter().next_back().unwrap()
}

#[tokio::test]
async fn what_agents_wrote_and_how_long_it_took_is_counted_across_their_restarts() {
    let world = World::start().await;
    for agent in ["agent-1", "agent-1", "agent-2"] {
        world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
        world.sim.flush().await;
        world.app.pump.drain().await.unwrap();
        // Each time a new process.
        world.agent_builder().named(agent).build().once().await.unwrap();
    }
    let writeback = today(&world).await.writeback.unwrap();
    assert_eq!((writeback.written, writeback.noted, writeback.latency.total()), (3, 0, 3));
    let median = writeback.latency.percentile_ms(50).unwrap();
    assert!(median < 60_000.0, "{median}");

    world.check(&[world.user(1)], FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
    world.agent_builder().named("agent-2").dry_run(true).build().once().await.unwrap();
    let writeback = today(&world).await.writeback.unwrap();
    assert_eq!((writeback.written, writeback.noted), (3, 1));
    world.end().await;
}

#[tokio::test]
async fn each_sweep_of_a_day_is_counted_and_the_last_one_says_what_waits() {
    let world = World::start().await;
    for _ in 0..2 {
        let report = world.app.sweep.run(&Run::default()).await.unwrap();
        world.app.watch.after_sweep(&report, Timestamp::now()).await;
    }
    world.app.watch.after_failed_sweep(Timestamp::now()).await;
    let capture = today(&world).await.capture.unwrap();
    assert_eq!((capture.sweeps, capture.failed_sweeps), (2, 1));
    assert_eq!(capture.checks_waiting, 2, "each sweep has sent one message with every user");
    world.settle().await;
    world.end().await;
}
