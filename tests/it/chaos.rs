//! Everything at once: 200 people change their photos 1,000 times while notifications are lost, doubled and shuffled,
//! Graph throttles, fails and cuts connections, and both programs are killed at random. Then it is quiet, everybody is
//! looked at once more, as the sweep does, and all of it must have converged.
//!
//! What happens follows from a seed, which is printed; when it happens is up to the machine.

use std::time::Duration;

use fastrand::Rng;
use graph_sim::{Fault, FaultRule, PatternScope, RequestPattern, RetryAfter};
use photorelay_core::contract::{EntryKind, FetchPolicy};
use photorelay_core::id::UserId;
use photorelay_core::names::{CHECKS_QUEUE, WRITEBACKS_QUEUE};
use testkit::chaos::small_pictures;
use testkit::process::{Program, Variables, embedded, keep_sweeps_out, until};
use testkit::world::{Setup, World, guid};

use crate::proxy::Proxy;

const PEOPLE: usize = 200;
const CHANGES: usize = 1_000;
/// So many times each program is killed.
const KILLS: usize = 10;
const PACE: Duration = Duration::from_millis(10);
/// With so many checks waiting, no more changes are made for a while.
const BACKLOG: u64 = 40;

mod on_embedded {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn everything_goes_wrong_at_once_and_the_trail_is_right_in_the_end() {
        super::everything_goes_wrong_at_once(testkit::chaos::seed()).await;
    }
}

async fn everything_goes_wrong_at_once(seed: u64) {
    println!("PHOTORELAY_TEST_SEED={seed}");
    let mut dice = Rng::with_seed(seed);
    let pictures = small_pictures();
    let sim = graph_sim::SimConfig {
        seed,
        users: PEOPLE,
        photos: Some(pictures.path().to_owned()),
        ..graph_sim::SimConfig::default()
    };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let people: Vec<UserId> = (0..PEOPLE).map(|at| world.user(at)).collect();
    let mut programs = Programs::start(&world).await;
    go_wrong(&world, seed);

    let mut deaths: Vec<usize> = (0..KILLS * 2).map(|_| dice.usize(1..CHANGES)).collect();
    deaths.sort_unstable();
    let mut pace = tokio::time::interval(PACE);
    for change in 0..CHANGES {
        pace.tick().await;
        if change % 20 == 0 {
            // People do not wait, but photos that nobody had time to look at test nothing.
            programs.function.brings("a shorter queue of checks", is_below(&world, CHECKS_QUEUE, BACKLOG)).await;
        }
        let user = guid(people[dice.usize(..PEOPLE)]);
        match dice.u8(..10) {
            0 => world.sim.tenant().upload_again(user).unwrap(),
            _ => world.sim.tenant().change_photo(user).unwrap(),
        }
        if dice.u8(..4) == 0 {
            world.sim.tenant().touch(guid(people[dice.usize(..PEOPLE)])).unwrap();
        }
        for (at, _) in deaths.iter().enumerate().filter(|(_, death)| **death == change) {
            programs.die_and_come_back(&world, at % 2 == 0).await;
        }
    }

    world.sim.clear_faults();
    keep_sweeps_out(&world.sim);
    world.sim.set(|settings| *settings = graph_sim::SimSettings::default());
    programs.function.brings("the rest of the notifications", world.sim.flush()).await;
    world.check(&people, FetchPolicy::Always).await;
    programs.function.brings("an empty queue of checks", is_below(&world, CHECKS_QUEUE, 1)).await;
    programs.agent.brings("an empty queue of write-backs", is_below(&world, WRITEBACKS_QUEUE, 1)).await;
    programs.function.kill().await;
    programs.agent.kill().await;
    println!("{:?}, {} requests", world.sim.notification_tally(), world.sim.requests().entries.len());

    let mut entries = 0;
    for user in people {
        entries += has_converged(&world, user).await;
    }
    println!("{entries} entries for {PEOPLE} people");
    assert!(entries > PEOPLE, "the test has to change something");
    world.end().await;
}

/// The function app and the agent, with an address that stays while processes come and go.
struct Programs {
    function: Program,
    agent: Program,
    webhook: Proxy,
}

impl Programs {
    async fn start(world: &World) -> Self {
        let webhook = Proxy::before(None).await;
        let function = Self::function(world, &webhook).await;
        // The subscription, which needs a quiet moment; the timer would come an hour later.
        function.brings("a subscription", until(|| async { world.sim.subscriptions().len() == 1 })).await;
        Self { function, agent: Self::agent(world), webhook }
    }

    async fn function(world: &World, webhook: &Proxy) -> Program {
        let more: Variables = vec![
            ("PHOTORELAY_PUBLIC_URL", webhook.url().to_string()),
            ("PHOTORELAY_CAPTURES_PER_DAY", CHANGES.to_string()),
        ];
        let function = Program::photorelay(&world.sim, &embedded(world.dir()), &more);
        webhook.lead_to(Some(function.address().await));
        function
    }

    fn agent(world: &World) -> Program {
        Program::agent(world, &embedded(world.dir()))
    }

    async fn die_and_come_back(&mut self, world: &World, function: bool) {
        if function {
            self.webhook.lead_to(None);
            self.function.kill().await;
            self.function = Self::function(world, &self.webhook).await;
        } else {
            self.agent.kill().await;
            self.agent = Self::agent(world);
        }
    }
}

fn go_wrong(world: &World, seed: u64) {
    world.sim.set(|settings| {
        settings.delay_ms = [0, 200_000];
        settings.loss = 0.2;
        settings.duplicates = 0.2;
        settings.reorder = true;
        settings.items_per_post = [1, 4];
        settings.latency_ms = [0, 20];
        settings.etags_return = seed.is_multiple_of(2);
    });
    keep_sweeps_out(&world.sim);
    let everything = || RequestPattern { method: None, path: "/v1.0/*".to_owned(), scope: PatternScope::Any };
    let requests = || everything().within(PatternScope::Requests);
    let status =
        |status: u16, code: &str| Fault::Status { status, code: code.to_owned(), retry_after: RetryAfter::Absent };
    for (calls, fault, probability) in [
        (everything(), Fault::Throttled { retry_after: RetryAfter::Seconds(1) }, 0.01),
        (everything(), Fault::Throttled { retry_after: RetryAfter::Fraction(0.2) }, 0.01),
        (everything(), Fault::Throttled { retry_after: RetryAfter::Absent }, 0.01),
        (everything(), status(503, "serviceNotAvailable"), 0.02),
        (everything(), status(504, "UnknownError"), 0.01),
        (requests(), Fault::CutBody, 0.02),
        // Half a photo in a whole answer cannot be told from a bad photo, and is refused; half of a batch can.
        (RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests), Fault::Truncated, 0.01),
        (everything(), Fault::Latency { ms: 200 }, 0.02),
    ] {
        world.sim.add_fault(FaultRule::new(calls, fault).probability(probability));
    }
}

/// Whatever was shown between, the trail of this person tells it in order, ends with what is shown now, and the target
/// shows the same. Returns how many entries there are.
async fn has_converged(world: &World, user: UserId) -> usize {
    let trail = world.trail(user).await;
    for committed in &trail {
        let entry = &committed.entry;
        assert_eq!(entry.kind, EntryKind::Captured, "{user}: {:?}", entry.reason);
    }
    let seen: Vec<String> = trail.iter().map(|committed| committed.entry.seen.sha256.unwrap().to_string()).collect();
    let history: Vec<String> = world.sim.tenant().history(guid(user)).iter().filter_map(|was| was.sha256()).collect();
    assert_eq!(seen.last(), history.last(), "{user}: the newest entry is what is shown");
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{user}: the same photo twice in a row");
    let mut later = history.iter();
    assert!(seen.iter().all(|saw| later.any(|was| was == saw)), "{user}: {seen:?} is not in the order of {history:?}");
    assert!(world.shows_newest(user).await, "{user}: the target does not show the newest entry");
    let shown = world.sim.tenant().shown(guid(user)).unwrap();
    let head = world.head(user).await.unwrap();
    assert_eq!((head.seq as usize, head.media_etag), (trail.len(), Some(shown.media_etag)), "{user}");
    for committed in &trail {
        assert!(
            world.receipt(user, committed.entry.seq).await.is_some(),
            "{user}: entry {} has no receipt",
            committed.entry.seq
        );
    }
    trail.len()
}

async fn is_below(world: &World, queue: &str, messages: u64) {
    until(|| async { world.storage().queues.count(queue).await.unwrap() < messages }).await;
}
