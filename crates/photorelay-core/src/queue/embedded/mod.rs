//! Queues in one SQLite file, `DIR/queues.sqlite`.
//!
//! One thread owns the connection and commits in groups: all requests that arrive during a commit go into the next one.
//! Several processes may use the same file at once. This module must never reply to a request before its commit is on
//! the disk. It owns the failure "the disk is full": the requests of that group fail, and the next group starts afresh.

mod arrivals;
mod identity;
mod options;
mod table;
mod writer;

pub use options::EmbeddedQueueOptions;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::{Delivery, Leased, Outgoing, PopReceipt, QueueStore, rules};
use crate::clock::Clock;
use crate::store::StoreError;
use arrivals::Arrivals;
use identity::FileIdentity;
use writer::WriterRequest;

const FILE: &str = "queues.sqlite";
/// How often a program that only waits looks whether the file is still there.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);
/// How many requests may wait for the writer before callers have to wait.
const WAITING_REQUESTS: usize = 4096;
/// Another process cannot wake a waiting consumer, so it polls at this interval.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The queues in a folder on this machine. Dropping it ends its thread after the pending requests.
pub struct EmbeddedQueues {
    requests: Option<mpsc::Sender<WriterRequest>>,
    thread: Option<JoinHandle<()>>,
    arrivals: Arc<Arrivals>,
    clock: Clock,
    identity: FileIdentity,
}

impl EmbeddedQueues {
    /// Opens the queue file in this folder, creating both if needed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, EmbeddedQueueOptions::default())
    }

    pub fn open_with(folder: &Path, options: EmbeddedQueueOptions) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::Unavailable {
            doing: format!("creating the folder {}", folder.display()),
            source: error.into(),
        })?;
        let (requests, waiting) = mpsc::channel(WAITING_REQUESTS);
        let arrivals = Arc::new(Arrivals::default());
        let clock = options.clock.clone();
        let (thread, identity) = writer::start(folder.join(FILE), options, waiting, Arc::clone(&arrivals))?;
        Ok(Self { requests: Some(requests), thread: Some(thread), arrivals, clock, identity })
    }

    /// Whether a queue file is in this folder.
    pub(crate) fn are_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// The bodies of all messages in a queue, including hidden ones, in the order in which they become visible.
    pub async fn peek_all(&self, queue: &str) -> Result<Vec<Bytes>, StoreError> {
        let queue = named(queue)?;
        self.ask(|reply| WriterRequest::PeekAll { queue, reply }).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> WriterRequest,
    ) -> Result<T, StoreError> {
        let (reply, response) = oneshot::channel();
        let sent = match &self.requests {
            Some(requests) => requests.send(request(reply)).await.is_ok(),
            None => false,
        };
        match response.await {
            Ok(response) if sent => response,
            _ => Err(StoreError::Unavailable {
                doing: "using the embedded queues".to_owned(),
                source: "the writer thread has ended: restart this program".into(),
            }),
        }
    }
}

impl Drop for EmbeddedQueues {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already been printed.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for EmbeddedQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedQueues").finish_non_exhaustive()
    }
}

#[async_trait]
impl QueueStore for EmbeddedQueues {
    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError> {
        let queue = named(queue)?;
        self.ask(|reply| WriterRequest::Ensure { queue, reply }).await
    }

    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        rules::check_messages(queue, &messages)?;
        let queue = named(queue)?;
        self.ask(|reply| WriterRequest::Send { queue, messages, reply }).await
    }

    async fn receive(&self, queue: &str, max: u32, lease: Duration) -> Result<Vec<Delivery>, StoreError> {
        let (queue, max, lease) = (named(queue)?, rules::receivable(max), rules::lease(lease));
        self.ask(|reply| WriterRequest::Receive { queue, max, lease, reply }).await
    }

    async fn renew(&self, queue: &str, delivery: &Delivery, lease: Duration) -> Result<Leased<PopReceipt>, StoreError> {
        let queue = named(queue)?;
        let Some(held) = table::LeasedMessage::of(delivery) else { return Ok(Leased::Lost) };
        self.ask(|reply| WriterRequest::Renew { queue, held, delay: rules::delay(lease), reply }).await
    }

    async fn delete(&self, queue: &str, delivery: &Delivery) -> Result<Leased<()>, StoreError> {
        let queue = named(queue)?;
        let Some(held) = table::LeasedMessage::of(delivery) else { return Ok(Leased::Lost) };
        self.ask(|reply| WriterRequest::Delete { queue, held, reply }).await
    }

    async fn count(&self, queue: &str) -> Result<u64, StoreError> {
        let queue = named(queue)?;
        self.ask(|reply| WriterRequest::Count { queue, reply }).await
    }

    async fn oldest(&self, queue: &str) -> Result<Option<Timestamp>, StoreError> {
        let queue = named(queue)?;
        let due = self.ask(|reply| WriterRequest::NextDue { queue, reply }).await?;
        let due = due.and_then(|due| Timestamp::from_millisecond(due).ok());
        Ok(due.filter(|due| *due <= self.clock.now()))
    }

    async fn wait(&self, queue: &str, at_most: Duration) {
        let end = Instant::now() + at_most;
        let arrival = self.arrivals.of(queue);
        loop {
            // Enabled before the check, so that a message that arrives in between is not missed.
            let arrived = arrival.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let due = match named(queue) {
                Ok(queue) => self.ask(|reply| WriterRequest::NextDue { queue, reply }).await,
                Err(invalid) => Err(invalid),
            };
            let Ok(due) = due else { return sleep_until(end).await };
            let now = self.clock.now().as_millisecond();
            let until_due = due.map(|due| Duration::from_millis(u64::try_from(due - now).unwrap_or(0)));
            if until_due == Some(Duration::ZERO) || Instant::now() >= end {
                return;
            }
            let next_poll = Instant::now() + until_due.unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL);
            tokio::select! {
                () = arrived => {}
                () = sleep_until(next_poll.min(end)) => {}
            }
        }
    }

    async fn until_lost(&self) -> StoreError {
        loop {
            if let Err(lost) = self.identity.check() {
                return lost;
            }
            tokio::time::sleep(LOSS_INTERVAL).await;
        }
    }
}

/// Checks the name of a queue.
fn named(queue: &str) -> Result<Box<str>, StoreError> {
    rules::check_queue(queue)?;
    Ok(queue.into())
}
