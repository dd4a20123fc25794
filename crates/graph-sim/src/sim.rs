//! A running simulator: starts, is controlled and read, and stops.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::config::SimConfig;
use crate::delivery::{self, EndpointState, NotificationPost, NotificationTally, Notifier, PendingNotification};
use crate::faults::{FaultRule, HoldPoint, RequestHold, RequestPattern};
use crate::http::{self, ApiState, RequestLog, Violation};
use crate::locked::locked;
use crate::model::{SimPhotoSettings, SimSubscription, TenantModel, TenantSize};
use crate::pictures::Studio;
use crate::settings::{SharedSettings, SimSettings};
use crate::tenant::Tenant;

/// A running simulator. Dropping it stops it; [`Sim::shutdown`] also waits.
#[derive(Debug)]
pub struct Sim {
    state: Arc<ApiState>,
    /// Where it listens, which may differ from the address in links.
    address: String,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Sim {
    /// Binds and serves on the current runtime.
    pub async fn start(config: SimConfig) -> anyhow::Result<Self> {
        anyhow::ensure!(
            config.listen.ip().is_loopback(),
            "{} is not a loopback address; the simulator protects nothing and listens on loopback only",
            config.listen
        );
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
        Self::serve(config, listener)
    }

    /// Not async, so that the server is compiled here once, and not again in each program that starts a simulator.
    fn serve(config: SimConfig, listener: TcpListener) -> anyhow::Result<Self> {
        let address = format!("http://{}", listener.local_addr()?);
        let url = config.public_url.as_ref().map_or(address.clone(), |url| url.origin().ascii_serialization());
        let state = Arc::new(new_state(config, url)?);
        let listener = listener.tap_io(|stream| {
            // Without it small responses wait for acknowledgements; a failure costs only time.
            let _ = stream.set_nodelay(true);
        });
        let app = axum::Router::new().fallback(http::handle).with_state(state.clone());
        let stop = state.stop.clone();
        let server = state.tasks.spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(problem) = served {
                eprintln!("graph-sim: the server stopped: {problem}");
            }
        });
        state.tasks.spawn(delivery::run(state.notifier.clone(), state.tasks.clone(), state.stop.clone()));
        Ok(Self { state, address, server: Mutex::new(Some(server)) })
    }

    /// Where it listens: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        self.address.clone()
    }

    /// Base of every Graph path, with the version, at the public address.
    pub fn graph_url(&self) -> String {
        format!("{}/v1.0", self.state.url)
    }

    /// `{authority}/{tenant}/oauth2/v2.0/token` is the token endpoint, at the public address.
    pub fn authority_url(&self) -> String {
        self.state.url.clone()
    }

    /// The managed-identity endpoint, as `IDENTITY_ENDPOINT` names it.
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.address)
    }

    pub fn identity_header(&self) -> String {
        self.state.config.identity_header.clone()
    }

    pub fn tenant_id(&self) -> Uuid {
        self.state.config.tenant_id
    }

    pub fn client_id(&self) -> Uuid {
        self.state.config.app.client_id
    }

    pub fn client_secret(&self) -> String {
        self.state.config.app.secret.clone()
    }

    pub fn config(&self) -> &SimConfig {
        &self.state.config
    }

    /// The people and their photos, to read and to edit.
    pub fn tenant(&self) -> Tenant {
        self.state.tenant()
    }

    pub fn settings(&self) -> SimSettings {
        self.state.settings()
    }

    /// Changes settings; they apply from the next call or notification on.
    pub fn set(&self, edit: impl FnOnce(&mut SimSettings)) {
        self.state.settings.edit(edit);
        self.state.notifier.wake();
    }

    pub fn requests(&self) -> RequestLog {
        locked(&self.state.requests).clone()
    }

    pub fn clear_requests(&self) {
        *locked(&self.state.requests) = RequestLog::default();
    }

    pub fn violations(&self) -> Vec<Violation> {
        locked(&self.state.violations).clone()
    }

    /// Forgets violations that a test caused on purpose.
    pub fn clear_violations(&self) {
        locked(&self.state.violations).clear();
    }

    /// Panics with the list if a call was made that a correct client never makes.
    pub fn assert_no_violations(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "violations of Graph's contract: {violations:#?}");
    }

    /// The id serves [`Self::remove_fault`].
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        locked(&self.state.faults).add(rule)
    }

    pub fn remove_fault(&self, id: u64) -> bool {
        locked(&self.state.faults).remove(id)
    }

    pub fn clear_faults(&self) {
        locked(&self.state.faults).clear();
    }

    /// Holds the next matching call at this point until the hold is released or dropped.
    pub fn hold(&self, calls: RequestPattern, point: HoldPoint) -> RequestHold {
        locked(&self.state.holds).add(calls, point)
    }

    pub fn subscriptions(&self) -> Vec<SimSubscription> {
        locked(&self.state.model.subscriptions).live(self.now()).values().cloned().collect()
    }

    /// Removes a subscription without notice, as Graph may.
    pub fn lose_subscription(&self, id: Uuid) -> bool {
        locked(&self.state.model.subscriptions).live(self.now()).remove(&id).is_some()
    }

    /// Sets the simulator's clock, which goes on from there.
    pub fn set_now(&self, now: jiff::Timestamp) {
        self.state.model.clock.set(now);
        self.state.notifier.wake();
    }

    /// Moves the simulator's clock ahead: tokens and subscriptions expire, pending notifications do not come sooner.
    pub fn advance(&self, by: Duration) {
        self.state.model.clock.advance(by);
        self.state.notifier.wake();
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.state.now()
    }

    /// Makes every token invalid at once, as an administrator can. Authorizations of subscriptions end with them.
    pub fn revoke_tokens(&self) {
        locked(&self.state.tokens).revoke_all();
        locked(&self.state.model.subscriptions).end_authorizations(self.now());
        self.state.notifier.wake();
    }

    pub fn tokens_issued(&self) -> u64 {
        locked(&self.state.tokens).issued()
    }

    pub fn set_photo_update_settings(&self, settings: SimPhotoSettings) {
        *locked(&self.state.model.photo_settings) = settings;
    }

    pub fn pending_notifications(&self) -> Vec<PendingNotification> {
        locked(&self.state.notifier.outbox).pending()
    }

    pub fn notification_tally(&self) -> NotificationTally {
        locked(&self.state.notifier.outbox).tally
    }

    /// Every POST to a notification endpoint, oldest first.
    pub fn posts(&self) -> Vec<NotificationPost> {
        locked(&self.state.notifier.outbox).posts.iter().cloned().collect()
    }

    /// The state of each endpoint that was ever called, by its URL without the query.
    pub fn endpoints(&self) -> BTreeMap<String, EndpointState> {
        locked(&self.state.notifier.endpoints).states(self.now())
    }

    /// What was sent to event hubs and partner topics since the last call, one text for each event.
    pub fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.state.notifier.events))
    }

    /// Collects notifications instead of sending them.
    pub fn pause_notifications(&self) {
        self.state.notifier.set_paused(true);
    }

    pub fn resume_notifications(&self) {
        self.state.notifier.set_paused(false);
    }

    /// Waits until every notification was delivered or dropped, without hurrying any. Never returns while paused with
    /// notifications pending.
    pub async fn idle(&self) {
        self.state.notifier.idle().await;
    }

    /// Sends everything that waits now, in spite of delays, back-offs and a pause, and waits until nothing is left.
    pub async fn flush(&self) {
        self.state.notifier.raise_due_reminders();
        self.state.notifier.hurry();
        self.idle().await;
    }

    /// Releases every hold, stops serving and waits for calls in progress, for two seconds at most.
    pub async fn shutdown(&self) {
        self.stop();
        let server = locked(&self.server).take();
        if let Some(server) = server {
            let abort = server.abort_handle();
            if tokio::time::timeout(Duration::from_secs(2), server).await.is_err() {
                abort.abort();
            }
        }
    }

    fn stop(&self) {
        locked(&self.state.holds).close();
        self.state.stop.cancel();
        self.state.tasks.close();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop();
    }
}

fn new_state(config: SimConfig, url: String) -> anyhow::Result<ApiState> {
    let studio = Studio::open(config.photos.as_deref(), config.seed)?;
    let size = TenantSize {
        generated: config.generated,
        synchronized: config.users,
        guests: config.guests,
        cloud_only: config.cloud_only,
        with_photo: config.with_photo,
    };
    let tenant = Arc::new(TenantModel::new(config.tenant_id, config.seed, size, studio));
    let settings = SharedSettings::new(config.settings.clone());
    let notifier = Notifier::new(tenant, settings, config.app.client_id, config.seed)?;
    ApiState::new(config, url, Arc::new(notifier))
}
