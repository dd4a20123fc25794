//! What one user costs at the wire: requests to Microsoft Graph, and storage transactions of the function app and of
//! the agent, for a photo that changed and for one that did not. Everything is real but Graph, which is simulated, and
//! the target, which is a folder.
//!
//! The storage is Azurite behind a proxy that counts; Graph's requests are the simulator's own log. Users come one
//! per message, as from the webhook, and many per message, as from a sweep. Prints one JSON object.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};
use clap::Parser;
use graph_sim::Sim;
use photorelay::app::App;
use photorelay::jobs::notify::checks;
use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_bench::{agent, app_settings, finish, graph_requests, users};
use photorelay_core::contract::{CauseKind, FetchPolicy, MAX_PEOPLE_PER_CHECK};
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::process::install_crypto_provider;
use photorelay_core::settings::{ServiceUri, StorageSettings};
use photorelay_core::storage::Storage;
use photorelay_core::trace::TraceContext;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::Url;

/// More than one batch of the pump, so that shares of polls are in the figures.
const PEOPLE: usize = 40;
const MAX_BODY_BYTES: usize = 16 << 20;

#[derive(Parser)]
struct Cli {
    /// Service URI of an empty storage account, with a SAS.
    #[arg(long)]
    blob: Url,
    #[arg(long)]
    queue: Url,
    /// Folder for the target.
    #[arg(long)]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    install_crypto_provider();
    let tasks = TaskTracker::new();
    let sim = Sim::start(graph_sim::SimConfig { users: PEOPLE, ..graph_sim::SimConfig::default() }).await?;
    let function = CountingProxy::start(&cli, &tasks).await?;
    let agents = CountingProxy::start(&cli, &tasks).await?;
    let app = App::build(&app_settings(&sim, function.settings())?).await?;
    let storage = Storage::open(&agents.settings().resolve(&Url::parse(&sim.authority_url())?)?)?;
    let agent = agent(&sim, &storage, FolderConnector::open(&cli.dir, "thumbnailPhoto", u64::from(u32::MAX))?);

    let world = World { sim: &sim, app: &app, agent: &agent, users: users(&sim), function: &function, agents: &agents };
    // A first round fills everything, and signs in.
    world.costs(1).await?;
    let alone = world.changed_and_unchanged(1).await?;
    let together = world.changed_and_unchanged(MAX_PEOPLE_PER_CHECK).await?;
    println!("{}", serde_json::json!({ "people": PEOPLE, "alone": alone, "together": together }));
    finish(&sim).await
}

struct World<'a> {
    sim: &'a Sim,
    app: &'a App,
    agent: &'a Agent,
    users: Vec<UserId>,
    function: &'a CountingProxy,
    agents: &'a CountingProxy,
}

impl World<'_> {
    async fn changed_and_unchanged(&self, people_per_message: usize) -> Result<serde_json::Value> {
        let tenant = self.sim.tenant();
        tenant.user_ids().into_iter().try_for_each(|person| tenant.change_photo(person))?;
        let changed = self.costs(people_per_message).await?;
        let unchanged = self.costs(people_per_message).await?;
        Ok(serde_json::json!({ "changed": changed, "unchanged": unchanged }))
    }

    /// Checks all users and writes what changed; the cost for each of them.
    async fn costs(&self, people_per_message: usize) -> Result<serde_json::Value> {
        self.sim.clear_requests();
        self.function.reset();
        self.agents.reset();
        for people in self.users.chunks(people_per_message) {
            let message = checks(people, CauseKind::Notification, FetchPolicy::IfChanged, &TraceContext::start());
            self.app.storage.queues.send(CHECKS_QUEUE, message).await?;
        }
        self.app.pump.drain().await?;
        self.agent.drain().await?;
        let each = |count: u64| count as f64 / PEOPLE as f64;
        Ok(serde_json::json!({
            "graph": each(graph_requests(self.sim)),
            "function": each(self.function.count()),
            "agent": each(self.agents.count()),
            "calls": self.sim.requests().counters,
        }))
    }
}

/// The storage account behind proxies that count every request.
struct CountingProxy {
    blob: Url,
    queue: Url,
    requests: Arc<AtomicU64>,
}

impl CountingProxy {
    async fn start(cli: &Cli, tasks: &TaskTracker) -> Result<Self> {
        let requests = Arc::new(AtomicU64::new(0));
        let blob = proxy(&cli.blob, &requests, tasks).await?;
        let queue = proxy(&cli.queue, &requests, tasks).await?;
        Ok(Self { blob, queue, requests })
    }

    fn settings(&self) -> StorageSettings {
        StorageSettings::Azure {
            blob_service: ServiceUri(self.blob.clone()),
            queue_service: ServiceUri(self.queue.clone()),
            credential: None,
        }
    }

    fn reset(&self) {
        self.requests.store(0, Ordering::SeqCst);
    }

    fn count(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Upstream {
    service: Url,
    requests: Arc<AtomicU64>,
    client: reqwest::Client,
}

/// Answers for `service` on another port; the URI to use in its place.
async fn proxy(service: &Url, requests: &Arc<AtomicU64>, tasks: &TaskTracker) -> Result<Url> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut own = service.clone();
    own.set_port(Some(listener.local_addr()?.port())).ok().context("the service URI has no host")?;
    let upstream =
        Upstream { service: service.clone(), requests: Arc::clone(requests), client: reqwest::Client::new() };
    let router = Router::new().fallback(forward).with_state(upstream);
    tasks.spawn(axum::serve(listener, router).into_future());
    Ok(own)
}

async fn forward(State(upstream): State<Upstream>, request: Request) -> Response {
    upstream.requests.fetch_add(1, Ordering::SeqCst);
    match answer(&upstream, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn answer(upstream: &Upstream, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let mut url = upstream.service.clone();
    url.set_path(parts.uri.path());
    url.set_query(parts.uri.query());
    let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await?;
    let mut headers = parts.headers;
    headers.remove(HOST);
    let answer = upstream.client.request(parts.method, url).headers(headers).body(body).send().await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    for hop in [CONNECTION, TRANSFER_ENCODING] {
        response.headers_mut().remove(hop);
    }
    *response.body_mut() = Body::from(answer.bytes().await?);
    Ok(response)
}
