//! The watchdog: whether notifications come, messages are handled, agents live and the trail is whole; after every
//! sweep, and whenever an operator asks.
//!
//! It must never fail a sweep, and never repairs anything but one: it deletes what was stored for people who were
//! forgotten. Whatever somebody should do something about is one line at WARN with `alert`, and says what to do.

mod alerts;
mod backlog;
mod status;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::audit::{self, Taken};
use photorelay_core::contract::{self, FoundBy, Heartbeat, MAX_CONTRACT_BYTES, SweptLast, V1};
use photorelay_core::names::{self, CHECKS_QUEUE, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, Metadata, StoreError, list_all};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::metrics;

pub use alerts::Alert;
pub use status::{CheckpointState, QueueState, Status, SubscriptionState, TargetState, Trail};

use super::notification_activity;
use super::subscribe::Subscribe;
use super::sweep::SweepReport;

#[derive(Debug, Clone)]
pub struct Watch {
    subscribe: Arc<Subscribe>,
    storage: Storage,
    targets: Targets,
}

impl Watch {
    pub fn new(subscribe: Arc<Subscribe>, storage: Storage, targets: Targets) -> Self {
        Self { subscribe, storage, targets }
    }

    /// What a sweep leaves to be done: the daily checkpoint, the photos of forgotten people, and the alerts. Problems
    /// are logged, because the sweep itself is done.
    pub async fn after_sweep(&self, report: &SweepReport, now: Timestamp) {
        if let Err(error) = self.swept(report, now).await {
            tracing::error!(%error, "the watchdog could not look; it looks again after the next sweep");
        }
    }

    async fn swept(&self, report: &SweepReport, now: Timestamp) -> Result<(), StoreError> {
        let blobs = &*self.storage.blobs;
        if report.is_complete {
            let taken = audit::take_checkpoint(blobs, now).await?;
            if let Some(taken) = &taken {
                tell(taken);
            }
            self.remember(report, taken.as_ref(), now).await?;
        }
        let status = self.look(now, true).await?;
        metrics::watched(
            status.checks.waiting,
            status.checks.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs()),
            status.trail.unacknowledged,
            status.alerts.len(),
        );
        for alert in &status.alerts {
            tracing::warn!(alert = alert.alert, "{}", alert.text);
        }
        Ok(())
    }

    async fn remember(&self, report: &SweepReport, taken: Option<&Taken>, now: Timestamp) -> Result<(), StoreError> {
        let blobs = &*self.storage.blobs;
        let found_by = match taken {
            Some(taken) => Some(FoundBy { notification: taken.changes.by_notification, sweep: taken.changes.by_sweep }),
            None => read::<SweptLast>(blobs, Container::State, names::WATCH).await?.and_then(|last| last.found_by),
        };
        let swept = SweptLast {
            v: V1,
            at: now,
            people: report.people as u64,
            with_photo: report.with_photo as u64,
            differing: report.differing as u64,
            missing: report.missing as u64,
            found_by,
        };
        let content = Bytes::from(contract::to_bytes(&swept));
        blobs.put(Container::State, names::WATCH, "application/json", content, &Metadata::new()).await
    }

    /// How everything is now.
    pub async fn status(&self, now: Timestamp) -> Result<Status, StoreError> {
        self.look(now, false).await
    }

    async fn look(&self, now: Timestamp, deletes_forgotten: bool) -> Result<Status, StoreError> {
        let blobs = &*self.storage.blobs;
        let mut targets = Vec::new();
        let heartbeats = heartbeats(blobs).await?;
        for target in self.targets.all() {
            let agents = heartbeats.iter().filter(|heartbeat| heartbeat.target == target.name).cloned().collect();
            targets.push(TargetState { name: target.name.clone(), queue: self.queue(&target.queue).await?, agents });
        }
        let checkpoint = audit::newest_checkpoint(blobs).await?.map(|stored| CheckpointState {
            day: stored.day,
            sha256: stored.sha256,
            people: stored.checkpoint.ok().map(|checkpoint| checkpoint.people),
        });
        let mut status = Status {
            at: now,
            subscription: self.subscription(now).await,
            notifications: notification_activity::read(blobs).await?,
            sweep: read(blobs, Container::State, names::WATCH).await?,
            checks: self.queue(CHECKS_QUEUE).await?,
            targets,
            trail: backlog::take(&self.storage, &self.targets, deletes_forgotten).await?,
            checkpoint,
            alerts: Vec::new(),
        };
        status.alerts = alerts::of(&status);
        Ok(status)
    }

    /// The subscription that reaches us, as Graph tells it now.
    async fn subscription(&self, now: Timestamp) -> SubscriptionState {
        if !self.subscribe.is_configured() {
            return SubscriptionState::NotConfigured;
        }
        match self.subscribe.inspect().await {
            Err(error) => SubscriptionState::Unknown { reason: error.to_string() },
            Ok(found) => {
                let ours = found.into_iter().filter(|found| found.fit.is_accepted());
                match ours.map(|found| found.subscription.expires_at).max().filter(|expires_at| *expires_at > now) {
                    Some(expires_at) => SubscriptionState::Alive { expires_at },
                    None => SubscriptionState::Missing,
                }
            }
        }
    }

    async fn queue(&self, queue: &str) -> Result<QueueState, StoreError> {
        let queues = &*self.storage.queues;
        let poison = match queues.count(&names::poison_queue(queue)).await {
            Ok(count) => count,
            // Nothing was ever dead-lettered.
            Err(StoreError::Missing { .. } | StoreError::Invalid { .. }) => 0,
            Err(error) => return Err(error),
        };
        Ok(QueueState { waiting: queues.count(queue).await?, oldest: queues.oldest(queue).await?, poison })
    }
}

/// The digest in the log is a witness outside the storage: whoever forges the newest checkpoint cannot change it.
fn tell(taken: &Taken) {
    tracing::info!(day = %taken.day, sha256 = %taken.sha256, people = taken.people, "checkpoint of the trail taken");
    if let Some(user) = taken.cut.first() {
        tracing::error!(
            alert = "trail_cut",
            people = taken.cut.len(),
            user.id = %user,
            "trails end before what the last checkpoint has known: run `photorelay audit verify` and restore the entries"
        );
    }
}

async fn heartbeats(blobs: &dyn BlobStore) -> Result<Vec<Heartbeat>, StoreError> {
    let mut heartbeats = Vec::new();
    for listed in list_all(blobs, Container::Agents, names::HEARTBEATS_PREFIX).await? {
        heartbeats.extend(read(blobs, Container::Agents, &listed.name).await?);
    }
    Ok(heartbeats)
}

/// What cannot be read counts as not there.
async fn read<C: contract::Contract>(
    blobs: &dyn BlobStore,
    container: Container,
    name: &str,
) -> Result<Option<C>, StoreError> {
    match blobs.get(container, name, MAX_CONTRACT_BYTES as u64).await {
        Ok(bytes) => Ok(bytes.and_then(|bytes| contract::parse(&bytes).ok())),
        Err(StoreError::TooLarge { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
