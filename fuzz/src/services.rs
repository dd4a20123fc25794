//! The function app over a store in memory, without a network.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use photorelay::graph::{Graph, GraphConfig, Token, TokenError, TokenSource};
use photorelay::host::manifest::Manifest;
use photorelay::host::readiness::StorageReadiness;
use photorelay::host::router::Functions;
use photorelay::jobs::lifecycle::Lifecycle;
use photorelay::jobs::notify::{ClientStates, Notify};
use photorelay::jobs::propagate::{Propagate, PropagateSettings};
use photorelay::jobs::scope::Scope;
use photorelay::jobs::subscribe::Subscribe;
use photorelay::jobs::sweep::{Sweep, SweepSettings};
use photorelay::jobs::watch::Watch;
use photorelay_core::clock::Clock;
use photorelay_core::id::TenantId;
use photorelay_core::photo::{PhotoLimits, RenditionSpec};
use photorelay_core::process::install_crypto_provider;
use photorelay_core::retry::RetryPolicy;
use photorelay_core::target::Targets;
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;
use url::Url;

use crate::MemoryStore;

/// The tenant and the `clientState` of the seeds.
const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";
const CLIENT_STATE: &str = "c4-nary-client-state";
const FUNCTION_JSON: &str = include_str!("../../function.json");
const HOST_JSON: &str = include_str!("../../host.json");

/// Runs a future on the target's own thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: RefCell<Runtime> =
            RefCell::new(Builder::new_current_thread().enable_all().build().expect("a runtime"));
    }
    RUNTIME.with_borrow(|runtime| runtime.block_on(future))
}

#[derive(Debug)]
struct StaticToken(Token);

#[async_trait]
impl TokenSource for StaticToken {
    async fn token(&self) -> Result<Token, TokenError> {
        Ok(self.0.clone())
    }

    async fn invalidate(&self, _: &Token) {}
}

fn static_token() -> Arc<dyn TokenSource> {
    Arc::new(StaticToken(Token::new(SecretString::from("c4-nary.token"), 1)))
}

/// A client that never waits and never repeats a request.
pub fn impatient_graph(base_url: &str) -> Graph {
    install_crypto_provider();
    let config = GraphConfig::new(Url::parse(base_url).expect("a URL"));
    let retry = RetryPolicy { attempts: 1, ..config.retry };
    Graph::new(GraphConfig { retry, ..config }, static_token()).expect("a client")
}

/// Every function, with one more for events, as docs/event-delivery.md adds it.
pub fn manifest() -> Manifest {
    let mut functions: serde_json::Value = serde_json::from_str(FUNCTION_JSON).expect("JSON");
    functions["functions"]["events"]["bindings"] =
        serde_json::json!([{ "type": "eventGridTrigger", "direction": "in", "name": "events" }]);
    Manifest::parse(&functions.to_string(), HOST_JSON).expect("a manifest")
}

/// The functions of an app whose Graph cannot be reached.
pub fn functions(store: &Arc<MemoryStore>) -> Arc<Functions> {
    let tenant: TenantId = TENANT.parse().expect("a GUID");
    let graph = Arc::new(impatient_graph("http://127.0.0.1:9/v1.0"));
    let (storage, targets) = (store.storage(), Targets::default());
    let client_states = Arc::new(ClientStates::new(CLIENT_STATE, None));
    let client_state = Some(SecretString::from(CLIENT_STATE));
    let subscribe = Arc::new(Subscribe::new(Arc::clone(&graph), None, client_state, None, Clock::system()));
    Arc::new(Functions {
        notify: Notify::new(Arc::clone(&storage.queues), tenant, Arc::clone(&client_states)),
        lifecycle: Lifecycle::new(Arc::clone(&storage.queues), tenant, client_states),
        propagate: Propagate::new(Arc::clone(&graph), storage.clone(), propagate_settings(tenant)),
        subscribe: Arc::clone(&subscribe),
        sweep: Sweep::new(graph, storage.clone(), SweepSettings::new(targets.clone())),
        watch: Watch::new(Ok(subscribe), storage, targets),
        storage: StorageReadiness::ready(),
        tasks: TaskTracker::new(),
    })
}

fn propagate_settings(tenant: TenantId) -> PropagateSettings {
    PropagateSettings {
        tenant,
        targets: Targets::default(),
        scope: Scope::default(),
        renditions: vec![RenditionSpec::thumbnail_photo()],
        limits: PhotoLimits::default(),
        hold: Duration::from_secs(600),
        captures_per_day: 20,
        photos_at_once: 4,
        decodings_at_once: 1,
        max_attempts: 20,
    }
}
