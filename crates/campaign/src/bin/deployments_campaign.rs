//! Hundreds of first deployments, the roles of which arrive late: each `photorelay serve` is denied its storage until its
//! own moment, blobs and queues apart, and has to become healthy by itself.
//!
//! Healthy is a service that never ended, acknowledged nothing before its roles had arrived, acknowledges a notification
//! afterwards, has stored it, and captures the photo when the message is handed to it. When roles arrive follows from the
//! seed. Prints one line of JSON; a deployment that is not healthy ends it with exit code 1.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use fastrand::Rng;
use graph_sim::Sim;
use photorelay_campaign::roles_front::RolesFront;
use photorelay_core::audit;
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::process::install_crypto_provider;
use photorelay_core::storage::Storage;
use serde_json::json;
use testkit::azurite::{self, Azurite};
use testkit::chaos::small_pictures;
use testkit::process::{PATIENCE, Program, azure};
use testkit::world::notifications;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

#[derive(Parser)]
struct Cli {
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_DEPLOYMENTS)))]
    deployments: u16,
    /// How many of them run at one time
    #[arg(long, default_value_t = 100)]
    at_once: usize,
    /// The seconds within which the roles of a deployment arrive
    #[arg(long, default_value_t = 120)]
    roles_within: u64,
    #[arg(long, default_value_t = 20_261_201)]
    seed: u64,
}

const USERS: usize = 20;
/// Between two notifications of a deployment.
const PACE: Duration = Duration::from_secs(1);
/// So long after its roles have arrived a deployment is given up.
const GIVEN_UP: Duration = Duration::from_secs(120);
/// Below what the system gives to clients, so that no other connection takes a port meanwhile.
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_767;
/// A few for each, in case another program of this machine has one.
const PORTS_EACH: u16 = 4;
const MAX_DEPLOYMENTS: u16 = (LAST_PORT - FIRST_PORT + 1) / PORTS_EACH;

/// What became of one deployment.
#[derive(Debug, Default)]
struct Deployed {
    /// Notifications that were answered 503.
    refused: u64,
    /// Whether a notification was acknowledged before the roles had arrived.
    is_early: bool,
    /// Notifications that got another answer, or none.
    unexpected: u64,
    /// From the last role to the acknowledgement.
    waited: Option<Duration>,
    is_stored: bool,
    is_captured: bool,
    /// Whether the program ended by itself.
    has_ended: bool,
}

impl Deployed {
    fn is_healthy(&self) -> bool {
        let Self { is_early, unexpected, waited, is_stored, is_captured, has_ended, refused: _ } = self;
        waited.is_some() && *is_stored && *is_captured && !is_early && *unexpected == 0 && !has_ended
    }
}

/// What all deployments share.
struct Surroundings {
    sim: Sim,
    azurite: Azurite,
    client: reqwest::Client,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    install_crypto_provider();
    let pictures = small_pictures();
    let sim = graph_sim::SimConfig {
        seed: cli.seed,
        users: USERS,
        with_photo: 1.0,
        photos: Some(pictures.path().to_owned()),
        ..graph_sim::SimConfig::default()
    };
    let shared = Arc::new(Surroundings {
        sim: Sim::start(sim).await.expect("the simulator starts"),
        azurite: Azurite::start().await,
        client: reqwest::Client::builder().no_proxy().build().expect("a client without settings"),
    });
    let (began, mut dice) = (Instant::now(), Rng::with_seed(cli.seed));
    let places = Arc::new(Semaphore::new(cli.at_once));
    let mut deployments = JoinSet::new();
    for number in 0..cli.deployments {
        let mut delay = || Duration::from_millis(dice.u64(0..=cli.roles_within * 1_000));
        let (delays, shared, places) = ([delay(), delay()], Arc::clone(&shared), Arc::clone(&places));
        deployments.spawn(async move {
            let _place = places.acquire_owned().await.expect("it is never closed");
            shared.deploy(number, delays).await
        });
    }
    let deployed = deployments.join_all().await;
    println!("{}", line(&cli, &deployed, began.elapsed()));
    if deployed.iter().all(Deployed::is_healthy) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(cli: &Cli, deployed: &[Deployed], took: Duration) -> serde_json::Value {
    let count = |is_one: fn(&Deployed) -> bool| deployed.iter().filter(|one| is_one(one)).count();
    let mut waited: Vec<f64> = deployed
        .iter()
        .filter_map(|one| one.waited)
        .map(|waited| (waited.as_secs_f64() * 10.0).round() / 10.0)
        .collect();
    waited.sort_by(f64::total_cmp);
    json!({
        "campaign": "deployments", "seed": cli.seed, "deployments": deployed.len(), "at_once": cli.at_once,
        "roles_within_seconds": cli.roles_within, "healthy": count(Deployed::is_healthy),
        "ended": count(|one| one.has_ended), "acknowledged_before_roles": count(|one| one.is_early),
        "not_stored": count(|one| !one.is_stored), "not_captured": count(|one| !one.is_captured),
        "refused_posts": deployed.iter().map(|one| one.refused).sum::<u64>(),
        "unexpected_answers": deployed.iter().map(|one| one.unexpected).sum::<u64>(),
        "median_seconds_from_roles": waited.get(waited.len() / 2), "slowest_seconds_from_roles": waited.last(),
        "seconds": took.as_secs(),
    })
}

impl Surroundings {
    /// One deployment from its start to its end; the roles for blobs and for queues arrive after these delays.
    async fn deploy(&self, number: u16, [blobs, queues]: [Duration; 2]) -> Deployed {
        let (began, prefix) = (Instant::now(), format!("d{number}-"));
        let front = async |service, delay| {
            RolesFront::before(service, &prefix, began + delay).await.expect("a port on this machine")
        };
        let (blob, queue) = (front(&self.azurite.blob, blobs).await, front(&self.azurite.queue, queues).await);
        let port = free_port(number);
        let mut program = Program::serve(&self.sim, &azure(blob.url(), queue.url()), port);
        let url = Url::parse(&format!("http://127.0.0.1:{port}")).expect("a plain URL");
        let user = UserId::from_uuid(self.sim.tenant().user_ids()[usize::from(number) % USERS]);
        let mut deployed = Deployed::default();
        self.notify(&url, user, began + blobs.max(queues), &mut deployed).await;
        if deployed.waited.is_some() {
            let storage = opened(&blob, &queue);
            deployed.is_stored = self.hand_over(&url, &storage).await;
            let trail = audit::sequence_numbers(&*storage.blobs, user).await;
            deployed.is_captured = trail.is_ok_and(|trail| trail.len() == 1);
        }
        deployed.has_ended = !program.kill_if_running().await;
        if !deployed.is_healthy() {
            eprintln!("deployment {number}: {deployed:?}; it printed:\n{}", program.log());
        }
        deployed
    }

    /// Notifies until one is acknowledged.
    async fn notify(&self, url: &Url, user: UserId, roles_at: Instant, deployed: &mut Deployed) {
        let body = notifications(self.sim.tenant_id(), &[user]);
        self.until_listening(url).await;
        while Instant::now() < roles_at + GIVEN_UP {
            match self.post(url, "/api/notifications", body.clone()).await {
                Some(503) => deployed.refused += 1,
                Some(202) => {
                    let answered = Instant::now();
                    deployed.is_early = answered < roles_at;
                    deployed.waited = Some(answered.saturating_duration_since(roles_at));
                    return;
                }
                _ => deployed.unexpected += 1,
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// As the host does: it invokes the program only once that answers.
    async fn until_listening(&self, url: &Url) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && self.client.get(url.clone()).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    async fn post(&self, url: &Url, path: &str, body: String) -> Option<u16> {
        let request =
            self.client.post(url.join(path).expect("a plain path")).header("content-type", "application/json");
        Some(request.body(body).send().await.ok()?.status().as_u16())
    }

    /// Whether the notification is in the queue; the program is handed it as the host would.
    async fn hand_over(&self, url: &Url, storage: &Storage) -> bool {
        let received = storage.queues.receive(CHECKS_QUEUE, 32, Duration::from_secs(60)).await;
        let Ok([delivery]) = received.as_deref() else { return false };
        let message = STANDARD.encode(delivery.body.as_bytes());
        let envelope = json!({ "Data": { "msg": message }, "Metadata": { "DequeueCount": "1" } });
        self.post(url, "/propagate", envelope.to_string()).await == Some(200)
    }
}

fn opened(blob: &RolesFront, queue: &RolesFront) -> Storage {
    let authority = Url::parse("https://login.microsoftonline.com").expect("a URL");
    let config = azurite::settings(blob.url(), queue.url()).resolve(&authority).expect("the settings are complete");
    Storage::open(&config).expect("the store opens")
}

/// One that no other deployment takes.
fn free_port(number: u16) -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (0..PORTS_EACH).map(|at| FIRST_PORT + number * PORTS_EACH + at).find(is_free).expect("a free port below 32768")
}
