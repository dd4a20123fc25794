//! Feeds write-backs from a target's queue: bounded, one person at a time, growing delays for items that fail alone,
//! a pause for everything while the storage or the target is down.
//!
//! Several agents may work on one queue. An item that fails for good ends in the poison queue with its reason.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use photorelay_core::contract::WriteBack;
use photorelay_core::dead_letter::dead_letter;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
use photorelay_core::queue::{Delivery, Leased, MessageBody, Outgoing};
use photorelay_core::retry;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use photorelay_core::telemetry::{self, metrics};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use tracing::field::Empty;

use crate::documents;
use crate::full_reconciliation::FullReconciliationSettings;
use crate::health::Health;
use crate::operate::switch;
use crate::writeback::{WriteBackError, WriteBacks};

/// Items worked on side by side.
const CONCURRENCY: usize = 8;
/// How long an item is hidden before its lease has to be renewed.
pub(crate) const DEFAULT_LEASE: Duration = Duration::from_secs(60);
/// The wait between two looks at an empty queue grows from the one to the other.
const FIRST_POLL: Duration = Duration::from_millis(100);
const POLL: Duration = Duration::from_secs(5);
/// How often the agent says how it is.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How often it is seen whether the daily pass is due.
const PASS_CHECK: Duration = Duration::from_secs(300);
/// An item that fails alone is tried so often before it is dead-lettered.
const MAX_DELIVERIES: u32 = 12;
const FIRST_DELAY: Duration = Duration::from_secs(5);
const MAX_DELAY: Duration = Duration::from_secs(3600);
/// Locks that people share by the hash of their id: more than items can be in flight.
const LOCKS: usize = 64;

#[derive(Debug, Clone)]
pub struct Agent {
    pub(crate) storage: Storage,
    pub(crate) writebacks: WriteBacks,
    pub(crate) queue: String,
    /// Held while a person is worked on: two writes for one person are never in flight together.
    people: Arc<[Mutex<()>; LOCKS]>,
    lease: Duration,
    pass: Option<FullReconciliationSettings>,
    health: Arc<Health>,
}

/// Why items are left.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the storage or the target does not work now; its items stay in the queue, and the log says why")]
    Down,
    #[error("the agent is {0}")]
    Stopped(String),
}

/// Whether the agent can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Availability {
    Up,
    Down,
}

impl Agent {
    pub fn new(storage: Storage, writebacks: WriteBacks, queue: String) -> Self {
        Self {
            storage,
            writebacks,
            queue,
            people: Arc::new([const { Mutex::const_new(()) }; LOCKS]),
            lease: DEFAULT_LEASE,
            pass: None,
            health: Arc::new(Health::new()),
        }
    }

    /// Also looks at everybody in the trail, at this interval.
    pub fn with_pass(self, pass: Option<FullReconciliationSettings>) -> Self {
        Self { pass, ..self }
    }

    /// Hides items for this long instead; an item whose agent died comes back after it.
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Works until told to stop, then lets what is under way finish.
    pub async fn run(mut self, stop: CancellationToken) {
        self.writebacks = self.writebacks.until(stop.clone());
        let tasks = TaskTracker::new();
        let (agent, until) = (self.clone(), stop.clone());
        tasks.spawn(async move { agent.beat(&until).await });
        if let Some(pass) = self.pass.clone() {
            let (agent, until) = (self.clone(), stop.clone());
            tasks.spawn(async move { agent.pass_daily(&pass, &until).await });
        }
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let (down, mut is_down) = tokio::sync::watch::channel(0_u32);
        let down = Arc::new(down);
        let mut idle = FIRST_POLL;
        let mut switch_seen: Option<Instant> = None;
        while !stop.is_cancelled() {
            let failures = *is_down.borrow_and_update();
            if failures > 0 {
                let pause = retry::backoff(Duration::from_secs(1), Duration::from_secs(60), failures - 1);
                wait(&stop, tokio::time::sleep(pause)).await;
            }
            if switch_seen.is_none_or(|seen| seen.elapsed() >= switch::LOOK_EVERY) {
                match switch::stopped(&self.storage, &self.writebacks.settings().target).await {
                    Ok(None) => switch_seen = Some(Instant::now()),
                    Ok(Some(why)) => {
                        tracing::warn!(why, "the agent takes no item");
                        self.health.pause(Some(&why));
                        switch_seen = None;
                        wait(&stop, tokio::time::sleep(idle)).await;
                        idle = (idle * 2).min(POLL);
                        continue;
                    }
                    Err(error) => {
                        self.pause(&format!("the storage cannot be read: {error}"));
                        down.send_modify(|count| *count += 1);
                        continue;
                    }
                }
            }
            let Some(mut held) = free(&permits, &stop).await else { break };
            // While something is down, one item at a time finds out whether it is up again.
            let wanted = if failures > 0 { 1 } else { held.num_permits() };
            match self.storage.queues.receive(&self.queue, wanted as u32, self.lease).await {
                Ok(batch) => {
                    let empty = batch.is_empty();
                    if empty || failures == 0 {
                        self.health.pause(None);
                    }
                    for delivery in batch {
                        let permit = held.split(1);
                        let (agent, down) = (self.clone(), Arc::clone(&down));
                        tasks.spawn(async move {
                            let health = agent.handle(delivery).await;
                            // What fails side by side is one failure: the next pause is one step longer, not eight.
                            down.send_modify(|count| {
                                *count = if health == Availability::Down { failures + 1 } else { 0 }
                            });
                            drop(permit);
                        });
                    }
                    drop(held);
                    if empty {
                        wait(&stop, self.storage.queues.wait(&self.queue, idle)).await;
                        idle = (idle * 2).min(POLL);
                    } else {
                        idle = FIRST_POLL;
                    }
                }
                Err(error) => {
                    self.pause(&format!("the queue {} cannot be read: {error}", self.queue));
                    down.send_modify(|count| *count += 1);
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    fn pause(&self, why: &str) {
        tracing::error!(reason = why, "the agent pauses and keeps its items");
        self.health.pause(Some(why));
    }

    /// Writes the heartbeat at the start, every minute, whenever the agent pauses or goes on, and at the end.
    async fn beat(&self, stop: &CancellationToken) {
        loop {
            let stopping = stop.is_cancelled();
            if let Err(error) = self.write_heartbeat().await {
                tracing::warn!(%error, "the heartbeat could not be written");
            }
            if stopping {
                return;
            }
            let next = async {
                tokio::select! {
                    () = tokio::time::sleep(HEARTBEAT) => {}
                    () = self.health.changed.notified() => {}
                }
            };
            wait(stop, next).await;
        }
    }

    /// How the agent is, and how much of the day's budget is used.
    async fn write_heartbeat(&self) -> Result<(), StoreError> {
        let (blobs, own) = (&*self.storage.blobs, self.writebacks.settings());
        let name = names::heartbeat(&own.target, &own.agent);
        documents::put(blobs, Container::Agents, &name, &self.health.heartbeat(own)).await?;
        self.writebacks.settle_budget().await
    }

    async fn pass_daily(&self, pass: &FullReconciliationSettings, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let result = async {
                if self.pass_is_due(pass).await? {
                    self.pass(pass, stop).await?;
                }
                Ok::<_, WriteBackError>(())
            };
            if let Err(error) = result.await {
                tracing::warn!(%error, "the daily pass goes on later where it ended");
            }
            wait(stop, tokio::time::sleep(PASS_CHECK)).await;
        }
    }

    /// Works until no item is visible, unless the agent is stopped, and says how it was.
    pub async fn once(&self) -> Result<(), DrainError> {
        if let Some(why) = switch::stopped(&self.storage, &self.writebacks.settings().target).await? {
            return Err(DrainError::Stopped(why));
        }
        let drained = self.drain().await;
        self.write_heartbeat().await?;
        drained
    }

    /// Works until no item is visible.
    pub async fn drain(&self) -> Result<(), DrainError> {
        loop {
            let batch = self.storage.queues.receive(&self.queue, CONCURRENCY as u32, self.lease).await?;
            if batch.is_empty() {
                return Ok(());
            }
            let health = futures::future::join_all(batch.into_iter().map(|delivery| self.handle(delivery))).await;
            if health.contains(&Availability::Down) {
                return Err(DrainError::Down);
            }
        }
    }

    /// Brings up the person whom an item names, and settles what becomes of the item.
    async fn handle(&self, delivery: Delivery) -> Availability {
        let mut delivery = delivery;
        let result = self.work_leased(&mut delivery).await;
        self.remember(&delivery, &result);
        let (settled, health) = match result {
            Ok(()) => (self.storage.queues.delete(&self.queue, &delivery).await.map(drop), Availability::Up),
            Err(WriteBackError::Hopeless(reason)) => (self.dead_letter(&delivery, &reason).await, Availability::Up),
            Err(WriteBackError::Failed(reason)) if delivery.dequeue_count >= MAX_DELIVERIES => {
                (self.dead_letter(&delivery, &reason).await, Availability::Up)
            }
            Err(WriteBackError::Failed(reason)) => {
                metrics::written_back("failed");
                let delay = retry::backoff(FIRST_DELAY, MAX_DELAY, delivery.dequeue_count.saturating_sub(1));
                tracing::warn!(message.id = delivery.id, reason, ?delay, "the item is tried again later");
                (self.storage.queues.renew(&self.queue, &delivery, delay).await.map(drop), Availability::Up)
            }
            Err(WriteBackError::Down(reason)) => {
                metrics::written_back("down");
                self.pause(&reason);
                (self.give_back(&delivery).await, Availability::Down)
            }
        };
        if let Err(error) = settled {
            // Its lease ends, and it is delivered again: bringing somebody up twice is harmless.
            tracing::warn!(message.id = delivery.id, %error, "the item could not be settled");
        }
        health
    }

    async fn work_leased(&self, delivery: &mut Delivery) -> Result<(), WriteBackError> {
        let body = match &delivery.body {
            MessageBody::Bytes(bytes) => bytes.clone(),
            MessageBody::Undecodable(_) => {
                let reason = "the message is not base64: it was not sent by photorelay".to_owned();
                return Err(WriteBackError::Hopeless(reason));
            }
        };
        let (user, message) = self.writebacks.read(&body)?;
        let work = self.bring_up_alone(user, &message);
        let span = tracing::info_span!("writeback", user.id = %user, seq = message.data.seq, trace.id = Empty);
        telemetry::step(&span, message.traceparent.as_deref());
        let mut work = Box::pin(work.instrument(span));
        let mut renewal = tokio::time::interval(self.lease / 3);
        renewal.tick().await;
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = renewal.tick() => match self.storage.queues.renew(&self.queue, delivery, self.lease).await {
                    Ok(Leased::Yes(receipt)) => delivery.receipt = receipt,
                    // Another agent has it by now; comparing before replacing makes both harmless.
                    Ok(Leased::Lost) => {}
                    Err(error) => tracing::warn!(message.id = delivery.id, %error, "lease not renewed"),
                },
            }
        }
    }

    /// Brings the person up while nobody else of this process works on them.
    pub(crate) async fn bring_up_alone(&self, user: UserId, message: &WriteBack) -> Result<(), WriteBackError> {
        let _alone = self.people[lock_of(user)].lock().await;
        self.writebacks.bring_up(user, message).await.map(drop)
    }

    /// What the heartbeat says of this item.
    fn remember(&self, delivery: &Delivery, result: &Result<(), WriteBackError>) {
        let MessageBody::Bytes(body) = &delivery.body else { return };
        let Ok((user, message)) = self.writebacks.read(body) else { return };
        let item = (user, message.data.seq);
        match result {
            Ok(()) => self.health.finished(item, true),
            Err(WriteBackError::Hopeless(_)) => self.health.finished(item, false),
            Err(WriteBackError::Failed(_)) if delivery.dequeue_count >= MAX_DELIVERIES => {
                self.health.finished(item, false);
            }
            Err(_) => self.health.unfinished(item, delivery.inserted_at),
        }
    }

    /// Puts the item back as a new message, so that a time when nothing works burns none of its deliveries.
    async fn give_back(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let MessageBody::Bytes(body) = &delivery.body else { return Ok(()) };
        self.storage.queues.send(&self.queue, vec![Outgoing::now(body.clone())]).await?;
        self.storage.queues.delete(&self.queue, delivery).await.map(drop)
    }

    async fn dead_letter(&self, delivery: &Delivery, reason: &str) -> Result<(), StoreError> {
        let body = match &delivery.body {
            MessageBody::Bytes(bytes) => bytes.to_vec(),
            MessageBody::Undecodable(text) => text.clone().into_bytes(),
        };
        dead_letter(&self.storage, Container::Agents, &self.queue, &body, reason).await?;
        self.storage.queues.delete(&self.queue, delivery).await.map(drop)
    }
}

fn lock_of(user: UserId) -> usize {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    hasher.finish() as usize % LOCKS
}

/// Every permit that is free, at least one; none when it is time to stop.
async fn free(permits: &Arc<Semaphore>, stop: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    let mut held = tokio::select! {
        permit = Arc::clone(permits).acquire_owned() => permit.ok()?,
        () = stop.cancelled() => return None,
    };
    while let Ok(permit) = Arc::clone(permits).try_acquire_owned() {
        held.merge(permit);
    }
    Some(held)
}

async fn wait(stop: &CancellationToken, waiting: impl Future<Output = ()>) {
    tokio::select! {
        () = waiting => {}
        () = stop.cancelled() => {}
    }
}
