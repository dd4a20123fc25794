//! The package under the Functions host: `photorelay serve` behind a stand-in for the host, with Azurite.

use std::fs::{self, File};
use std::net::TcpListener;

use graph_sim::{Pattern, Point, Scope};
use host_sim::{Faults, Options, Running};
use photorelay_core::names::CHECKS_QUEUE;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use zip::ZipArchive;

use crate::kills::show;
use crate::process::{app, azure, until};
use crate::world::{Setup, Store, World, guid};

/// A world whose notifications go to the packaged program under the host.
struct Hosted {
    world: World,
    running: Running,
    _folder: TempDir,
}

impl Hosted {
    async fn start(faults: Faults) -> Self {
        let world = World::with(Setup { store: Store::Azurite, subscribe: false, ..Setup::default() }).await;
        let folder = unpacked();
        let mut options = Options::new(folder.path());
        // The address is a setting of the program, so it has to be known before the host starts.
        options.listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let azurite = world.azurite.as_ref().unwrap();
        let mut variables = app(&world.sim);
        variables.extend(azure(&azurite.blob, &azurite.queue));
        variables
            .push(("PHOTORELAY_PUBLIC_URL", Url::parse(&format!("http://{}", options.listen)).unwrap().to_string()));
        options.environment = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        options.queue_service = Some(azurite.queue.clone());
        options.faults = faults;
        let running = Running::start(options).await.unwrap();
        let status = json!({ "Last": "0001-01-01T00:00:00", "Next": "2026-11-22T07:15:00+00:00" });
        running.run_timer("subscribe", Some(status), true).await.unwrap();
        Self { world, running, _folder: folder }
    }

    /// Waits until the person's trail has this many entries and no message is left.
    async fn carries(&self, at: usize, entries: usize) {
        let (world, user) = (&self.world, self.world.user(at));
        let done = until(|| async {
            world.trail(user).await.len() == entries && world.storage().queues.count(CHECKS_QUEUE).await.unwrap() == 0
        });
        let patience = std::time::Duration::from_secs(30);
        if tokio::time::timeout(patience, done).await.is_err() {
            panic!(
                "the photo is not carried: {:?}\n{:?}\n{:#?}",
                *self.running.said().borrow(),
                *self.running.invocations().borrow(),
                *self.running.lines().borrow()
            );
        }
        world.agent.drain().await.unwrap();
        assert!(world.shows_newest(user).await);
    }

    fn failures(&self) -> Vec<String> {
        self.running.invocations().borrow().iter().filter_map(|invocation| invocation.error.clone()).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what was packaged for them")]
fn unpacked() -> TempDir {
    let name = "PHOTORELAY_TEST_PACKAGE";
    let zip = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"));
    let folder = TempDir::new().unwrap();
    ZipArchive::new(File::open(zip).unwrap()).unwrap().extract(folder.path()).unwrap();
    let file = folder.path().join("host.json");
    let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    // What failed comes back at once, and nobody waits for the next look into a queue.
    host["extensions"]["queues"]["visibilityTimeout"] = json!("00:00:00");
    host["extensions"]["queues"]["maxPollingInterval"] = json!("00:00:00.1");
    fs::write(file, host.to_string()).unwrap();
    folder
}

#[tokio::test]
async fn a_photo_is_carried_on_azurite_and_after_a_kill_in_the_middle_of_it() {
    let hosted = Hosted::start(Faults::default()).await;
    let user = hosted.world.user(0);
    show(&hosted.world, user, "astronaut-240.jpg");
    hosted.world.sim.flush().await;
    hosted.carries(0, 1).await;
    assert!(hosted.failures().is_empty(), "{:?}", hosted.failures());

    let fetch = Pattern::new("GET", &format!("/v1.0/users/{}/photo/$value", guid(user))).within(Scope::Requests);
    let hold = hosted.world.sim.hold(fetch, Point::Before);
    show(&hosted.world, user, "cat-432-alpha.png");
    hosted.world.sim.flush().await;
    hold.arrived().await;
    hosted.running.kill();
    drop(hold);
    hosted.carries(0, 2).await;
    assert_eq!(hosted.failures().len(), 1, "{:?}", hosted.failures());
    hosted.world.end().await;
}

#[tokio::test]
async fn every_oddity_of_the_host_at_once_changes_nothing_on_azurite() {
    let faults = Faults {
        numeric_dequeue_count: true,
        null_schedule_status: true,
        no_traceparent: true,
        unknown_metadata: true,
        deliver_twice: true,
        // An answer that is no JSON object would be a failure, not a test that hangs.
        fail_fast: true,
        ..Faults::default()
    };
    let hosted = Hosted::start(faults).await;
    show(&hosted.world, hosted.world.user(0), "astronaut-240.jpg");
    hosted.world.sim.flush().await;
    hosted.carries(0, 1).await;
    assert!(hosted.failures().is_empty(), "{:?}", hosted.failures());
    let lines = hosted.running.lines().borrow().clone();
    assert!(lines.iter().all(|(stream, _)| *stream == "out"), "the host takes stderr for errors: {lines:#?}");
    hosted.world.end().await;
}
