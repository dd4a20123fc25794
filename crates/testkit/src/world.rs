//! The whole system in one process, driven step by step: simulator, function app behind real HTTP, store, agent.
//!
//! Nothing runs by itself: [`World::settle`] delivers notifications and handles messages until nothing is left, so no
//! test sleeps. [`World::end`] asserts that nothing is left over anywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use graph_sim::Sim;
use photorelay::app::App;
use photorelay::config::{AppConfig, GraphSettings, NotificationDelivery};
use photorelay::host::readiness::StorageReadiness;
use photorelay::host::router::Functions;
use photorelay::jobs::lifecycle::Lifecycle;
use photorelay::jobs::notify::{ClientStates, Notify, checks};
use photorelay_agent::agent::Agent;
use photorelay_core::audit::{self, Committed};
use photorelay_core::contract::{CauseKind, FetchPolicy, Head, Receipt};
use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::names::{self, CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE};
use photorelay_core::process::install_crypto_provider;
use photorelay_core::queue::QueueStore;
use photorelay_core::settings::StorageSettings;
use photorelay_core::storage::Storage;
use photorelay_core::trace::TraceContext;
use photorelay_core::{contract, heads, receipts};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use uuid::Uuid;

use crate::agent::AgentBuilder;
use crate::azurite::Azurite;
use crate::hosted::{self, Hosted};
pub use crate::variables::CLIENT_STATE;

pub struct World {
    pub sim: Sim,
    pub app: App,
    pub agent: Agent,
    /// Where the app answers HTTP.
    pub url: Url,
    stop: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
    dir: TempDir,
    /// The storage, if it is not the embedded store.
    pub azurite: Option<Azurite>,
    /// What handles notifications and checks, if it is not [`World::app`].
    pub hosted: Option<Hosted>,
}

/// Where blobs and queues are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Store {
    #[default]
    Embedded,
    /// An Azurite of the world's own.
    Azurite,
    /// The same, and the package under the Functions host in place of the app in this process.
    Hosted,
}

/// What a test may want otherwise.
pub struct Setup {
    pub store: Store,
    pub sim: graph_sim::SimConfig,
    pub edit: fn(&mut AppConfig),
    /// Whether a subscription is made at the start.
    pub subscribe: bool,
    pub host: fn(&mut host_sim::HostOptions),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            store: Store::default(),
            sim: graph_sim::SimConfig { users: 3, ..Default::default() },
            edit: |_| {},
            subscribe: true,
            host: |_| {},
        }
    }
}

impl World {
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn on(store: Store) -> Self {
        Self::with(Setup { store, ..Setup::default() }).await
    }

    pub async fn with(setup: Setup) -> Self {
        install_crypto_provider();
        let dir = TempDir::new().unwrap();
        let sim = Sim::start(setup.sim).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = match setup.store {
            Store::Hosted => hosted::url(),
            _ => Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap(),
        };
        let mut config = configuration(&sim, dir.path(), url.clone());
        let azurite = match setup.store {
            Store::Embedded => None,
            Store::Azurite | Store::Hosted => Some(Azurite::start().await),
        };
        if let Some(azurite) = &azurite {
            config.storage = azurite.settings();
        }
        (setup.edit)(&mut config);
        let app = App::build(&config).await.unwrap();
        let tenant = TenantId::from_uuid(sim.tenant_id());
        let agent = AgentBuilder::with_folder(&app.storage, tenant, &dir.path().join("written")).build();
        let stop = CancellationToken::new();
        let server = TaskTracker::new().spawn(app.clone().serve(listener, stop.clone()));
        let hosted = match &azurite {
            Some(azurite) if setup.store == Store::Hosted => Some(Hosted::start(&sim, azurite, &url, setup.host).await),
            _ => None,
        };
        let world = Self { sim, app, agent, url, stop, server, dir, azurite, hosted };
        if setup.subscribe {
            world.subscribe().await;
        }
        world
    }

    /// Runs the timer function that makes the subscription, as the host would.
    pub async fn subscribe(&self) {
        if let Some(hosted) = &self.hosted {
            return hosted.run_timer("subscribe", true).await;
        }
        let envelope = r#"{"Data":{"timer":{"IsPastDue":false}},"Metadata":{}}"#;
        let answer = self.post("/subscribe", envelope).await;
        assert_eq!(answer.status(), 200);
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        let request = reqwest::Client::new().post(self.url.join(path).unwrap());
        request.header("content-type", "application/json").body(body).send().await.unwrap()
    }

    /// An agent that writes to the world's folder.
    pub fn agent_builder(&self) -> AgentBuilder {
        AgentBuilder::with_folder(self.storage(), self.tenant_id(), &self.dir().join("written"))
    }

    pub fn tenant_id(&self) -> TenantId {
        TenantId::from_uuid(self.sim.tenant_id())
    }

    pub fn storage(&self) -> &Storage {
        &self.app.storage
    }

    /// The app's functions, with other queues behind the webhook.
    pub fn functions(&self, queues: Arc<dyn QueueStore>) -> Functions {
        let tenant = TenantId::from_uuid(self.sim.tenant_id());
        let client_states = Arc::new(ClientStates::new(CLIENT_STATE, None));
        Functions {
            notify: Notify::new(Arc::clone(&queues), tenant, Arc::clone(&client_states)),
            lifecycle: Lifecycle::new(queues, tenant, client_states),
            propagate: self.app.propagate.clone(),
            subscribe: Arc::clone(&self.app.subscribe),
            sweep: self.app.sweep.clone(),
            watch: self.app.watch.clone(),
            storage: StorageReadiness::ready(),
            tasks: TaskTracker::new(),
        }
    }

    pub fn user(&self, at: usize) -> UserId {
        UserId::from_uuid(self.sim.tenant().user_ids()[at])
    }

    /// Asks for a look at these people, as a sweep or an operator does.
    pub async fn check(&self, users: &[UserId], look: FetchPolicy) {
        let messages = checks(users, CauseKind::Operator, look, &TraceContext::start());
        self.storage().queues.send(CHECKS_QUEUE, messages).await.unwrap();
    }

    /// The user changes the photo, and everything follows from it.
    pub async fn change(&self, user: UserId) {
        self.sim.tenant().change_photo(guid(user)).unwrap();
        self.settle().await;
    }

    /// Delivers every notification and handles every message that is visible, in the app and in the agent.
    pub async fn settle(&self) {
        self.sim.flush().await;
        match &self.hosted {
            Some(hosted) => hosted.drained(self.storage()).await,
            None => self.app.pump.drain().await.unwrap(),
        }
        self.agent.drain().await.unwrap();
    }

    pub async fn trail(&self, user: UserId) -> Vec<Committed> {
        let blobs = &*self.storage().blobs;
        let mut trail = Vec::new();
        for seq in audit::sequence_numbers(blobs, user).await.unwrap() {
            trail.push(audit::read(blobs, user, seq).await.unwrap().unwrap());
        }
        trail
    }

    pub async fn head(&self, user: UserId) -> Option<Head> {
        heads::read(&*self.storage().blobs, user).await.unwrap()
    }

    /// The receipt of the entry that counts.
    pub async fn receipt(&self, user: UserId, seq: u32) -> Option<Receipt> {
        self.receipts(user, seq).await.pop()
    }

    /// All receipts of the entry, in the order in which they were left.
    pub async fn receipts(&self, user: UserId, seq: u32) -> Vec<Receipt> {
        let blobs = &*self.storage().blobs;
        let mut receipts = Vec::new();
        for name in receipts::names_of(blobs, user).await.unwrap().into_iter().filter(|name| name.seq == seq) {
            let bytes = blobs.get(Container::Receipts, &name.to_string(), 65_536).await.unwrap().unwrap();
            receipts.push(contract::parse(&bytes).unwrap());
        }
        receipts
    }

    /// The photo that the folder shows for this person.
    pub fn written(&self, user: UserId) -> Option<Vec<u8>> {
        let person = self.sim.tenant().user(guid(user)).unwrap();
        let account = person.on_premises_sam_account_name.unwrap().to_lowercase();
        std::fs::read(self.dir.path().join("written").join(format!("{account}.jpg"))).ok()
    }

    /// Whether the folder shows just what the newest entry's thumbnail is.
    pub async fn shows_newest(&self, user: UserId) -> bool {
        let newest = self.trail(user).await.pop().unwrap();
        let written = self.written(user).map(|bytes| Digest::of(&bytes));
        written == newest.entry.renditions.first().map(|rendition| rendition.sha256)
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Nothing may be left: no message, no buried message, no call that Graph would not take, no broken chain.
    pub async fn end(self) {
        for queue in [CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE] {
            assert_eq!(self.storage().queues.count(queue).await.unwrap(), 0, "{queue} is not empty");
        }
        for queue in [CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE] {
            let poison = names::poison_queue(queue);
            self.storage().queues.ensure_queue(&poison).await.unwrap();
            assert_eq!(self.storage().queues.count(&poison).await.unwrap(), 0, "{poison} is not empty");
        }
        self.end_with_leftovers().await;
    }

    /// The same for tests that leave messages behind on purpose.
    pub async fn end_with_leftovers(self) {
        self.sim.assert_no_violations();
        let report = audit::verify_all(&*self.storage().blobs).await.unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
        self.sim.shutdown().await;
    }
}

/// Makes each of these functions, which take a [`Store`], a test in a module that is named after the store.
#[macro_export]
macro_rules! on_store {
    ($module:ident, $store:ident: $($name:ident),*) => {
        mod $module {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::world::Store::$store).await;
            })*
        }
    };
}

/// The same on every store.
#[macro_export]
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        $crate::on_store!(on_embedded, Embedded: $($name),*);
        $crate::on_store!(on_azurite, Azurite: $($name),*);
    };
}

/// The same on every store, and with the package under the Functions host.
#[macro_export]
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        $crate::on_every_store!($($name),*);
        $crate::on_store!(under_the_host, Hosted: $($name),*);
    };
}

pub fn guid(user: UserId) -> Uuid {
    user.to_string().parse().unwrap()
}

pub fn configuration(sim: &Sim, dir: &Path, public_url: Url) -> AppConfig {
    let credential = CredentialConfig::ClientSecret {
        tenant_id: sim.tenant_id().to_string(),
        client_id: sim.client_id().to_string(),
        secret: sim.client_secret().into(),
    };
    let graph = GraphSettings {
        tenant_id: TenantId::from_uuid(sim.tenant_id()),
        credential,
        url: Url::parse(&sim.graph_url()).unwrap(),
        authority_url: Url::parse(&sim.authority_url()).unwrap(),
        identity_extra: Default::default(),
    };
    let mut config =
        AppConfig::with_defaults(graph, StorageSettings::Embedded { path: dir.to_owned() }, CLIENT_STATE.into());
    config.notifications.delivery = Some(NotificationDelivery::Webhook(public_url));
    config
}

/// What Graph posts about these users to a subscription of the tests.
pub fn notifications(tenant: Uuid, users: &[UserId]) -> String {
    let item = |user: &UserId| {
        json!({
            "changeType": "updated",
            "clientState": CLIENT_STATE,
            "resource": format!("Users/{user}"),
            "resourceData": { "@odata.type": "#Microsoft.Graph.User", "id": user },
            "subscriptionExpirationDateTime": "2026-12-24T23:21:19.3554403+00:00",
            "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
            "tenantId": tenant,
        })
    };
    json!({ "value": users.iter().map(item).collect::<Vec<_>>() }).to_string()
}

/// A photograph of the fixtures.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/photos").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
