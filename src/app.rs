//! The composition root: builds everything once from the configuration. `serve`, `run`, the demo and the tests all
//! come through here; they differ by configuration and by what drives the triggers.

use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use photorelay_core::clock::Clock;
use photorelay_core::entra;
use photorelay_core::id::TenantId;
use photorelay_core::names::{CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE};
use photorelay_core::photo::PhotoLimits;
use photorelay_core::settings::StorageSettings;
use photorelay_core::storage::Storage;
use photorelay_core::store::{Listing, StoreError};
use photorelay_core::target::Targets;
use photorelay_core::wording::with_causes;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::config::{AppConfig, GraphSettings, NotificationDelivery, NotificationSettings, OperatorConfig};
use crate::graph::{self, CachedTokens, CredentialFactory, Graph, GraphConfig, GraphUnset, TokenSource};
use crate::host::manifest::Manifest;
use crate::host::pump::Pump;
use crate::host::readiness::StorageReadiness;
use crate::host::router::{Functions, public_router, trigger_router};
use crate::jobs::lifecycle::Lifecycle;
use crate::jobs::notify::{ClientStates, Notify};
use crate::jobs::propagate::{Propagate, PropagateSettings};
use crate::jobs::subscribe::{Subscribe, Via};
use crate::jobs::sweep::{Sweep, SweepSettings};
use crate::jobs::watch::Watch;
use crate::operate::doctor::{Connected, DoctorContext};

/// How long work that is under way may continue after a request to stop.
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
    /// What the internet may reach.
    pub public: Router,
    /// What the Functions host or the pump invokes.
    pub triggers: Router,
    tenant: TenantId,
    targets: Targets,
    background: Background,
}

/// What the commands of operators work with: the storage, and Graph where it is configured.
#[derive(Debug, Clone)]
pub struct OperatorAccess {
    pub storage: Storage,
    pub targets: Targets,
    pub graph: Result<Arc<Graph>, GraphUnset>,
    /// As configured; what an entry of the trail says goes before it.
    pub tenant: Option<TenantId>,
    pub watch: Watch,
}

impl OperatorAccess {
    /// Opens the storage, which has to be there already.
    pub async fn open(config: &OperatorConfig) -> Result<Self> {
        let storage = open_storage(&config.storage, &config.authority_url).await?;
        let clock = Clock::system();
        let graph = match &config.graph {
            Ok(settings) => Ok(connect_graph(settings, &clock, TaskTracker::new(), CancellationToken::new())?.0),
            Err(unset) => Err(unset.clone()),
        };
        let watched = graph.clone().map(|graph| Arc::new(subscribe(&graph, &config.notifications, clock)));
        let watch = Watch::new(watched, storage.clone(), config.targets.clone());
        Ok(Self { storage, targets: config.targets.clone(), graph, tenant: config.tenant_id, watch })
    }
}

/// What runs beside requests: token renewals and the preparation of the storage.
#[derive(Debug, Clone)]
struct Background {
    readiness: StorageReadiness,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Builds everything for a command, which needs a storage that is there already.
    pub async fn open(config: &AppConfig) -> Result<Self> {
        let storage = open_storage(&config.storage, &config.graph.authority_url).await?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let background = Background { readiness: StorageReadiness::ready(), tasks, stop };
        Self::assemble(config, Clock::system(), storage, background)
    }

    /// Builds everything and creates what the storage lacks.
    pub async fn build(config: &AppConfig) -> Result<Self> {
        Self::build_with(config, Clock::system()).await
    }

    /// The same by another clock, as far as subscriptions and tokens go.
    pub async fn build_with(config: &AppConfig, clock: Clock) -> Result<Self> {
        let storage = create_storage(&config.storage, &config.graph.authority_url)?;
        storage.ensure(&Container::ALL, &queues(&config.targets)).await.context("the storage is not ready")?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        Self::assemble(config, clock, storage, Background { readiness: StorageReadiness::ready(), tasks, stop })
    }

    /// Builds everything for a service, which answers before its storage can be reached.
    pub fn start(config: &AppConfig) -> Result<Self> {
        let storage = create_storage(&config.storage, &config.graph.authority_url)?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let queues = queues(&config.targets);
        let readiness = StorageReadiness::prepare(storage.clone(), queues, &tasks, stop.clone());
        Self::assemble(config, Clock::system(), storage, Background { readiness, tasks, stop })
    }

    fn assemble(config: &AppConfig, clock: Clock, storage: Storage, background: Background) -> Result<Self> {
        let (graph, _) = connect_graph(&config.graph, &clock, background.tasks.clone(), background.stop.clone())?;
        let manifest = Manifest::built_in()?;
        let propagate = propagate(config, &graph, &storage);
        let sweep = sweep(config, &graph, &storage);
        let subscribe = Arc::new(subscribe(&graph, &config.notifications, clock));
        let watch = Watch::new(Ok(Arc::clone(&subscribe)), storage.clone(), config.targets.clone());
        let (queues, tenant) = (&storage.queues, config.graph.tenant_id);
        let client_states = client_states(&config.notifications);
        let functions = Arc::new(Functions {
            notify: Notify::new(Arc::clone(queues), tenant, Arc::clone(&client_states)).within(config.scope.clone()),
            lifecycle: Lifecycle::new(Arc::clone(queues), tenant, client_states),
            propagate: propagate.clone(),
            subscribe: Arc::clone(&subscribe),
            sweep: sweep.clone(),
            watch: watch.clone(),
            storage: background.readiness.clone(),
            tasks: background.tasks.clone(),
        });
        let (public, triggers) = (public_router(&functions, &manifest)?, trigger_router(&functions, &manifest)?);
        let manifest = manifest.without(&config.hosting.disabled);
        let pump = Pump::new(triggers.clone(), storage.clone(), manifest, config.hosting.lease);
        let targets = config.targets.clone();
        Ok(Self {
            storage,
            graph,
            propagate,
            subscribe,
            sweep,
            watch,
            pump,
            public,
            triggers,
            tenant,
            targets,
            background,
        })
    }

    /// What a console of the same process works with.
    pub fn operator_access(&self) -> OperatorAccess {
        OperatorAccess {
            storage: self.storage.clone(),
            targets: self.targets.clone(),
            graph: Ok(Arc::clone(&self.graph)),
            tenant: Some(self.tenant),
            watch: self.watch.clone(),
        }
    }

    /// Answers the Functions host, which drives queues and timers. The triggers are served too, so the listener must be
    /// bound to the loopback interface.
    ///
    /// Boxed, as [`App::run`] is, so that the server is compiled in this crate and not again in every program that uses it.
    pub fn serve(self, listener: TcpListener, stop: CancellationToken) -> BoxFuture<'static, Result<()>> {
        let (router, storage) = (self.public.clone().merge(self.triggers.clone()), self.storage.clone());
        let serving =
            async move { storage.serve_until_lost(&stop.clone(), self.answer(router, listener, stop)).await? };
        serving.boxed()
    }

    async fn answer(self, router: Router, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = served.into_future() => served.context("the HTTP server stopped")?,
            () = deadline => tracing::warn!("requests that were still open after the grace time are dropped"),
        }
        self.background.stop.cancel();
        self.background.tasks.close();
        if tokio::time::timeout(GRACE, self.background.tasks.wait()).await.is_err() {
            tracing::warn!("what was still being stored after the grace time is dropped, and was not acknowledged");
        }
        Ok(())
    }

    /// Answers Graph on the listener and drives queues and timers in process, until it is to stop. No trigger is served.
    pub fn run(self, listener: TcpListener, stop: CancellationToken) -> BoxFuture<'static, Result<()>> {
        let storage = self.storage.clone();
        let running =
            async move { storage.serve_until_lost(&stop.clone(), self.answer_and_pump(listener, stop)).await? };
        running.boxed()
    }

    async fn answer_and_pump(self, listener: TcpListener, stop: CancellationToken) -> Result<()> {
        let (pump, readiness, stopped) = (self.pump.clone(), self.background.readiness.clone(), stop.clone());
        let pump = async move {
            tokio::select! {
                () = readiness.until_ready() => pump.run(stopped).await,
                () = stopped.cancelled() => Ok(()),
            }
        };
        let public = self.public.clone();
        let served = self.answer(public, listener, stop.clone());
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

/// What `doctor` looks at: each part by itself, because the others matter most when one of them cannot be built.
pub fn doctor_context(config: AppConfig) -> DoctorContext {
    let clock = Clock::system();
    let graph = connect_graph(&config.graph, &clock, TaskTracker::new(), CancellationToken::new());
    let graph = graph.map(|(graph, tokens)| {
        let subscribe = subscribe(&graph, &config.notifications, clock);
        Connected { subscribe, graph, tokens }
    });
    // A container that is missing is a finding of its own.
    let storage = open_unchecked(&config.storage, &config.graph.authority_url);
    let words = |error: anyhow::Error| with_causes(error.as_ref());
    DoctorContext { graph: graph.map_err(words), storage: storage.map_err(words), config }
}

/// Every queue that the function app reads or writes.
fn queues(targets: &Targets) -> Vec<String> {
    let own = [CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE].map(str::to_owned);
    own.into_iter().chain(targets.all().iter().map(|target| target.queue.clone())).collect()
}

fn propagate(config: &AppConfig, graph: &Arc<Graph>, storage: &Storage) -> Propagate {
    let settings = PropagateSettings {
        tenant: config.graph.tenant_id,
        targets: config.targets.clone(),
        scope: config.scope.clone(),
        renditions: config.capture.renditions.clone(),
        limits: PhotoLimits::default(),
        hold: config.capture.hold,
        captures_per_day: config.capture.captures_per_day,
        photos_at_once: 48,
        decodings_at_once: available_parallelism().map_or(1, usize::from).min(8),
        max_attempts: 20,
    };
    Propagate::new(Arc::clone(graph), storage.clone(), settings)
}

fn sweep(config: &AppConfig, graph: &Arc<Graph>, storage: &Storage) -> Sweep {
    let settings = SweepSettings {
        scope: config.scope.clone(),
        lease: config.hosting.lease,
        time_limit: config.hosting.sweep_time_limit,
        ..SweepSettings::new(config.targets.clone())
    };
    Sweep::new(Arc::clone(graph), storage.clone(), settings)
}

/// What keeps the subscription of this configuration alive.
fn subscribe(graph: &Arc<Graph>, settings: &NotificationSettings, clock: Clock) -> Subscribe {
    let via = settings.delivery.as_ref().map(|delivery| match delivery {
        NotificationDelivery::Webhook(url) => Via::Webhook(url),
        NotificationDelivery::Events(events) => Via::Events(&events.0),
    });
    let (current, previous) = (settings.client_state.clone(), settings.client_state_previous.as_ref());
    Subscribe::new(Arc::clone(graph), via, current, previous, clock)
}

fn client_states(settings: &NotificationSettings) -> Arc<ClientStates> {
    let previous = settings.client_state_previous.as_ref().map(ExposeSecret::expose_secret);
    Arc::new(match &settings.client_state {
        Some(current) => ClientStates::new(current.expose_secret(), previous),
        None => ClientStates::none(),
    })
}

fn connect_graph(
    settings: &GraphSettings,
    clock: &Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
) -> Result<(Arc<Graph>, Arc<dyn TokenSource>)> {
    let (credential, authority) = (settings.credential.clone(), settings.authority_url.clone());
    let factory: CredentialFactory = Box::new(move || entra::credential(&credential, &authority));
    // Made once now, so that a wrong certificate or URL is reported at start-up.
    factory()?;
    let scope = graph::scope(&settings.url);
    let tokens: Arc<dyn TokenSource> = Arc::new(CachedTokens::with_clock(factory, scope, tasks, stop, clock.clone()));
    let identity_extra = settings.identity_extra.clone();
    let config = GraphConfig { identity_extra, ..GraphConfig::new(settings.url.clone()) };
    let graph = Graph::new(config, Arc::clone(&tokens))?;
    Ok((Arc::new(graph), tokens))
}

/// Opens the storage that the configuration names, if it is one of photorelay.
pub async fn open_storage(settings: &StorageSettings, authority: &Url) -> Result<Storage> {
    let storage = open_unchecked(settings, authority)?;
    let listing = Listing { page_size: 1, ..Listing::of("") };
    match storage.blobs.list(Container::Audit, listing).await {
        Err(missing @ StoreError::Missing { .. }) => Err(missing).with_context(|| {
            format!(
                "there is no store of photorelay in {}: correct the PhotoStorage__ settings, or start the function \
                 app, which creates it",
                settings.location()
            )
        }),
        // What is wrong besides shows at what the command does.
        _ => Ok(storage),
    }
}

fn open_unchecked(settings: &StorageSettings, authority: &Url) -> Result<Storage> {
    Ok(Storage::open(&settings.resolve(authority)?)?)
}

/// Opens it for a program that serves it, and so creates an embedded store.
fn create_storage(settings: &StorageSettings, authority: &Url) -> Result<Storage> {
    let config = settings.resolve(authority)?;
    let created = Storage::creates(&config).map(Path::to_owned);
    let storage = Storage::open_or_create(&config).context("the storage cannot be opened")?;
    if let Some(folder) = created {
        // A mistyped path would look like a tenant that was never filled.
        tracing::warn!("created a new store in {}: there was none", folder.display());
    }
    Ok(storage)
}
