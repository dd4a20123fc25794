//! The composition root: builds everything once from the configuration. `serve`, `run`, the demo and the tests all
//! come through here; they differ by configuration and by who drives the triggers.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use photorelay_core::clock::Clock;
use photorelay_core::entra;
use photorelay_core::names::{CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE};
use photorelay_core::photo::PhotoLimits;
use photorelay_core::settings::StorageSettings;
use photorelay_core::storage::Storage;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::AppConfig;
use crate::graph::{self, CachedTokens, CredentialFactory, Graph, GraphConfig, TokenSource};
use crate::host::manifest::Manifest;
use crate::host::pump::Pump;
use crate::host::router::{Functions, router};
use crate::jobs::lifecycle::Lifecycle;
use crate::jobs::notify::{ClientStates, Notify};
use crate::jobs::propagate::{Propagate, PropagateSettings};
use crate::jobs::subscribe::{Subscribe, Via};
use crate::jobs::sweep::{Sweep, SweepSettings};
use crate::jobs::watch::Watch;
use crate::operate::doctor::{Connected, DoctorContext};

/// How long work that is under way may go on after a stop was asked for.
const GRACE: Duration = Duration::from_secs(20);

/// The function app, built and ready.
#[derive(Debug, Clone)]
pub struct App {
    pub storage: Storage,
    pub graph: Arc<Graph>,
    pub propagate: Propagate,
    pub subscribe: Arc<Subscribe>,
    pub sweep: Sweep,
    pub watch: Watch,
    pub pump: Pump,
    pub router: Router,
    tasks: TaskTracker,
    stop_renewals: CancellationToken,
}

impl App {
    /// Builds everything and makes sure that the storage is there.
    pub async fn build(config: &AppConfig) -> Result<Self> {
        Self::build_with(config, Clock::system()).await
    }

    /// The same by another clock, as far as subscriptions and tokens go.
    pub async fn build_with(config: &AppConfig, clock: Clock) -> Result<Self> {
        let tasks = TaskTracker::new();
        let stop_renewals = CancellationToken::new();
        let storage = open_storage(&config.storage, &config.authority_url)?;
        let queues: Vec<String> = [CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE]
            .map(str::to_owned)
            .into_iter()
            .chain(config.targets.all().iter().map(|target| target.queue.clone()))
            .collect();
        storage.ensure(&Container::ALL, &queues).await.context("the storage is not ready")?;
        let (graph, _) = connect_graph(config, &clock, tasks.clone(), stop_renewals.clone())?;
        let manifest = Manifest::built_in()?;
        let propagate = Propagate::new(
            Arc::clone(&graph),
            storage.clone(),
            PropagateSettings {
                tenant: config.tenant_id,
                targets: config.targets.clone(),
                scope: config.scope.clone(),
                renditions: config.renditions.clone(),
                limits: PhotoLimits::default(),
                hold: config.hold,
                captures_per_day: config.captures_per_day,
                max_dequeue_count: manifest.queues.max_dequeue_count,
                people_at_once: 4,
                max_attempts: 20,
            },
        );
        let settings = SweepSettings {
            scope: config.scope.clone(),
            lease: config.lease,
            time_limit: config.sweep_time_limit,
            ..SweepSettings::new(config.targets.clone())
        };
        let sweep = Sweep::new(Arc::clone(&graph), storage.clone(), settings);
        let previous = config.client_state_previous.as_ref().map(ExposeSecret::expose_secret);
        let client_states = Arc::new(ClientStates::new(config.client_state.expose_secret(), previous));
        let subscribe = Arc::new(subscriptions(&graph, config, clock));
        let watch = Watch::new(Arc::clone(&subscribe), storage.clone(), config.targets.clone());
        let functions = Functions {
            notify: Notify::new(Arc::clone(&storage.queues), config.tenant_id, Arc::clone(&client_states))
                .within(config.scope.clone()),
            lifecycle: Lifecycle::new(Arc::clone(&storage.queues), config.tenant_id, client_states),
            propagate: propagate.clone(),
            subscribe: Arc::clone(&subscribe),
            sweep: sweep.clone(),
            watch: watch.clone(),
        };
        let router = router(Arc::new(functions), &manifest)?;
        let pump = Pump::new(router.clone(), storage.clone(), manifest.without(&config.disabled), config.lease);
        Ok(Self { storage, graph, propagate, subscribe, sweep, watch, pump, router, tasks, stop_renewals })
    }

    /// Answers HTTP only; somebody else, such as the Functions host, drives queues and timers.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let served = axum::serve(listener, self.router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = served.into_future() => served.context("the HTTP server stopped")?,
            () = deadline => tracing::warn!("requests that were still open after the grace time are dropped"),
        }
        self.stop_renewals.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        Ok(())
    }

    /// Answers HTTP and drives queues and timers, until told to stop.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let pump = self.pump.clone().run(stop.clone());
        let served = self.serve(listener, stop.clone());
        // Whichever ends first, by failing, ends the other.
        let ended = stop.clone();
        let pump = async move {
            let result = pump.await;
            ended.cancel();
            result
        };
        let served = async move {
            let result = served.await;
            stop.cancel();
            result
        };
        let (pump, served) = tokio::join!(pump, served);
        pump.and(served)
    }
}

/// What `doctor` looks at: each part by itself, because the others matter just when one cannot be made.
pub fn doctor_context(config: AppConfig) -> DoctorContext {
    let clock = Clock::system();
    let graph = connect_graph(&config, &clock, TaskTracker::new(), CancellationToken::new());
    let graph =
        graph.map(|(graph, tokens)| Connected { subscribe: subscriptions(&graph, &config, clock), graph, tokens });
    let storage = open_storage(&config.storage, &config.authority_url);
    let words = |error: anyhow::Error| format!("{error:#}");
    DoctorContext { graph: graph.map_err(words), storage: storage.map_err(words), config }
}

/// What keeps the subscription of this configuration alive.
fn subscriptions(graph: &Arc<Graph>, config: &AppConfig, clock: Clock) -> Subscribe {
    let (current, previous) = (config.client_state.clone(), config.client_state_previous.as_ref());
    let events = config.event_delivery.as_ref().map(|events| Via::Events(&events.0));
    let via = events.or(config.public_url.as_ref().map(Via::Webhook));
    Subscribe::new(Arc::clone(graph), via, current, previous, clock)
}

fn connect_graph(
    config: &AppConfig,
    clock: &Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> Result<(Arc<Graph>, Arc<dyn TokenSource>)> {
    let (credential, authority) = (config.credential.clone(), config.authority_url.clone());
    let factory: CredentialFactory = Box::new(move || entra::credential(&credential, &authority));
    // Made once now, so that a wrong certificate or URL is told at start-up.
    factory()?;
    let scope = graph::scope(&config.graph_url);
    let tokens: Arc<dyn TokenSource> = Arc::new(CachedTokens::with_clock(factory, scope, tasks, stop, clock.clone()));
    let graph = Graph::new(GraphConfig::new(config.graph_url.clone()), Arc::clone(&tokens))?;
    Ok((Arc::new(graph), tokens))
}

/// Opens the storage that the configuration names.
pub fn open_storage(settings: &StorageSettings, authority: &Url) -> Result<Storage> {
    Storage::open(&settings.resolve(authority)?).context("the storage cannot be opened")
}
