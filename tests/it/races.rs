//! Two workers look at one person at the same time, and two agents work on one queue: the trail comes out right.
//!
//! The simulator holds an answer that one worker is waiting for while the other goes the whole way, so that every
//! interleaving here is the one that is named, and none is left to chance.

use axum::http::Method;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use graph_sim::{HoldPoint, PatternScope, RequestHold, RequestPattern};
use photorelay::app::App;
use photorelay::config::AppConfig;
use photorelay::jobs::propagate::Handled;
use photorelay_agent::agent::Agent;
use photorelay_core::contract::{self, Cause, CauseKind, CheckMessage, EntryKind, FetchPolicy, Outcome, V1};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::WRITEBACKS_QUEUE;
use testkit::agent::AgentBuilder;
use testkit::azurite;
use testkit::on_every_store;
use testkit::world::{Setup, Store, World, configuration, fixture, guid};
use tokio::task::JoinHandle;
use url::Url;

use crate::proxy::Proxy;

on_every_store!(
    two_workers_that_fetched_the_same_photo_commit_it_once,
    two_workers_that_fetched_different_photos_commit_what_is_shown_last,
    a_photo_that_is_gone_again_when_its_worker_goes_on_is_followed_by_the_one_shown,
    a_worker_that_was_overtaken_twice_commits_nothing,
    what_a_worker_was_told_before_another_committed_is_not_believed,
    a_slow_worker_that_overwrites_the_head_last_costs_a_look_and_nothing_else,
    two_agents_on_one_queue_leave_the_newest_photo_and_one_receipt_for_each_entry,
);

/// A world with a second worker on the same storage.
struct Race {
    world: World,
    other: App,
    user: UserId,
}

/// A worker that waits for an answer of Graph.
struct Held {
    hold: RequestHold,
    worker: JoinHandle<Handled>,
}

impl Race {
    /// The first photo has gone the whole way.
    async fn start(store: Store, etags_return: bool) -> Self {
        let sim = graph_sim::SimConfig { users: 1, ..Default::default() };
        let world = World::with(Setup { store, sim, subscribe: false, ..Setup::default() }).await;
        world.sim.set(|settings| settings.etags_return = etags_return);
        let mut config: AppConfig = configuration(&world.sim, world.dir(), world.url.clone());
        if let Some(azurite) = &world.azurite {
            config.storage = azurite.settings();
        }
        let other = App::build(&config).await.unwrap();
        let user = world.user(0);
        let race = Self { world, other, user };
        race.show(A);
        race.look(&race.world.app).await;
        race.world.settle().await;
        race
    }

    fn show(&self, photo: &str) {
        let content_type = if photo.ends_with(".png") { "image/png" } else { "image/jpeg" };
        self.world.sim.tenant().set_raw_photo(guid(self.user), fixture(photo), content_type).unwrap();
    }

    /// One worker looks at the person, from the first to the last step.
    async fn look(&self, worker: &App) -> Handled {
        worker.propagate.handle(&check(self.user), 1).await.unwrap()
    }

    /// The first worker looks until Graph has carried out this call, and waits for the answer.
    async fn held_after(&self, method: &str, path: &str) -> Held {
        let path = path.replace("{user}", &self.user.to_string());
        let calls = RequestPattern::new(method, &path).within(PatternScope::Requests);
        let hold = self.world.sim.hold(calls, HoldPoint::After);
        let (propagate, body) = (self.world.app.propagate.clone(), check(self.user));
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let worker = tokio::spawn(async move { propagate.handle(&body, 1).await.unwrap() });
        hold.arrived().await;
        Held { hold, worker }
    }

    async fn seen(&self) -> Vec<Digest> {
        let trail = self.world.trail(self.user).await;
        assert!(trail.iter().all(|committed| committed.entry.kind == EntryKind::Captured));
        trail.iter().map(|committed| committed.entry.seen.sha256.unwrap()).collect()
    }

    /// Looks once more, as the sweep does, and asserts that the trail then is just this and everything agrees with it.
    /// Boxed, because it holds a whole system.
    fn ends_with<const N: usize>(self, photos: [&'static str; N]) -> LocalBoxFuture<'static, ()> {
        let ending = async move {
            self.look(&self.other).await;
            let Self { world, user, .. } = &self;
            world.settle().await;
            assert_eq!(self.seen().await, photos.map(|photo| Digest::of(&fixture(photo))));
            let shown = world.sim.tenant().shown(guid(*user)).unwrap();
            let head = world.head(*user).await.unwrap();
            assert_eq!((head.seq as usize, head.media_etag.as_deref()), (N, Some(shown.media_etag.as_str())));
            assert!(world.shows_newest(*user).await);
            for seq in 1..=N as u32 {
                assert!(world.receipt(*user, seq).await.is_some(), "entry {seq} has no receipt");
            }
            self.world.end().await;
        };
        ending.boxed_local()
    }
}

impl Held {
    async fn goes_on(self) -> Handled {
        self.hold.release();
        self.worker.await.unwrap()
    }
}

const A: &str = "astronaut-240.jpg";
const B: &str = "cat-432-alpha.png";
const C: &str = "coffee-504-cmyk.jpg";
const BYTES: &str = "/v1.0/users/{user}/photo/$value";
const METADATA: &str = "/v1.0/users/{user}/photo";

fn check(user: UserId) -> Vec<u8> {
    let cause = Cause::new(CauseKind::Operator, "race");
    let message = CheckMessage {
        v: V1,
        cause,
        users: vec![user],
        fetch_policy: FetchPolicy::IfChanged,
        attempt: 0,
        absence: None,
        traceparent: None,
    };
    contract::to_bytes(&message)
}

async fn two_workers_that_fetched_the_same_photo_commit_it_once(store: Store) {
    for etags_return in [false, true] {
        let race = Race::start(store, etags_return).await;
        race.show(B);
        let slow = race.held_after("GET", BYTES).await;
        assert_eq!(race.look(&race.other).await.captured, 1);
        assert_eq!(slow.goes_on().await.captured, 0);
        race.ends_with([A, B]).await;
    }
}

async fn two_workers_that_fetched_different_photos_commit_what_is_shown_last(store: Store) {
    for etags_return in [false, true] {
        let race = Race::start(store, etags_return).await;
        race.show(B);
        let slow = race.held_after("GET", BYTES).await;
        race.show(C);
        assert_eq!(race.look(&race.other).await.captured, 1);
        // What it holds is older than entry 2, and must not become entry 3.
        assert_eq!(slow.goes_on().await.captured, 0);
        race.ends_with([A, C]).await;
    }
}

async fn a_photo_that_is_gone_again_when_its_worker_goes_on_is_followed_by_the_one_shown(store: Store) {
    for etags_return in [false, true] {
        let race = Race::start(store, etags_return).await;
        race.show(B);
        let slow = race.held_after("GET", BYTES).await;
        race.show(A);
        // With an ETag that comes back, the other sees nothing new at all; otherwise the same bytes.
        assert_eq!(race.look(&race.other).await.captured, 0);
        slow.goes_on().await;
        race.ends_with([A, B, A]).await;
    }
}

async fn a_worker_that_was_overtaken_twice_commits_nothing(store: Store) {
    for etags_return in [false, true] {
        let race = Race::start(store, etags_return).await;
        race.show(B);
        let slow = race.held_after("GET", BYTES).await;
        assert_eq!(race.look(&race.other).await.captured, 1);
        race.show(A);
        assert_eq!(race.look(&race.other).await.captured, 1);
        assert_eq!(slow.goes_on().await.captured, 0);
        race.ends_with([A, B, A]).await;
    }
}

async fn what_a_worker_was_told_before_another_committed_is_not_believed(store: Store) {
    for etags_return in [false, true] {
        let race = Race::start(store, etags_return).await;
        race.show(B);
        let slow = race.held_after("POST", "/v1.0/$batch").await;
        race.show(C);
        assert_eq!(race.look(&race.other).await.captured, 1);
        race.show(B);
        assert_eq!(race.look(&race.other).await.captured, 1);
        assert_eq!(slow.goes_on().await.captured, 0);
        race.ends_with([A, C, B]).await;
    }
}

async fn a_slow_worker_that_overwrites_the_head_last_costs_a_look_and_nothing_else(store: Store) {
    for etags_return in [false, true] {
        let race = Race::start(store, etags_return).await;
        race.show(B);
        let slow = race.held_after("GET", METADATA).await;
        race.show(C);
        assert_eq!(race.look(&race.other).await.captured, 1);
        assert_eq!(race.world.head(race.user).await.unwrap().seq, 3);
        slow.goes_on().await;
        assert_eq!(race.world.head(race.user).await.unwrap().seq, 2, "the head is the slow worker's by now");
        // An ETag that comes back is now just what that head says.
        race.show(B);
        race.ends_with([A, B, C, B]).await;
    }
}

async fn two_agents_on_one_queue_leave_the_newest_photo_and_one_receipt_for_each_entry(store: Store) {
    let world = World::with(Setup { store, subscribe: false, ..Setup::default() }).await;
    let people: Vec<UserId> = (0..3).map(|at| world.user(at)).collect();
    for photo in [A, B, C] {
        for user in &people {
            world.sim.tenant().set_raw_photo(guid(*user), fixture(photo), "image/jpeg").unwrap();
        }
        // Twice: announcing again is harmless.
        for _ in 0..2 {
            world.check(&people, FetchPolicy::IfChanged).await;
            world.app.pump.drain().await.unwrap();
        }
    }
    let other = world.agent_builder().build();
    let (first, second) = tokio::join!(world.agent.drain(), other.drain());
    first.and(second).unwrap();
    for user in people {
        assert!(world.shows_newest(user).await);
        let mut outcomes = Vec::new();
        for seq in 1..=3 {
            outcomes.push(world.receipt(user, seq).await.unwrap().outcome);
        }
        assert_eq!(outcomes[..2], [Outcome::Superseded, Outcome::Superseded]);
        // One agent may find what the other has just written, and be the first to leave the receipt.
        assert!(matches!(outcomes[2], Outcome::Written | Outcome::Unchanged), "{outcomes:?}");
    }
    world.end().await;
}

mod agents_on_azurite {
    use super::*;

    #[tokio::test]
    async fn a_slow_agent_never_puts_an_older_photo_back() {
        let race = Race::start(Store::Azurite, false).await;
        let (world, azurite) = (&race.world, race.world.azurite.as_ref().unwrap());
        let address = |url: &Url| url.socket_addrs(|| None).unwrap().pop();
        let blob = Proxy::before(address(&azurite.blob)).await;
        let settings = azurite::settings(&blob.of(&azurite.blob), &azurite.queue);
        let storage = photorelay::app::open_storage(&settings, &world.url).await.unwrap();
        let slow: Agent = AgentBuilder::with_folder(&storage, world.tenant_id(), &world.dir().join("written")).build();

        race.show(B);
        race.look(&race.other).await;
        let photo = format!("/devstoreaccount1/photos/{}/*", race.user);
        let hold = blob.hold(&Method::GET, &photo, HoldPoint::After, 0);
        #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
        let slow = tokio::spawn(async move { slow.drain().await.unwrap() });
        hold.arrived().await;
        assert_eq!(world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap(), 1);

        // It has entry 2 in its hands when entry 3 is committed and written by somebody else.
        race.show(C);
        race.look(&race.other).await;
        world.agent.drain().await.unwrap();
        assert!(world.shows_newest(race.user).await);
        drop(hold);
        slow.await.unwrap();
        assert!(world.shows_newest(race.user).await, "the older photo did not come back");
        assert_eq!(world.receipt(race.user, 2).await.unwrap().outcome, Outcome::Superseded);
        race.ends_with([A, B, C]).await;
    }
}
