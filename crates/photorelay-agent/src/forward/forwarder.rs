//! The forwarding agent as a whole: consumes the queue of its target and reports its health, like every agent.

use std::sync::Arc;
use std::time::Duration;

use photorelay_core::consumer::{Consumer, ConsumerSettings, DrainError};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::handler::ForwardHandler;
use super::receiver::Receiver;
use crate::health::Health;
use crate::writeback::WritebackSettings;

/// Requests in flight at once.
const CONCURRENCY: u32 = 4;
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(5);

/// Which agent this is, and how it takes messages.
#[derive(Debug, Clone)]
pub struct ForwardSettings {
    pub own: WritebackSettings,
    pub queue: String,
    pub lease: Duration,
}

#[derive(Debug, Clone)]
pub struct Forwarder {
    storage: Storage,
    settings: ForwardSettings,
    consumer: Consumer<ForwardHandler>,
    health: Arc<Health>,
}

impl Forwarder {
    pub fn new(storage: &Storage, receiver: Receiver, settings: ForwardSettings) -> Self {
        let health = Arc::new(Health::new());
        let handler = ForwardHandler::new(storage, receiver, &settings.own, Arc::clone(&health));
        let consuming = ConsumerSettings {
            concurrency: CONCURRENCY,
            batch_size: CONCURRENCY,
            lease: settings.lease,
            first_poll: FIRST_POLL,
            longest_poll: LONGEST_POLL,
            dead_letters: Container::Agents,
        };
        let consumer = Consumer::new(storage.clone(), &settings.queue, handler, consuming);
        Self { storage: storage.clone(), settings, consumer, health }
    }

    /// Forwards until stopped, then lets what is in flight finish.
    pub async fn run(&self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let (forwarder, until) = (self.clone(), stop.clone());
        tasks.spawn(async move { forwarder.health.report_until(&until, || forwarder.write_heartbeat()).await });
        self.consumer.run(&stop).await;
        tasks.close();
        tasks.wait().await;
    }

    /// Forwards until no message is visible.
    pub async fn drain(&self) -> Result<(), DrainError> {
        self.consumer.drain().await
    }

    async fn write_heartbeat(&self) -> Result<(), StoreError> {
        let own = &self.settings.own;
        let name = names::heartbeat(&own.target, &own.agent);
        documents::replace(&*self.storage.blobs, Container::Agents, &name, &self.health.heartbeat(own)).await?;
        self.consumer.handler().save_figures().await
    }
}
