//! The one consumer of a queue: takes messages under permits, renews their leases beside the work, and settles each by
//! what its handler decided.
//!
//! A permit is taken before a message is received and held until the message is settled, so what is in flight is
//! bounded. While something is down, messages keep their delivery counts and one message at a time probes whether it is
//! up again. This module must never delete a message before its outcome is stored. A message that cannot be settled is
//! delivered again when its lease ends, so handlers must be idempotent. It owns the failures "a lease ran out during
//! long work" and "the storage or the target is down".

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::dead_letter::dead_letter;
use crate::names::Container;
use crate::queue::{Delivery, Leased, MessageBody, Outgoing, PopReceipt};
use crate::retry;
use crate::storage::Storage;
use crate::store::StoreError;

/// The pause grows from the first to the longest while receiving or handling keeps failing.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Deleted.
    Done,
    /// Moved to the poison queue and kept as a blob with the reason.
    DeadLetter { reason: String },
    /// Hidden for the delay, then delivered again with a higher delivery count.
    RetryIn { delay: Duration, reason: String },
    /// Put back as a new message, and the consumer pauses: what it needs is down, which is not the message's fault.
    GiveBack { reason: String },
}

/// Whether messages may be received now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Open,
    /// An operator has stopped the work: nothing is received, and the consumer asks again soon.
    Stopped,
    /// It cannot be found out: the consumer pauses as if something was down.
    Unavailable {
        reason: String,
    },
}

/// What a program does with the messages of one queue.
#[async_trait]
pub trait MessageHandler: Send + Sync + 'static {
    /// Works on one message. May run twice for one message, and beside itself.
    async fn handle(&self, delivery: &Delivery, body: &Bytes) -> Disposition;

    /// Asked before messages are received.
    async fn admit(&self) -> Admission {
        Admission::Open
    }

    /// Nothing works now, for this reason; messages stay in the queue.
    fn paused(&self, reason: &str);

    /// Messages can be received, and the last ones found nothing down.
    fn resumed(&self) {}
}

#[derive(Debug, Clone, Copy)]
pub struct ConsumerSettings {
    /// Messages in flight at once.
    pub concurrency: u32,
    /// The most that are received by one call, 1 to 32.
    pub batch_size: u32,
    /// How long a message is hidden before its lease is renewed. One whose process died is delivered again then.
    pub lease: Duration,
    /// The wait between two polls of an empty queue grows from the first to the longest.
    pub first_poll: Duration,
    pub longest_poll: Duration,
    /// Where the blobs of dead letters go: a container that this program may write.
    pub dead_letters: Container,
}

/// Why messages are left in a queue that was to be drained.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("messages stay in the queue: {reason}")]
    GivenBack { reason: String },
}

/// One batch of messages, all settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    pub received: usize,
    /// Why a message was given back, if one was.
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

    /// Consumes until stopped, then lets what is in flight finish.
    pub async fn run(&self, stop: &CancellationToken) {
        let tasks = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(self.settings.concurrency as usize));
        // What fails side by side is one failure: the next pause is one step longer, not one for each message.
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

    /// Consumes until no message is visible, or until one had to be given back.
    pub async fn drain(&self) -> Result<(), DrainError> {
        loop {
            match self.process_batch().await? {
                Batch { given_back: Some(reason), .. } => return Err(DrainError::GivenBack { reason }),
                Batch { received: 0, .. } => return Ok(()),
                Batch { .. } => {}
            }
        }
    }

    /// Receives one batch and settles all of it.
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

    /// Runs the handler while the lease is renewed beside it: a slow renewal never holds up the work. A renewal under
    /// way when the work ends is waited for, because it replaces the receipt that settles the message.
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
                // Another consumer has the message by now; handling it twice is harmless.
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
            // A new message, so that a time when nothing works uses up none of its deliveries.
            Disposition::GiveBack { .. } => {
                let body = Bytes::copy_from_slice(delivery.body.as_bytes());
                queues.send(&self.queue, vec![Outgoing::now(body)]).await?;
            }
        }
        queues.delete(&self.queue, delivery).await.map(drop)
    }

    /// Permits for one batch, at least one, and only one while something is down; none when it is time to stop.
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

/// Waits, but no longer than until the stop.
async fn until(stop: &CancellationToken, waiting: impl Future<Output = ()>) {
    tokio::select! {
        () = waiting => {}
        () = stop.cancelled() => {}
    }
}
