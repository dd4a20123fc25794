//! The watchdog: whether notifications arrive, messages are handled, agents run and the trail is whole; after every
//! sweep, and whenever an operator asks.
//!
//! It must never fail a sweep, and changes one thing only: it deletes photos that were stored for forgotten users.
//! Everything an operator should act on is one line at WARN with the field `alert`, and says what to do.

mod alerts;
mod backlog;
mod figures;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::audit::{self, Taken};
use photorelay_core::contract::{FoundBy, SweptLast, V1};
use photorelay_core::documents;
use photorelay_core::heartbeats::heartbeats;
use photorelay_core::names::{self, CHECKS_QUEUE, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};
use photorelay_core::target::Targets;
use photorelay_core::telemetry::metrics;

pub(crate) use alerts::AGENT_SILENT_AFTER;
pub use status::{
    Alert, CheckpointState, Glance, GraphState, QueueState, RefusedPhoto, Status, SubscriptionState, TargetState,
    Trail, UnreadableCount, words,
};

use super::notification_activity;
use super::subscribe::Subscribe;
use super::sweep::SweepReport;
use super::unreadable;
use super::user_tally::UserTally;
use crate::graph::{GraphError, GraphUnset};

/// What a sweep of a longer time has counted at its beginning is out of date at its end.
const COUNTS_HOLD: Duration = Duration::from_secs(15 * 60);
/// How long `status` waits for Graph.
const GRAPH_ANSWERS_WITHIN: Duration = Duration::from_secs(40);

#[derive(Debug, Clone)]
pub struct Watch {
    /// Where Graph is configured, as it always is for a sweep.
    subscribe: Result<Arc<Subscribe>, GraphUnset>,
    storage: Storage,
    targets: Targets,
}

impl Watch {
    pub fn new(subscribe: Result<Arc<Subscribe>, GraphUnset>, storage: Storage, targets: Targets) -> Self {
        Self { subscribe, storage, targets }
    }

    /// What remains after a sweep: the daily checkpoint, the photos of forgotten users, and the alerts. Failures are
    /// logged, because the sweep itself is done.
    pub async fn after_sweep(&self, report: &SweepReport, now: Timestamp) {
        if let Err(error) = self.swept(Some(report), now).await {
            tracing::error!(%error, "the watchdog failed; it runs again after the next sweep");
        }
    }

    /// The alerts after a sweep that failed: what made it fail is often one of them.
    pub async fn after_failed_sweep(&self, now: Timestamp) {
        if let Err(error) = self.swept(None, now).await {
            tracing::error!(%error, "the watchdog failed; it runs again after the next sweep");
        }
    }

    /// `None` for a sweep that failed.
    async fn swept(&self, report: Option<&SweepReport>, now: Timestamp) -> Result<(), StoreError> {
        let blobs = &*self.storage.blobs;
        if let Some(report) = report.filter(|report| report.is_complete) {
            let taken = match report.listed.as_ref().and_then(|listed| listed.checkpoint.clone()) {
                Some(prepared) => audit::take_prepared(blobs, prepared, now).await?,
                None => audit::take_checkpoint(blobs, now).await?,
            };
            if let Some(taken) = &taken {
                log_checkpoint(taken);
            }
            self.record(report, taken.as_ref(), now).await?;
        }
        let is_recent = |report: &&SweepReport| report.took < COUNTS_HOLD;
        let tally = match report.filter(is_recent).and_then(|report| report.listed.as_ref()) {
            Some(listed) => listed.tally.clone(),
            None => backlog::tally(blobs, &self.targets).await?,
        };
        backlog::erase_forgotten(blobs, &tally).await?;
        let status = self.inspect(now, &tally).await?;
        figures::save(blobs, &status, report).await?;
        let oldest_check_seconds = status.checks.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs());
        metrics::watched(status.checks.waiting, oldest_check_seconds, status.trail.unacknowledged, status.alerts.len());
        log_state(&status, oldest_check_seconds);
        for alert in &status.alerts {
            tracing::warn!(alert = alert.alert, "{}", alert.text);
        }
        Ok(())
    }

    async fn record(&self, report: &SweepReport, taken: Option<&Taken>, now: Timestamp) -> Result<(), StoreError> {
        let blobs = &*self.storage.blobs;
        let found_by = match taken {
            Some(taken) => Some(FoundBy { notification: taken.changes.by_notification, sweep: taken.changes.by_sweep }),
            None => documents::read::<SweptLast>(blobs, Container::State, names::WATCH)
                .await?
                .and_then(|last| last.found_by),
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
        documents::replace(blobs, Container::State, names::WATCH, &swept).await
    }

    /// The status now. Changes nothing.
    pub async fn status(&self, now: Timestamp) -> Result<Status, StoreError> {
        self.inspect(now, &backlog::tally(&*self.storage.blobs, &self.targets).await?).await
    }

    /// The users whose newest photo was refused, from the storage alone.
    pub async fn refused(storage: &Storage) -> Result<Vec<RefusedPhoto>, StoreError> {
        backlog::refused(&*storage.blobs).await
    }

    /// What a few reads show, without Graph and without counting anyone. Changes nothing.
    pub async fn glance(&self) -> Result<Glance, StoreError> {
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
        Ok(Glance {
            notifications: notification_activity::read(blobs).await?,
            sweep: documents::read(blobs, Container::State, names::WATCH).await?,
            checks: self.queue(CHECKS_QUEUE).await?,
            targets,
            checkpoint,
        })
    }

    async fn inspect(&self, now: Timestamp, tally: &UserTally) -> Result<Status, StoreError> {
        let Glance { notifications, sweep, checks, targets, checkpoint } = self.glance().await?;
        let (graph, subscription) = self.graph(now).await;
        let mut status = Status {
            at: now,
            graph,
            subscription,
            notifications,
            sweep,
            checks,
            targets,
            trail: backlog::of(&self.storage, &self.targets, tally).await?,
            unreadable: unreadable_counts(&*self.storage.blobs).await?,
            checkpoint,
            alerts: Vec::new(),
        };
        status.alerts = alerts::of(&status);
        Ok(status)
    }

    /// Whether Graph answers, and the subscription that reaches this deployment, as it lists it now. Asked even where no
    /// subscription is wanted: the sweep needs Graph too.
    async fn graph(&self, now: Timestamp) -> (GraphState, SubscriptionState) {
        let subscribe = match &self.subscribe {
            Ok(subscribe) => subscribe,
            Err(unset) => {
                let reason = unset.to_string();
                let graph = match unset.has_broken_credential {
                    true => GraphState::CredentialRefused { reason: reason.clone() },
                    false => GraphState::NotAsked { reason: reason.clone() },
                };
                return (graph, SubscriptionState::Unknown { reason });
            }
        };
        let is_configured = subscribe.is_configured();
        let asked = tokio::time::timeout(GRAPH_ANSWERS_WITHIN, subscribe.inspect()).await;
        let found = match asked {
            Ok(Ok(found)) => found,
            failed => {
                let (is_refused, reason) = match failed {
                    Ok(Err(error)) => (is_credential_refused(&error), error.to_string()),
                    _ => (false, format!("no answer within {GRAPH_ANSWERS_WITHIN:?}")),
                };
                let unknown = match is_configured {
                    true => SubscriptionState::Unknown { reason: reason.clone() },
                    false => SubscriptionState::NotConfigured,
                };
                let graph = match is_refused {
                    true => GraphState::CredentialRefused { reason },
                    false => GraphState::Unavailable { reason },
                };
                return (graph, unknown);
            }
        };
        if !is_configured {
            return (GraphState::Answers, SubscriptionState::NotConfigured);
        }
        let ours = found.into_iter().filter(|found| found.matched.is_accepted());
        let alive = ours.map(|found| found.subscription.expires_at).max().filter(|expires_at| *expires_at > now);
        let alive = alive.map_or(SubscriptionState::Missing, |expires_at| SubscriptionState::Alive { expires_at });
        (GraphState::Answers, alive)
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

fn is_credential_refused(error: &GraphError) -> bool {
    matches!(error, GraphError::Token { source, .. } if !source.is_transient())
}

async fn unreadable_counts(blobs: &dyn BlobStore) -> Result<Vec<UnreadableCount>, StoreError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (_, user) in unreadable::list(blobs).await? {
        *counts.entry(user.reason).or_default() += 1;
    }
    Ok(counts.into_iter().map(|(reason, people)| UnreadableCount { reason, people }).collect())
}

/// One line of counts for each sweep: the queries of infra/monitoring read it.
fn log_state(status: &Status, oldest_check_seconds: i64) {
    let trail = &status.trail;
    tracing::info!(
        checks_waiting = status.checks.waiting,
        oldest_check_seconds,
        unacknowledged = trail.unacknowledged,
        held = trail.held,
        refused = trail.refused,
        replaced = trail.replaced,
        contested = trail.contested,
        dry_run = trail.dry_run,
        alerts = status.alerts.len(),
        "state after the sweep"
    );
}

/// The digest in the log is a witness outside the storage: forging the newest checkpoint does not change it.
fn log_checkpoint(taken: &Taken) {
    tracing::info!(day = %taken.day, sha256 = %taken.sha256, people = taken.people, "checkpoint of the trail taken");
    if let Some(user) = taken.cut.first() {
        tracing::error!(
            alert = "trail_cut",
            people = taken.cut.len(),
            user.id = %user,
            "trails end before the entries that the last checkpoint lists: run `photorelay audit verify` and restore them"
        );
    }
}
