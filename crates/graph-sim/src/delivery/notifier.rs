//! What delivery owns: the outbox, the state of each endpoint, and the client that calls them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::locked::locked;
use crate::model::TenantModel;
use crate::settings::{SharedSettings, SimSettings};

use super::endpoint_state::EndpointStates;
use super::outbox::Outbox;

#[derive(Debug)]
pub(crate) struct Notifier {
    pub(crate) tenant: Arc<TenantModel>,
    pub(crate) settings: SharedSettings,
    /// The app in whose name partner topics receive events.
    pub(crate) app_id: Uuid,
    pub(crate) http: reqwest::Client,
    pub(crate) outbox: Mutex<Outbox>,
    pub(crate) endpoints: Mutex<EndpointStates>,
    /// What was sent to event hubs and partner topics, one text for each event.
    pub(crate) events: Mutex<Vec<String>>,
    /// Wakes the pump when something is due earlier than it knows.
    pub(crate) changed: Notify,
    /// Signaled whenever the outbox may have become empty.
    pub(crate) drained: Notify,
}

impl Notifier {
    pub(crate) fn new(
        tenant: Arc<TenantModel>,
        settings: SharedSettings,
        app_id: Uuid,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self {
            tenant,
            settings,
            app_id,
            http,
            outbox: Mutex::new(Outbox::new(seed)),
            endpoints: Mutex::default(),
            events: Mutex::default(),
            changed: Notify::new(),
            drained: Notify::new(),
        })
    }

    /// Looks at the outbox, the clock and the settings again.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Collects notifications instead of sending them.
    pub(crate) fn set_paused(&self, paused: bool) {
        locked(&self.outbox).paused = paused;
        self.wake();
    }

    /// Makes everything that waits due now and ends a pause.
    pub(crate) fn hurry(&self) {
        {
            let mut outbox = locked(&self.outbox);
            outbox.paused = false;
            outbox.hurry(Instant::now());
        }
        self.wake();
    }

    /// Waits until every notification was delivered or dropped.
    pub(crate) async fn idle(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if locked(&self.outbox).is_empty() {
                return;
            }
            drained.await;
        }
    }
}

/// A wait of the delivery by the real clock.
pub(crate) fn scaled(settings: &SimSettings, ms: u64) -> Duration {
    Duration::from_secs_f64((ms as f64 / 1000.0 * settings.time_scale).clamp(0.0, 1e9))
}
