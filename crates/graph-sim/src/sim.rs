//! A running simulator: starts, is steered and read, and stops.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::config::Config;
use crate::endpoints::EndpointState;
use crate::faults::{Pattern, Rule};
use crate::holds::{Hold, Point};
use crate::inner::Inner;
use crate::journal::{Requests, Violation};
use crate::outbox::{Pending, Post, Tally};
use crate::photo_settings::PhotoUpdateSettings;
use crate::settings::Settings;
use crate::subscriptions::Subscription;
use crate::tenant::Tenant;
use crate::{delivery, lifecycle, locked, server};

/// A running simulator. Dropping it stops it; [`Sim::shutdown`] also waits.
#[derive(Debug)]
pub struct Sim {
    inner: Arc<Inner>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Sim {
    /// Binds and serves on the current runtime.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        anyhow::ensure!(
            config.listen.ip().is_loopback(),
            "{} is not a loopback address; the simulator guards nothing and listens on loopback only",
            config.listen
        );
        let listener =
            TcpListener::bind(config.listen).await.with_context(|| format!("listening on {}", config.listen))?;
        let url = format!("http://{}", listener.local_addr()?);
        let inner = Arc::new(Inner::new(config, url)?);
        let listener = listener.tap_io(|stream| {
            // Without it small answers wait for acknowledgements; a failure costs only time.
            let _ = stream.set_nodelay(true);
        });
        let app = axum::Router::new().fallback(server::entry).with_state(inner.clone());
        let stop = inner.stop.clone();
        let server = inner.tasks.spawn(async move {
            let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
            if let Err(problem) = served {
                eprintln!("graph-sim: the server stopped: {problem}");
            }
        });
        inner.tasks.spawn(delivery::run(inner.clone()));
        Ok(Self { inner, server: Mutex::new(Some(server)) })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        self.inner.url.clone()
    }

    /// Base of every Graph path, with the version.
    pub fn graph_url(&self) -> String {
        format!("{}/v1.0", self.inner.url)
    }

    /// `{authority}/{tenant}/oauth2/v2.0/token` is the token endpoint.
    pub fn authority_url(&self) -> String {
        self.inner.url.clone()
    }

    /// The managed-identity endpoint, as `IDENTITY_ENDPOINT` names it.
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.inner.url)
    }

    pub fn identity_header(&self) -> String {
        self.inner.config.identity_header.clone()
    }

    pub fn tenant_id(&self) -> Uuid {
        self.inner.config.tenant_id
    }

    pub fn client_id(&self) -> Uuid {
        self.inner.config.app.client_id
    }

    pub fn client_secret(&self) -> String {
        self.inner.config.app.secret.clone()
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The people and their photos, to read and to edit.
    pub fn tenant(&self) -> Tenant {
        Tenant::new(self.inner.clone())
    }

    pub fn settings(&self) -> Settings {
        self.inner.settings()
    }

    /// Changes switches; they hold from the next call or notification on.
    pub fn set(&self, edit: impl FnOnce(&mut Settings)) {
        edit(&mut locked(&self.inner.settings));
        self.inner.outbox_changed.notify_one();
    }

    pub fn requests(&self) -> Requests {
        locked(&self.inner.journal).requests()
    }

    pub fn clear_requests(&self) {
        locked(&self.inner.journal).clear_requests();
    }

    pub fn violations(&self) -> Vec<Violation> {
        locked(&self.inner.journal).violations()
    }

    /// Forgets violations that a test caused on purpose.
    pub fn clear_violations(&self) {
        locked(&self.inner.journal).clear_violations();
    }

    /// Panics with the list if a call was made that a correct client never makes.
    pub fn assert_no_violations(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "violations of Graph's contract: {violations:#?}");
    }

    pub fn add_fault(&self, rule: Rule) -> u64 {
        locked(&self.inner.faults).add(rule)
    }

    pub fn remove_fault(&self, id: u64) -> bool {
        locked(&self.inner.faults).remove(id)
    }

    pub fn clear_faults(&self) {
        locked(&self.inner.faults).clear();
    }

    /// Holds the next matching call at this point until the hold is released or dropped.
    pub fn hold(&self, calls: Pattern, point: Point) -> Hold {
        locked(&self.inner.holds).add(calls, point)
    }

    pub fn subscriptions(&self) -> Vec<Subscription> {
        locked(&self.inner.subscriptions).live(self.inner.now()).values().cloned().collect()
    }

    /// What was sent to event hubs and partner topics since it was asked last, one text for each event.
    pub fn take_events(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.inner.events))
    }

    /// Removes a subscription without a word, as Graph may.
    pub fn lose_subscription(&self, id: Uuid) -> bool {
        locked(&self.inner.subscriptions).live(self.inner.now()).remove(&id).is_some()
    }

    /// Sets the simulator's clock, which goes on from there.
    pub fn set_now(&self, now: jiff::Timestamp) {
        self.inner.set_now(now);
    }

    /// Moves the simulator's clock ahead: tokens and subscriptions expire, pending notifications do not come sooner.
    pub fn advance(&self, by: Duration) {
        self.inner.advance(by);
    }

    pub fn now(&self) -> jiff::Timestamp {
        self.inner.now()
    }

    /// Makes every token invalid at once, as an administrator can.
    pub fn revoke_tokens(&self) {
        locked(&self.inner.tokens).revoke_all();
        lifecycle::revoked(&self.inner);
    }

    pub fn tokens_issued(&self) -> u64 {
        locked(&self.inner.tokens).issued()
    }

    pub fn pending_notifications(&self) -> Vec<Pending> {
        locked(&self.inner.outbox).pending()
    }

    pub fn notification_tally(&self) -> Tally {
        locked(&self.inner.outbox).tally
    }

    /// What new notifications for each endpoint that was ever called meet, by its URL without the query.
    pub fn endpoints(&self) -> BTreeMap<String, EndpointState> {
        locked(&self.inner.endpoints).states(self.inner.now())
    }

    pub fn photo_update_settings(&self) -> PhotoUpdateSettings {
        locked(&self.inner.photo_settings).clone()
    }

    pub fn set_photo_update_settings(&self, settings: PhotoUpdateSettings) {
        *locked(&self.inner.photo_settings) = settings;
    }

    /// Sends a lifecycle event as it never comes for users, but might.
    pub fn raise_lifecycle(&self, subscription: Uuid, event: &'static str) {
        lifecycle::raise(&mut locked(&self.inner.outbox), subscription, event, self.inner.now());
        self.inner.outbox_changed.notify_one();
    }

    /// Every POST to a notification endpoint, oldest first.
    pub fn posts(&self) -> Vec<Post> {
        locked(&self.inner.outbox).posts.iter().cloned().collect()
    }

    /// Collects notifications instead of sending them.
    pub fn pause_notifications(&self) {
        locked(&self.inner.outbox).paused = true;
    }

    pub fn resume_notifications(&self) {
        locked(&self.inner.outbox).paused = false;
        self.inner.outbox_changed.notify_one();
    }

    /// Waits until every notification was delivered or dropped, without hurrying any. Never returns while paused with
    /// notifications pending.
    pub async fn idle(&self) {
        delivery::idle(&self.inner).await;
    }

    /// Sends what waits now, delays, back-offs and a pause notwithstanding, and waits until nothing is left.
    pub async fn flush(&self) {
        flush(&self.inner).await;
    }

    /// Releases every hold, stops serving and waits for what is under way, for two seconds at most.
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
        locked(&self.inner.holds).close();
        self.inner.stop.cancel();
        self.inner.tasks.close();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) async fn flush(inner: &Inner) {
    lifecycle::ask(inner);
    {
        let mut outbox = locked(&inner.outbox);
        outbox.paused = false;
        outbox.hurry(tokio::time::Instant::now());
    }
    inner.outbox_changed.notify_one();
    delivery::idle(inner).await;
}
