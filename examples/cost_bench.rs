//! What one person costs at the wire: requests to Microsoft Graph, and storage transactions of the function app and of
//! the agent, for a photo that changed and for one that did not. Everything is real but Graph, which is simulated, and
//! the target, which is a folder.
//!
//! The storage is Azurite behind a proxy that counts; Graph's requests are the simulator's own log. People come alone in
//! a message, as from the webhook, and many in one, as from a sweep. Prints one JSON object.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};
use clap::Parser;
use graph_sim::Sim;
use photorelay::app::App;
use photorelay::config::AppConfig;
use photorelay::jobs::notify::checks;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::queue::Agent;
use photorelay_agent::writeback::{WriteBacks, WritebackSettings};
use photorelay_core::contract::{CauseKind, FetchPolicy, MAX_PEOPLE_PER_CHECK};
use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::{CHECKS_QUEUE, WRITEBACKS_QUEUE};
use photorelay_core::settings::ServiceUri;
use photorelay_core::settings::StorageSettings;
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
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let tasks = TaskTracker::new();
    let sim = Sim::start(graph_sim::Config { users: PEOPLE, ..graph_sim::Config::default() }).await?;
    let function = Counted::start(&cli, &tasks).await?;
    let agents = Counted::start(&cli, &tasks).await?;
    let app = App::build(&configuration(&sim, &function)?).await?;
    let agent = agent(&cli, &sim, &agents)?;

    let everybody: Vec<UserId> = sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
    let world = World { sim: &sim, app: &app, agent: &agent, everybody, function: &function, agents: &agents };
    // A first look fills everything, and signs in.
    world.costs(1).await?;
    let alone = world.changed_and_unchanged(1).await?;
    let together = world.changed_and_unchanged(MAX_PEOPLE_PER_CHECK).await?;
    ensure!(sim.violations().is_empty(), "the simulator saw calls that Graph would refuse: {:?}", sim.violations());
    println!("{}", serde_json::json!({ "people": PEOPLE, "alone": alone, "together": together }));
    sim.shutdown().await;
    Ok(())
}

struct World<'a> {
    sim: &'a Sim,
    app: &'a App,
    agent: &'a Agent,
    everybody: Vec<UserId>,
    function: &'a Counted,
    agents: &'a Counted,
}

impl World<'_> {
    async fn changed_and_unchanged(&self, people_per_message: usize) -> Result<serde_json::Value> {
        let tenant = self.sim.tenant();
        tenant.user_ids().into_iter().try_for_each(|person| tenant.change_photo(person))?;
        let changed = self.costs(people_per_message).await?;
        let unchanged = self.costs(people_per_message).await?;
        Ok(serde_json::json!({ "changed": changed, "unchanged": unchanged }))
    }

    /// Looks at everybody and writes what changed; what that cost for each person.
    async fn costs(&self, people_per_message: usize) -> Result<serde_json::Value> {
        self.sim.clear_requests();
        self.function.reset();
        self.agents.reset();
        for people in self.everybody.chunks(people_per_message) {
            let message = checks(people, CauseKind::Notification, FetchPolicy::IfChanged, &TraceContext::start());
            self.app.storage.queues.send(CHECKS_QUEUE, message).await?;
        }
        self.app.pump.drain().await?;
        self.agent.drain().await?;
        let requests = self.sim.requests();
        let graph: u64 = requests.counters.iter().filter(|(call, _)| !call.starts_with("batch ")).map(|(_, n)| n).sum();
        let each = |count: u64| count as f64 / PEOPLE as f64;
        Ok(serde_json::json!({
            "graph": each(graph),
            "function": each(self.function.count()),
            "agent": each(self.agents.count()),
            "calls": requests.counters,
        }))
    }
}

/// The storage account behind proxies that count every request.
struct Counted {
    blob: Url,
    queue: Url,
    requests: Arc<AtomicU64>,
}

impl Counted {
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

fn agent(cli: &Cli, sim: &Sim, counted: &Counted) -> Result<Agent> {
    let authority = Url::parse(&sim.authority_url())?;
    let storage = Storage::open(&counted.settings().resolve(&authority)?)?;
    let folder = FolderConnector::open(&cli.dir, "thumbnailPhoto", u64::from(u32::MAX))?;
    let settings = WritebackSettings {
        tenant: TenantId::from_uuid(sim.tenant_id()),
        target: "ad".to_owned(),
        agent: "bench".to_owned(),
        dry_run: false,
        certificate_expires_at: None,
    };
    let writebacks = WriteBacks::new(storage.clone(), Arc::new(folder), settings);
    Ok(Agent::new(storage, writebacks, WRITEBACKS_QUEUE.to_owned()))
}

fn configuration(sim: &Sim, counted: &Counted) -> Result<AppConfig> {
    let credential = CredentialConfig::ClientSecret {
        tenant_id: sim.tenant_id().to_string(),
        client_id: sim.client_id().to_string(),
        secret: sim.client_secret().into(),
    };
    Ok(AppConfig::with_defaults(
        TenantId::from_uuid(sim.tenant_id()),
        credential,
        Url::parse(&sim.graph_url())?,
        Url::parse(&sim.authority_url())?,
        counted.settings(),
        "0123456789abcdef0123456789abcdef".into(),
    ))
}
