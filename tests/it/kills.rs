//! The program is killed between any two of its steps, comes back, and nothing is lost, doubled or broken.
//!
//! A proxy or the simulator holds the named request at the wire; then comes SIGKILL. The shipped program has no places
//! made for dying. Every point is died at twice: once nothing else happens, and once the person goes back to the photo
//! before while the program is dead, with the ETag that this photo had before.

use std::time::Duration;

use axum::http::Method;
use graph_sim::{HoldPoint, PatternScope, RequestPattern};
use photorelay_core::contract::{EntryKind, FetchPolicy, Outcome};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{CHECKS_QUEUE, WRITEBACKS_QUEUE};
use testkit::process::{Program, Variables, azure, keep_sweeps_out, until};
use testkit::world::{Setup, Store, World, fixture, guid};
use url::Url;

use crate::proxy::Proxy;

/// A request at which the program dies.
enum At {
    /// A request to Graph, or an item of a batch; `{user}` in the path stands for the person.
    Graph(&'static str, &'static str, PatternScope, HoldPoint),
    /// A request to the blob service, below the account.
    Blob(Method, &'static str, HoldPoint),
    /// A request to the queue service, below the account.
    Queue(Method, &'static str, HoldPoint),
}

/// Whether the photo is in the trail when the program dies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Photo {
    NotCommitted,
    Committed,
}

macro_rules! killed {
    ($($name:ident: $at:expr, $photo:ident;)*) => {
        mod on_azurite {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                dies_and_comes_back($at, Photo::$photo).await;
            })*
        }
    };
}

killed! {
    before_the_batch_is_asked: At::Graph("POST", "/v1.0/$batch", PatternScope::Requests, HoldPoint::Before), NotCommitted;
    after_the_batch_was_answered: At::Graph("POST", "/v1.0/$batch", PatternScope::Requests, HoldPoint::After), NotCommitted;
    while_the_head_is_read: At::Blob(Method::GET, "state/users/{user}.json", HoldPoint::Before), NotCommitted;
    while_the_trail_is_read: At::Blob(Method::GET, "audit/{user}/*", HoldPoint::After), NotCommitted;
    while_the_person_is_looked_up: At::Graph("GET", "/v1.0/users/{user}", PatternScope::BatchItems, HoldPoint::Before), NotCommitted;
    after_the_person_was_looked_up: At::Graph("GET", "/v1.0/users/{user}", PatternScope::BatchItems, HoldPoint::After), NotCommitted;
    while_the_photo_is_fetched: At::Graph("GET", "/v1.0/users/{user}/photo/$value", PatternScope::Requests, HoldPoint::Before), NotCommitted;
    after_the_photo_was_fetched: At::Graph("GET", "/v1.0/users/{user}/photo/$value", PatternScope::Requests, HoldPoint::After), NotCommitted;
    before_the_photo_is_stored: At::Blob(Method::PUT, "photos/{user}/*", HoldPoint::Before), NotCommitted;
    after_the_photo_was_stored: At::Blob(Method::PUT, "photos/{user}/*", HoldPoint::After), NotCommitted;
    before_the_rendition_is_stored: At::Blob(Method::PUT, "photos/{user}/*/thumbnailPhoto-*", HoldPoint::Before), NotCommitted;
    after_the_rendition_was_stored: At::Blob(Method::PUT, "photos/{user}/*/thumbnailPhoto-*", HoldPoint::After), NotCommitted;
    before_the_commit: At::Blob(Method::PUT, "audit/{user}/*", HoldPoint::Before), NotCommitted;
    after_the_commit_and_before_its_answer: At::Blob(Method::PUT, "audit/{user}/*", HoldPoint::After), Committed;
    before_the_write_back_is_sent: At::Queue(Method::POST, "photo-writebacks/messages", HoldPoint::Before), Committed;
    after_the_write_back_was_sent: At::Queue(Method::POST, "photo-writebacks/messages", HoldPoint::After), Committed;
    before_the_photo_is_confirmed: At::Graph("GET", "/v1.0/users/{user}/photo", PatternScope::Requests, HoldPoint::Before), Committed;
    after_the_photo_was_confirmed: At::Graph("GET", "/v1.0/users/{user}/photo", PatternScope::Requests, HoldPoint::After), Committed;
    before_the_head_is_written: At::Blob(Method::PUT, "state/users/{user}.json", HoldPoint::Before), Committed;
    after_the_head_was_written: At::Blob(Method::PUT, "state/users/{user}.json", HoldPoint::After), Committed;
    before_the_message_is_deleted: At::Queue(Method::DELETE, "photo-checks/messages/*", HoldPoint::Before), Committed;
    after_the_message_was_deleted: At::Queue(Method::DELETE, "photo-checks/messages/*", HoldPoint::After), Committed;
}

macro_rules! agent_killed {
    ($($name:ident: $at:expr, $pass:expr;)*) => {
        mod agent_on_azurite {
            use super::*;

            $(#[tokio::test]
            async fn $name() {
                agent_dies_and_comes_back($at, $pass).await;
            })*
        }
    };
}

agent_killed! {
    after_the_target_was_read: At::Blob(Method::GET, "audit", HoldPoint::Before), 0;
    after_the_trail_was_listed: At::Blob(Method::GET, "audit", HoldPoint::After), 0;
    before_the_target_is_written: At::Blob(Method::GET, "photos/{user}/*", HoldPoint::After), 0;
    after_the_target_was_written: At::Blob(Method::GET, "audit", HoldPoint::Before), 1;
    before_the_receipt_is_left: At::Blob(Method::PUT, "receipts/{user}/*", HoldPoint::Before), 0;
    after_the_receipt_was_left: At::Blob(Method::PUT, "receipts/{user}/*", HoldPoint::After), 0;
    before_the_item_is_deleted: At::Queue(Method::DELETE, "photo-writebacks/messages/*", HoldPoint::Before), 0;
    after_the_item_was_deleted: At::Queue(Method::DELETE, "photo-writebacks/messages/*", HoldPoint::After), 0;
}

/// What a program sees of Azurite: a proxy before each of its services.
struct Wire {
    blob: Proxy,
    queue: Proxy,
    storage: Variables,
}

impl Wire {
    async fn before(world: &World) -> Self {
        let azurite = world.azurite.as_ref().unwrap();
        let address = |url: &Url| url.socket_addrs(|| None).unwrap().pop();
        let blob = Proxy::before(address(&azurite.blob)).await;
        let queue = Proxy::before(address(&azurite.queue)).await;
        let storage = azure(&blob.of(&azurite.blob), &queue.of(&azurite.queue));
        Self { blob, queue, storage }
    }

    /// Starts a program, kills it at this point, and makes sure that the held request comes to nothing more.
    async fn kills(&self, world: &World, user: UserId, at: &At, pass: usize, start: impl Fn() -> Program) {
        let below_account = |path: &str| format!("/devstoreaccount1/{}", path.replace("{user}", &user.to_string()));
        match at {
            At::Graph(method, path, scope, point) => {
                let calls = RequestPattern::new(method, &path.replace("{user}", &user.to_string())).within(*scope);
                let hold = world.sim.hold(calls, *point);
                let mut program = start();
                program.brings("the request to Graph", hold.arrived()).await;
                program.kill().await;
            }
            At::Blob(method, path, point) | At::Queue(method, path, point) => {
                let proxy = if matches!(at, At::Blob(..)) { &self.blob } else { &self.queue };
                let hold = proxy.hold(method, &below_account(path), *point, pass);
                let mut program = start();
                program.brings("the request to the storage", hold.arrived()).await;
                program.kill().await;
                hold.cut();
            }
        }
    }
}

async fn dies_and_comes_back(at: At, photo: Photo) {
    let (world, user) = one_person(PHOTOS[0]).await;
    let wire = Wire::before(&world).await;
    let start = || Program::photorelay(&world.sim, &wire.storage, &Variables::new());
    let [astronaut, cat, coffee] = PHOTOS.map(|name| Digest::of(&fixture(name)));

    // Nothing else happens while it is dead.
    show(&world, user, PHOTOS[1]);
    world.check(&[user], FetchPolicy::IfChanged).await;
    wire.kills(&world, user, &at, 0, start).await;
    comes_back(&world, CHECKS_QUEUE, start).await;
    world.agent.drain().await.unwrap();
    assert_eq!(seen(&world, user).await, [astronaut, cat]);
    assert_eq!(world.receipt(user, 2).await.unwrap().outcome, Outcome::Written);
    is_at_rest(&world, user).await;

    // The person goes back to the photo before while it is dead, and the ETag comes back with it.
    show(&world, user, PHOTOS[2]);
    world.check(&[user], FetchPolicy::IfChanged).await;
    wire.kills(&world, user, &at, 0, start).await;
    show(&world, user, PHOTOS[1]);
    world.check(&[user], FetchPolicy::IfChanged).await;
    comes_back(&world, CHECKS_QUEUE, start).await;
    world.agent.drain().await.unwrap();
    match photo {
        Photo::NotCommitted => assert_eq!(seen(&world, user).await, [astronaut, cat]),
        Photo::Committed => assert_eq!(seen(&world, user).await, [astronaut, cat, coffee, cat]),
    }
    is_at_rest(&world, user).await;
    world.end().await;
}

async fn agent_dies_and_comes_back(at: At, pass: usize) {
    let (world, user) = one_person(PHOTOS[1]).await;
    let wire = Wire::before(&world).await;
    let start = || Program::agent(&world, &wire.storage);

    // The trail stays as it is while the agent is dead.
    show(&world, user, PHOTOS[0]);
    world.check(&[user], FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
    wire.kills(&world, user, &at, pass, start).await;
    comes_back(&world, WRITEBACKS_QUEUE, start).await;
    is_at_rest(&world, user).await;

    // What was written comes back through Entra Connect: whenever the agent died, it left a receipt that proves it.
    show(&world, user, ECHO);
    world.check(&[user], FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
    assert_eq!(seen(&world, user).await.len(), 2, "an echo is no entry");

    // A newer entry comes while the agent is dead.
    show(&world, user, PHOTOS[2]);
    world.check(&[user], FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
    wire.kills(&world, user, &at, pass, start).await;
    show(&world, user, PHOTOS[0]);
    world.check(&[user], FetchPolicy::IfChanged).await;
    world.app.pump.drain().await.unwrap();
    comes_back(&world, WRITEBACKS_QUEUE, start).await;
    assert_eq!(seen(&world, user).await.len(), 4);
    is_at_rest(&world, user).await;
    world.end().await;
}

/// The first photo of [`PHOTOS`] in the size of the directory, with other bytes than our own.
const ECHO: &str = "astronaut-96-reencoded.jpg";

/// Small, and still larger than what the directory is given.
const PHOTOS: [&str; 3] = ["astronaut-240.jpg", "cat-432-alpha.png", "coffee-504-cmyk.jpg"];

/// One person whose first photo has gone the whole way.
async fn one_person(photo: &str) -> (World, UserId) {
    let sim = graph_sim::SimConfig { users: 1, ..Default::default() };
    let world = World::with(Setup { store: Store::Azurite, sim, subscribe: false, ..Setup::default() }).await;
    world.sim.set(|settings| settings.etags_return = true);
    keep_sweeps_out(&world.sim);
    let user = world.user(0);
    show(&world, user, photo);
    world.check(&[user], FetchPolicy::IfChanged).await;
    world.settle().await;
    (world, user)
}

pub(crate) fn show(world: &World, user: UserId, photo: &str) {
    let content_type = if photo.ends_with(".png") { "image/png" } else { "image/jpeg" };
    world.sim.tenant().set_raw_photo(guid(user), fixture(photo), content_type).unwrap();
}

/// Starts the program again when the message of the dead one can be seen, and kills it when its queue is empty.
async fn comes_back(world: &World, queue: &str, start: impl Fn() -> Program) {
    let queues = &world.storage().queues;
    // A program that finds nothing waits a while before it looks again.
    let visible = until(|| async { queues.count(queue).await.unwrap() == 0 || all_visible(world, queue).await });
    tokio::time::timeout(Duration::from_secs(30), visible).await.expect("leases run out");
    let mut program = start();
    program.brings("an empty queue", until(|| async { queues.count(queue).await.unwrap() == 0 })).await;
    program.kill().await;
}

/// Whether no message of the queue is hidden. Looking does not lease them.
async fn all_visible(world: &World, queue: &str) -> bool {
    let mut url = world.azurite.as_ref().unwrap().queue.clone();
    url.path_segments_mut().unwrap().extend([queue, "messages"]);
    url.query_pairs_mut().append_pair("peekonly", "true").append_pair("numofmessages", "32");
    let answer = reqwest::get(url).await.unwrap().text().await.unwrap();
    let visible = answer.matches("<QueueMessage>").count() as u64;
    visible == world.storage().queues.count(queue).await.unwrap()
}

/// What the entries of the trail saw, oldest first.
async fn seen(world: &World, user: UserId) -> Vec<Digest> {
    let trail = world.trail(user).await;
    assert!(trail.iter().all(|committed| committed.entry.kind == EntryKind::Captured));
    trail.iter().map(|committed| committed.entry.seen.sha256.unwrap()).collect()
}

/// Graph, head, trail, target and receipts agree.
async fn is_at_rest(world: &World, user: UserId) {
    let shown = world.sim.tenant().shown(guid(user)).unwrap();
    let trail = world.trail(user).await;
    let newest = &trail.last().unwrap().entry;
    assert_eq!(newest.seen.sha256.map(|digest| digest.to_string()), shown.sha256());
    let head = world.head(user).await.unwrap();
    assert_eq!((head.seq, head.media_etag.as_deref()), (newest.seq, Some(shown.media_etag.as_str())));
    assert!(world.shows_newest(user).await, "the target shows the newest entry");
    for committed in &trail {
        let receipt = world.receipt(user, committed.entry.seq).await;
        assert!(receipt.is_some(), "entry {} has no receipt", committed.entry.seq);
    }
}
