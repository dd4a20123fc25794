//! The promise of the sweep: whatever was lost, unreachable, forgotten or killed before, after one sweep that came to
//! its end, and the checks that it asked for, the trail says for everybody what Graph shows, and nothing twice.
//!
//! The real program runs and dies. What happens follows from a seed; when it happens is up to the machine.

use std::time::Duration;

use fastrand::Rng;
use graph_sim::{Fault, FaultRule, HoldPoint, PatternScope, RequestPattern, RetryAfter};
use photorelay_core::contract::EntryKind;
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use testkit::chaos::small_pictures;
use testkit::process::{Program, Variables, embedded, until};
use testkit::world::{Setup, World, guid};

use crate::proxy::Proxy;

/// Three `$batch` requests of the sweep.
const PEOPLE: usize = 50;
const CHANGES_PER_ROUND: usize = 30;
const PACE: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_went_wrong_trail_and_graph_agree_after_the_next_sweep() {
    // Each round loses such a share of the notifications. Both kinds of tenants: ETags that come back with a photo, and
    // ETags that never do.
    everything_goes_wrong(20_260_524, &[0.0, 0.5, 1.0]).await;
    everything_goes_wrong(20_260_525, &[0.3, 0.9]).await;
}

async fn everything_goes_wrong(seed: u64, losses: &[f64]) {
    println!("seed {seed}");
    let mut dice = Rng::with_seed(seed);
    let pictures = small_pictures();
    let sim = graph_sim::SimConfig {
        seed,
        users: PEOPLE,
        with_photo: 0.5,
        photos: Some(pictures.path().to_owned()),
        ..graph_sim::SimConfig::default()
    };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| {
        settings.etags_return = seed.is_multiple_of(2);
        // Graph gives a notification up after four hours; here after less than a second.
        settings.time_scale = 0.000_05;
        settings.delta_page = 30;
        settings.delta_replays = 0.2;
        settings.delta_empty_pages = 0.2;
    });
    let storage = embedded(world.dir());
    let webhook = Proxy::before(None).await;
    let mut function = start(&world, &webhook, &storage).await;
    function.brings("a subscription", until(|| async { world.sim.subscriptions().len() == 1 })).await;

    let mut pace = tokio::time::interval(PACE);
    for &loss in losses {
        world.sim.set(|settings| settings.loss = loss);
        throttle_and_fail(&world);
        let downtime = dice.usize(..CHANGES_PER_ROUND / 2)..dice.usize(CHANGES_PER_ROUND / 2..CHANGES_PER_ROUND);
        let death = dice.usize(..CHANGES_PER_ROUND);
        for change in 0..CHANGES_PER_ROUND {
            pace.tick().await;
            if change == downtime.start {
                webhook.lead_to(None);
            }
            if change == death {
                function.kill().await;
                function = start(&world, &webhook, &storage).await;
            }
            if change == downtime.end {
                // What Graph still wants to tell of that time is given up or lost before the webhook is back.
                webhook.lead_to(Some(function.address().await));
            }
            change_something(&world, &mut dice);
        }
        if dice.bool() {
            world.sim.set(|settings| settings.delta_generation += 1);
        }

        // Sweeps that die, at whatever request, while people change their photos.
        for _ in 0..2 {
            let hold =
                world.sim.hold(any_request(&mut dice), if dice.bool() { HoldPoint::Before } else { HoldPoint::After });
            let mut sweep = Program::sweep(&world.sim, &storage);
            sweep.brings("a request to Graph", hold.arrived()).await;
            change_something(&world, &mut dice);
            if dice.bool() {
                function.kill().await;
                function = start(&world, &webhook, &storage).await;
            }
            sweep.kill_if_running().await;
        }

        // The next one lives, though photos still change while it begins.
        world.sim.clear_faults();
        let hold = world.sim.hold(RequestPattern::new("POST", "/v1.0/$batch"), HoldPoint::After);
        let mut sweep = Program::sweep(&world.sim, &storage);
        sweep.brings("the first answer", hold.arrived()).await;
        change_something(&world, &mut dice);
        drop(hold);
        sweep.ends_well().await;
        assert_agreement(&world, &function, &storage).await;
    }
    function.kill().await;
    world.end_with_leftovers().await;
}

/// After one more sweep that nothing disturbs.
async fn assert_agreement(world: &World, function: &Program, storage: &Variables) {
    world.sim.set(|settings| settings.loss = 1.0);
    Program::sweep(&world.sim, storage).ends_well().await;
    let is_done = || async { world.storage().queues.count(CHECKS_QUEUE).await.unwrap() == 0 };
    function.brings("an empty queue of checks", until(is_done)).await;
    for id in world.sim.tenant().user_ids() {
        let user = UserId::from_uuid(id);
        let trail = world.trail(user).await;
        assert!(trail.iter().all(|committed| committed.entry.kind == EntryKind::Captured), "{user}");
        let seen: Vec<String> =
            trail.iter().map(|committed| committed.entry.seen.sha256.unwrap().to_string()).collect();
        let shown = world.sim.tenant().shown(guid(user)).unwrap();
        assert_eq!(seen.last(), shown.sha256().as_ref(), "{user}: the trail ends with what Graph shows");
        // Nobody goes back to an earlier picture in this test, so each stands in the trail once, in the order of Graph.
        let history: Vec<String> = world.sim.tenant().history(id).iter().filter_map(|was| was.sha256()).collect();
        let mut later = history.iter();
        for (at, saw) in seen.iter().enumerate() {
            assert!(!seen[..at].contains(saw), "{user}: {saw} is committed twice: {seen:?}");
            assert!(later.any(|was| was == saw), "{user}: {seen:?} is not in the order of {history:?}");
        }
    }
}

async fn start(world: &World, webhook: &Proxy, storage: &Variables) -> Program {
    let more =
        vec![("PHOTORELAY_PUBLIC_URL", webhook.url().to_string()), ("PHOTORELAY_CAPTURES_PER_DAY", "1000".to_owned())];
    let function = Program::photorelay(&world.sim, storage, &more);
    webhook.lead_to(Some(function.address().await));
    function
}

/// Mostly another photo; sometimes the same one again, somebody new, or something that has nothing to do with photos.
fn change_something(world: &World, dice: &mut Rng) {
    let tenant = world.sim.tenant();
    let people = tenant.user_ids();
    let user = people[dice.usize(..people.len())];
    match dice.u8(..12) {
        0 => drop(tenant.add_user()),
        1 => tenant.touch(user).unwrap(),
        2 if tenant.photo(user).is_some() => tenant.upload_again(user).unwrap(),
        _ => tenant.change_photo(user).unwrap(),
    }
}

fn any_request(dice: &mut Rng) -> RequestPattern {
    match dice.u8(..3) {
        0 => RequestPattern::new("GET", "/v1.0/users/delta"),
        1 => RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests),
        _ => RequestPattern::new("GET", "/v1.0/users/*/photo").within(PatternScope::BatchItems),
    }
}

fn throttle_and_fail(world: &World) {
    let everything = || RequestPattern { method: None, path: "/v1.0/*".to_owned(), scope: PatternScope::Any };
    let unavailable =
        Fault::Status { status: 503, code: "serviceNotAvailable".to_owned(), retry_after: RetryAfter::Absent };
    for fault in [Fault::Throttled { retry_after: RetryAfter::Fraction(0.05) }, unavailable] {
        world.sim.add_fault(FaultRule::new(everything(), fault).probability(0.02));
    }
    world.sim.add_fault(FaultRule::new(everything().within(PatternScope::Requests), Fault::CutBody).probability(0.01));
    world.sim.add_fault(FaultRule::new(everything(), Fault::Latency { ms: 20 }).probability(0.05));
}
