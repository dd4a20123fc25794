//! The queue consumer: receives messages under permits, renews their leases while they are handled, and settles each
//! one as its handler decided.
//!
//! A permit is acquired before a message is received and held until the message is settled, which bounds the messages
//! in flight. While a dependency is down, messages keep their delivery counts, and one message at a time probes whether
//! the dependency has recovered. This module must never delete a message before its outcome is stored. A message that
//! cannot be settled is delivered again when its lease expires, so handlers must be idempotent. It owns the failures "a
//! lease expired during long work" and "the storage or the target is down".

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dead_letter::dead_letter;
use crate::names::Container;
use crate::queue::{Delivery, Leased, MessageBody, Outgoing, PopReceipt};
use crate::retry;
use crate::storage::Storage;
use crate::store::StoreError;

/// The pause grows between these bounds while receiving or handling keeps failing.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between two polls of an empty queue that is worked off.
const WORK_OFF_POLL: Duration = Duration::from_millis(250);

/// How a message is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Deleted.
    Done,
    /// Moved to the poison queue and stored as a blob with the reason.
    DeadLetter { reason: String },
    /// Hidden for the delay, then delivered again with a higher delivery count.
    RetryIn { delay: Duration, reason: String },
    /// Sent again as a new message, and the consumer pauses: a dependency is down, which is not the message's fault.
    GiveBack { reason: String },
}

/// Whether messages may be received now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// An operator has stopped the work: nothing is received, and the consumer checks again soon.
    Stopped,
    /// The answer is unknown: the consumer pauses as if a dependency were down.
    Unavailable {
        reason: String,
    },
}

/// Handles the messages of one queue.
#[async_trait]
pub trait MessageHandler: Send + Sync + 'static {
    /// Handles one message. May run twice for the same message, even concurrently.
    async fn handle(&self, delivery: &Delivery, body: &Bytes) -> Disposition;

    /// Called before messages are received.
    async fn admit(&self) -> Admission {
        Admission::Open
    }

    /// Called when the consumer pauses, with the reason; messages stay in the queue.
    fn paused(&self, reason: &str);

    /// Called when messages can be received and the last ones found no dependency down.
    fn resumed(&self) {}
}

#[derive(Debug, Clone, Copy)]
pub struct ConsumerSettings {
    /// The maximum number of messages in flight.
    pub concurrency: u32,
    /// The maximum number of messages that one call receives, 1 to 32.
    pub batch_size: u32,
    /// The lease of a received message. If the process dies, the message is delivered again after this time.
    pub lease: Duration,
    /// The interval between polls of an empty queue grows between these bounds.
    pub first_poll: Duration,
    pub longest_poll: Duration,
    /// The container for the blobs of dead letters; this program must be allowed to write to it.
    pub dead_letters: Container,
}

/// Why a queue could not be drained.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("messages remain in the queue: {reason}")]
    GivenBack { reason: String },
}

/// A batch of messages that were all settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub received: usize,
    /// Why a message was given back, if any was.
    pub given_back: Option<String>,
}

/// Cheap to clone; clones share the handler.
#[derive(Debug)]
pub struct Consumer<H> {
    storage: Storage,
    queue: String,
    handler: Arc<H>,
    settings: ConsumerSettings,
}

impl<H> Clone for Consumer<H> {
    fn clone(&self) -> Self {
        let Self { storage, queue, handler, settings } = self;
        Self { storage: storage.clone(), queue: queue.clone(), handler: Arc::clone(handler), settings: *settings }
    }
}

impl<H: MessageHandler> Consumer<H> {
    pub fn new(storage: Storage, queue: impl Into<String>, handler: H, settings: ConsumerSettings) -> Self {
        Self { storage, queue: queue.into(), handler: Arc::new(handler), settings }
    }

    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// Consumes messages until stopped, then waits for those in flight.
    pub async fn run(&self, stop: &CancellationToken) {
        let tasks = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(self.settings.concurrency as usize));
        // Concurrent failures count as one: the next pause is one step longer, not one step for each message.
        let failures = Arc::new(AtomicU32::new(0));
        let mut poll = self.settings.first_poll;
        while !stop.is_cancelled() {
            let failed = failures.load(Ordering::Relaxed);
            if failed > 0 {
                let pause = retry::backoff(FIRST_PAUSE, LONGEST_PAUSE, failed - 1);
                until(stop, tokio::time::sleep(pause)).await;
            }
            let Some(mut permits) = self.take_permits(&permits, failed, stop).await else { break };
            let received = match self.handler.admit().await {
                Admission::Open => self.receive(permits.num_permits()).await.map_err(|error| error.to_string()),
                Admission::Stopped => {
                    until(stop, tokio::time::sleep(poll)).await;
                    poll = (poll * 2).min(self.settings.longest_poll);
                    continue;
                }
                Admission::Unavailable { reason } => Err(reason),
            };
            let batch = match received {
                Ok(batch) => batch,
                Err(reason) => {
                    self.handler.paused(&reason);
                    failures.store(failed + 1, Ordering::Relaxed);
                    continue;
                }
            };
            if batch.is_empty() {
                failures.store(0, Ordering::Relaxed);
            }
            if batch.is_empty() || failed == 0 {
                self.handler.resumed();
            }
            let is_empty = batch.is_empty();
            for delivery in batch {
                let permit = permits.split(1);
                let (consumer, failures) = (self.clone(), Arc::clone(&failures));
                tasks.spawn(async move {
                    let given_back = consumer.process(delivery).await;
                    failures.store(given_back.map_or(0, |_| failed + 1), Ordering::Relaxed);
                    drop(permit);
                });
            }
            drop(permits);
            poll = match is_empty {
                true => {
                    until(stop, self.storage.queues.wait(&self.queue, poll)).await;
                    (poll * 2).min(self.settings.longest_poll)
                }
                false => self.settings.first_poll,
            };
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Consumes messages until none is visible or one had to be given back.
    pub async fn drain(&self) -> Result<(), DrainError> {
        loop {
            match self.process_batch().await? {
                Batch { given_back: Some(reason), .. } => return Err(DrainError::GivenBack { reason }),
                Batch { received: 0, .. } => return Ok(()),
                Batch { .. } => {}
            }
        }
    }

    /// Handles messages as they come, at most so many at once and beside other consumers, until `no_more` says that the
    /// last ones were sent and none is visible or in flight; or until stopped.
    pub async fn work_off(
        &self,
        at_once: usize,
        no_more: &CancellationToken,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let poll = self.settings.first_poll.min(WORK_OFF_POLL);
        let mut in_flight = JoinSet::new();
        while !stop.is_cancelled() {
            let is_last_poll = no_more.is_cancelled() && in_flight.is_empty();
            let room = at_once.max(1).saturating_sub(in_flight.len());
            let received = if room == 0 { Ok(Vec::new()) } else { self.receive(room).await };
            let batch = match received {
                Ok(batch) => batch,
                Err(error) => {
                    // What is half done would be redelivered.
                    while in_flight.join_next().await.is_some() {}
                    return Err(error);
                }
            };
            if batch.is_empty() && is_last_poll {
                break;
            }
            let is_idle = batch.is_empty();
            for delivery in batch {
                let consumer = self.clone();
                in_flight.spawn(async move { consumer.process(delivery).await });
            }
            let is_full = in_flight.len() >= at_once;
            if !is_idle && !is_full {
                continue;
            }
            let is_more_expected = !no_more.is_cancelled();
            tokio::select! {
                Some(_) = in_flight.join_next() => {}
                () = self.storage.queues.wait(&self.queue, poll), if !is_full => {}
                () = no_more.cancelled(), if is_more_expected => {}
                () = stop.cancelled() => {}
            }
        }
        while in_flight.join_next().await.is_some() {}
        Ok(())
    }

    /// Receives one batch and settles all its messages.
    pub async fn process_batch(&self) -> Result<Batch, StoreError> {
        let batch = self.receive(self.settings.concurrency as usize).await?;
        let received = batch.len();
        let given_back = futures::future::join_all(batch.into_iter().map(|delivery| self.process(delivery))).await;
        Ok(Batch { received, given_back: given_back.into_iter().flatten().next() })
    }

    async fn receive(&self, most: usize) -> Result<Vec<Delivery>, StoreError> {
        let most = u32::try_from(most).unwrap_or(u32::MAX).min(self.settings.batch_size);
        self.storage.queues.receive(&self.queue, most, self.settings.lease).await
    }

    /// Handles and settles one message. Returns why it was given back, if it was.
    async fn process(&self, mut delivery: Delivery) -> Option<String> {
        let disposition = match delivery.body.clone() {
            MessageBody::Bytes(body) => self.handle_leased(&mut delivery, &body).await,
            MessageBody::Undecodable(_) => Disposition::DeadLetter {
                reason: "the message is not base64: it was not sent by photorelay".to_owned(),
            },
        };
        if let Err(error) = self.settle(&delivery, &disposition).await {
            tracing::warn!(
                queue = self.queue,
                message.id = delivery.id,
                %error,
                "the message could not be settled and is delivered again when its lease ends"
            );
        }
        match disposition {
            Disposition::GiveBack { reason } => {
                self.handler.paused(&reason);
                Some(reason)
            }
            _ => None,
        }
    }

    /// Runs the handler and renews the lease concurrently, so that a slow renewal never delays the work. Waits for a
    /// renewal in progress when the work ends, because it replaces the receipt that settles the message.
    async fn handle_leased(&self, delivery: &mut Delivery, body: &Bytes) -> Disposition {
        let done = CancellationToken::new();
        let work = async {
            let _done = done.clone().drop_guard();
            self.handler.handle(delivery, body).await
        };
        let (disposition, receipt) = tokio::join!(work, self.renew_until(&done, delivery));
        delivery.receipt = receipt;
        disposition
    }

    async fn renew_until(&self, done: &CancellationToken, delivery: &Delivery) -> PopReceipt {
        let mut leased = delivery.clone();
        loop {
            tokio::select! {
                () = done.cancelled() => return leased.receipt,
                () = tokio::time::sleep(self.settings.lease / 3) => {}
            }
            match self.storage.queues.renew(&self.queue, &leased, self.settings.lease).await {
                Ok(Leased::Yes(receipt)) => leased.receipt = receipt,
                // Another consumer has received the message; handling it twice is harmless.
                Ok(Leased::Lost) => {}
                Err(error) => {
                    tracing::warn!(queue = self.queue, message.id = leased.id, %error, "the lease was not renewed");
                }
            }
        }
    }

    async fn settle(&self, delivery: &Delivery, disposition: &Disposition) -> Result<(), StoreError> {
        let queues = &self.storage.queues;
        match disposition {
            Disposition::Done => {}
            Disposition::RetryIn { delay, reason } => {
                tracing::warn!(queue = self.queue, message.id = delivery.id, reason, ?delay, "the message is retried");
                return queues.renew(&self.queue, delivery, *delay).await.map(drop);
            }
            Disposition::DeadLetter { reason } => {
                let body = delivery.body.as_bytes();
                dead_letter(&self.storage, self.settings.dead_letters, &self.queue, body, reason).await?;
            }
            // A new message, so that an outage does not use up its deliveries.
            Disposition::GiveBack { .. } => {
                let body = Bytes::copy_from_slice(delivery.body.as_bytes());
                queues.send(&self.queue, vec![Outgoing::now(body)]).await?;
            }
        }
        queues.delete(&self.queue, delivery).await.map(drop)
    }

    /// Acquires the permits for one batch: at least one, and only one while a dependency is down. `None` when stopped.
    async fn take_permits(
        &self,
        permits: &Arc<Semaphore>,
        failed: u32,
        stop: &CancellationToken,
    ) -> Option<OwnedSemaphorePermit> {
        let mut taken = tokio::select! {
            permit = Arc::clone(permits).acquire_owned() => permit.ok()?,
            () = stop.cancelled() => return None,
        };
        let wanted = if failed > 0 { 1 } else { self.settings.batch_size as usize };
        while taken.num_permits() < wanted
            && let Ok(permit) = Arc::clone(permits).try_acquire_owned()
        {
            taken.merge(permit);
        }
        Some(taken)
    }
}

/// Waits for the future or until stopped.
async fn until(stop: &CancellationToken, wait: impl Future<Output = ()>) {
    tokio::select! {
        () = wait => {}
        () = stop.cancelled() => {}
    }
}
