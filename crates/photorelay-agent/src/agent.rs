//! The agent as a whole: it consumes the target's queue, reports its health, and reconciles every user now and then.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use photorelay_core::consumer::{Consumer, ConsumerSettings, DrainError};
use photorelay_core::documents;
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::full_reconciliation::{FullReconciliation, FullReconciliationSettings};
use crate::handler::WritebackHandler;
use crate::health::Health;
use crate::publisher::FeedPublisher;
use crate::stop_switch::StopCheck;
use crate::writeback::Reconciler;

/// Messages in flight at once.
const CONCURRENCY: u32 = 32;
/// How long a message is hidden before its lease is renewed.
pub(crate) const DEFAULT_LEASE: Duration = Duration::from_secs(60);
/// The wait between two polls of an empty queue grows from the first to the longest.
const FIRST_POLL: Duration = Duration::from_millis(100);
const LONGEST_POLL: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Agent {
    storage: Storage,
    reconciler: Reconciler,
    queue: String,
    lease: Duration,
    full_reconciliation: Option<FullReconciliationSettings>,
    publisher: Option<FeedPublisher>,
    health: Arc<Health>,
}

/// Why [`Agent::once`] left messages in the queue.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    #[error(transparent)]
    Drain(#[from] DrainError),
    #[error("the agent is {0}")]
    Stopped(String),
}

impl From<StoreError> for OnceError {
    fn from(error: StoreError) -> Self {
        Self::Drain(error.into())
    }
}

impl Agent {
    pub fn new(storage: Storage, reconciler: Reconciler, queue: String) -> Self {
        let health = Arc::new(Health::new());
        Self { storage, reconciler, queue, lease: DEFAULT_LEASE, full_reconciliation: None, publisher: None, health }
    }

    /// Also reconciles every user of the trail, at this interval.
    pub fn with_full_reconciliation(self, settings: Option<FullReconciliationSettings>) -> Self {
        Self { full_reconciliation: settings, ..self }
    }

    /// Also publishes the feed that it writes.
    pub fn with_publisher(self, publisher: Option<FeedPublisher>) -> Self {
        Self { publisher, ..self }
    }

    /// Hides messages for this long instead; one whose agent died is delivered again after it.
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// A full reconciliation by this agent.
    pub fn full_reconciliation(&self, settings: FullReconciliationSettings) -> FullReconciliation {
        let health = Arc::clone(&self.health);
        FullReconciliation::new(&self.storage, self.reconciler.clone(), &self.queue, settings, health)
    }

    /// Works until stopped, then lets what is in flight finish.
    ///
    /// Boxed, so that it is compiled in this crate and not again in every program that has an agent.
    pub fn run(self, stop: CancellationToken) -> BoxFuture<'static, ()> {
        self.work(stop).boxed()
    }

    async fn work(mut self, stop: CancellationToken) {
        self.reconciler = self.reconciler.until(stop.clone());
        let tasks = TaskTracker::new();
        let (agent, until) = (self.clone(), stop.clone());
        tasks.spawn(async move { agent.health.report_until(&until, || agent.write_heartbeat()).await });
        if let Some(settings) = self.full_reconciliation.clone() {
            let (full, until) = (self.full_reconciliation(settings), stop.clone());
            tasks.spawn(async move { full.run_when_due(&until).await });
        }
        let (publishing, publications) = (CancellationToken::new(), TaskTracker::new());
        if let Some(publisher) = self.publisher.clone() {
            let (health, until) = (Arc::clone(&self.health), publishing.clone());
            publications.spawn(async move { publisher.run(&until, |why| health.withhold(why)).await });
        }
        self.consumer().run(&stop).await;
        tasks.close();
        tasks.wait().await;
        // Only now is everything accepted that the last publication should show.
        publishing.cancel();
        publications.close();
        publications.wait().await;
    }

    /// Works until no message is visible, unless the agent is stopped, and reports its health. Also reconciles every user
    /// if that is due: after a dry run was lifted, no message announces what it left out.
    pub async fn once(&self) -> Result<(), OnceError> {
        if let Some(why) = self.stop_check().reason().await? {
            return Err(OnceError::Stopped(why));
        }
        let worked = self.drain_and_reconcile().await;
        if let Some(publisher) = &self.publisher {
            publisher.publish_and_report(|why| self.health.withhold(why)).await;
        }
        self.write_heartbeat().await?;
        Ok(worked?)
    }

    async fn drain_and_reconcile(&self) -> Result<(), DrainError> {
        self.drain().await?;
        let Some(settings) = self.full_reconciliation.clone() else { return Ok(()) };
        let full = self.full_reconciliation(settings);
        if !full.is_due().await? {
            return Ok(());
        }
        match full.run(&CancellationToken::new()).await {
            Ok(_) => self.drain().await,
            Err(error) => {
                let reason = error.to_string();
                self.health.pause(Some(&reason));
                Err(DrainError::GivenBack { reason })
            }
        }
    }

    /// Works until no message is visible.
    pub async fn drain(&self) -> Result<(), DrainError> {
        self.consumer().drain().await
    }

    fn consumer(&self) -> Consumer<WritebackHandler> {
        let handler = WritebackHandler::new(self.reconciler.clone(), self.stop_check(), Arc::clone(&self.health));
        let settings = ConsumerSettings {
            concurrency: CONCURRENCY,
            batch_size: CONCURRENCY,
            lease: self.lease,
            first_poll: FIRST_POLL,
            longest_poll: LONGEST_POLL,
            dead_letters: Container::Agents,
        };
        Consumer::new(self.storage.clone(), self.queue.clone(), handler, settings)
    }

    fn stop_check(&self) -> StopCheck {
        StopCheck::new(&self.storage.blobs, &self.reconciler.settings().target)
    }

    /// How the agent is, what it did, and how much of the day's quota is used.
    async fn write_heartbeat(&self) -> Result<(), StoreError> {
        self.reconciler.settle_target().await;
        let (blobs, own) = (&*self.storage.blobs, self.reconciler.settings());
        let name = names::heartbeat(&own.target, &own.agent);
        documents::replace(blobs, Container::Agents, &name, &self.health.heartbeat(own)).await?;
        self.reconciler.save_counts().await
    }
}
