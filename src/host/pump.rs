//! The standalone pump: does for `photorelay run` what the Functions host does for `photorelay serve`, with the same
//! manifest, the same envelopes and the same router.
//!
//! Bounded: a permit is taken before a message is fetched and held until it is done. A message is hidden for a short
//! lease that is renewed while it is worked on, so that a killed process is missed soon. Timers never overlap.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body as HttpBody;
use axum::http::{Request, header::CONTENT_TYPE};
use croner::Cron;
use photorelay_core::dead_letter::dead_letter;
use photorelay_core::names::Container;
use photorelay_core::queue::{Delivery, Leased, MessageBody};
use photorelay_core::retry;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::envelope;
use super::manifest::{Function, Manifest, Trigger};

/// After a poll of the storage failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Batches that are handled side by side for a command, and how long each waits when there is nothing.
const HELPERS: usize = 3;
const HELPERS_PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub struct Pump {
    router: Router,
    storage: Storage,
    manifest: Arc<Manifest>,
    lease: Duration,
}

impl Pump {
    /// `lease` is how long a message is hidden before its lease is renewed.
    pub fn new(router: Router, storage: Storage, manifest: Manifest, lease: Duration) -> Self {
        Self { router, storage, manifest: Arc::new(manifest), lease }
    }

    /// Runs every queue and timer function until told to stop, then lets what is under way finish.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let tasks = TaskTracker::new();
        for function in &self.manifest.functions {
            match &function.trigger {
                Trigger::Http { .. } => {}
                Trigger::Events => anyhow::bail!("function.json: `{}` needs the Functions host", function.name),
                Trigger::Queue { queue } => {
                    let (pump, function, queue) = (self.clone(), function.clone(), queue.clone());
                    tasks.spawn(pump.run_queue(function, queue, stop.clone(), tasks.clone()));
                }
                Trigger::Timer { schedule } => {
                    let schedule = Cron::from_str(schedule)
                        .with_context(|| format!("function.json: the schedule of `{}`", function.name))?;
                    tasks.spawn(self.clone().run_timer(function.clone(), schedule, stop.clone()));
                }
            }
        }
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    /// Handles messages of every queue until none is visible. For tests and for `--once`.
    pub async fn drain(&self) -> Result<(), StoreError> {
        while self.handle_some().await? > 0 {}
        Ok(())
    }

    /// Handles messages as they come, beside whoever else does, until `no_more` says that the last ones were sent and
    /// none is visible, or until told to stop. For commands that have work done.
    pub async fn help(&self, no_more: &CancellationToken, stop: &CancellationToken) -> Result<(), StoreError> {
        let helper = || async {
            while !stop.is_cancelled() {
                let is_last_look = no_more.is_cancelled();
                if self.handle_some().await? > 0 {
                    continue;
                }
                if is_last_look {
                    break;
                }
                tokio::select! {
                    () = no_more.cancelled() => {}
                    () = pause(stop, tokio::time::sleep(HELPERS_PAUSE)) => {}
                }
            }
            Ok(())
        };
        futures::future::try_join_all((0..HELPERS).map(|_| helper())).await.map(drop)
    }

    /// One batch of every queue; how many messages there were.
    async fn handle_some(&self) -> Result<usize, StoreError> {
        let mut handled = 0;
        for function in &self.manifest.functions {
            let Trigger::Queue { queue } = &function.trigger else { continue };
            let batch = self.storage.queues.receive(queue, self.manifest.queues.batch_size, self.lease).await?;
            handled += batch.len();
            let work = batch.into_iter().map(|delivery| self.handle(function, queue, delivery));
            futures::future::join_all(work).await;
        }
        Ok(handled)
    }

    async fn run_queue(self, function: Function, queue: String, stop: CancellationToken, tasks: TaskTracker) {
        let settings = self.manifest.queues;
        let permits = Arc::new(Semaphore::new((settings.batch_size + settings.new_batch_threshold) as usize));
        let mut failures = 0;
        while !stop.is_cancelled() {
            let Some(held) = take_permits(&permits, settings.batch_size, &stop).await else { return };
            match self.storage.queues.receive(&queue, held.num_permits() as u32, self.lease).await {
                Ok(batch) => {
                    failures = 0;
                    let empty = batch.is_empty();
                    let mut held = held;
                    for delivery in batch {
                        let permit = held.split(1);
                        let (pump, function, queue) = (self.clone(), function.clone(), queue.clone());
                        tasks.spawn(async move {
                            pump.handle(&function, &queue, delivery).await;
                            drop(permit);
                        });
                    }
                    drop(held);
                    if empty {
                        pause(&stop, self.storage.queues.wait(&queue, settings.max_polling_interval)).await;
                    }
                }
                Err(error) => {
                    tracing::error!(queue, %error, "the queue cannot be read; trying again");
                    pause(&stop, tokio::time::sleep(retry::backoff(FIRST_PAUSE, MAX_PAUSE, failures))).await;
                    failures += 1;
                }
            }
        }
    }

    /// Calls the function for one message and settles what becomes of the message.
    async fn handle(&self, function: &Function, queue: &str, delivery: Delivery) {
        let mut delivery = delivery;
        let outcome = self.invoke_leased(function, queue, &mut delivery).await;
        let settled = match outcome {
            Ok(()) => self.storage.queues.delete(queue, &delivery).await.map(drop),
            Err(reason) if delivery.dequeue_count >= self.manifest.queues.max_dequeue_count => {
                self.dead_letter(queue, &delivery, &reason).await
            }
            Err(reason) => {
                tracing::warn!(queue, message.id = delivery.id, reason, "the message is delivered again");
                let pause = self.manifest.queues.visibility_timeout;
                self.storage.queues.renew(queue, &delivery, pause).await.map(drop)
            }
        };
        if let Err(error) = settled {
            // Its lease ends, and it is delivered again: handling it twice is harmless.
            tracing::warn!(queue, message.id = delivery.id, %error, "the message could not be settled");
        }
    }

    async fn dead_letter(&self, queue: &str, delivery: &Delivery, reason: &str) -> Result<(), StoreError> {
        let body = match &delivery.body {
            MessageBody::Bytes(bytes) => bytes.to_vec(),
            MessageBody::Undecodable(text) => text.clone().into_bytes(),
        };
        dead_letter(&self.storage, Container::State, queue, &body, reason).await?;
        self.storage.queues.delete(queue, delivery).await.map(drop)
    }

    /// Calls the function, renewing the lease while it works. `Err` is why it failed.
    async fn invoke_leased(&self, function: &Function, queue: &str, delivery: &mut Delivery) -> Result<(), String> {
        let bytes = match &delivery.body {
            MessageBody::Bytes(bytes) => bytes.clone(),
            MessageBody::Undecodable(_) => {
                let reason = "the message is not base64: it was not sent by photorelay";
                return self.dead_letter(queue, delivery, reason).await.map_err(|error| error.to_string());
            }
        };
        let envelope = envelope::for_message(&function.name, &function.binding, delivery, &bytes);
        let invocation = self.invoke(&function.name, envelope);
        tokio::pin!(invocation);
        let mut renewal = tokio::time::interval(self.lease / 3);
        renewal.tick().await;
        loop {
            tokio::select! {
                done = &mut invocation => return done,
                _ = renewal.tick() => match self.storage.queues.renew(queue, delivery, self.lease).await {
                    Ok(Leased::Yes(receipt)) => delivery.receipt = receipt,
                    // Somebody else has it by now; what we are doing is harmless beside them.
                    Ok(Leased::Lost) => {}
                    Err(error) => tracing::warn!(queue, message.id = delivery.id, %error, "lease not renewed"),
                },
            }
        }
    }

    async fn invoke(&self, function: &str, envelope: Value) -> Result<(), String> {
        let request = Request::post(format!("/{function}"))
            .header(CONTENT_TYPE, "application/json")
            .body(HttpBody::from(envelope.to_string()))
            .map_err(|error| error.to_string())?;
        let response = self.router.clone().oneshot(request).await.map_err(|error| error.to_string())?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("`{function}` answered {status}; its log line says why")),
        }
    }

    /// Runs a timer function at once, because nobody knows when it ran last, and then at its times.
    async fn run_timer(self, function: Function, schedule: Cron, stop: CancellationToken) {
        let mut past_due = true;
        while !stop.is_cancelled() {
            let envelope = envelope::for_timer(&function.name, &function.binding, past_due);
            if let Err(reason) = self.invoke(&function.name, envelope).await {
                tracing::error!(
                    function = function.name,
                    reason,
                    "the timer function failed; it runs again at its time"
                );
            }
            past_due = false;
            let Some(delay) = until_next(&schedule) else { return };
            pause(&stop, tokio::time::sleep(delay)).await;
        }
    }
}

/// At least one and at most `wanted` permits; none when it is time to stop.
async fn take_permits(permits: &Arc<Semaphore>, wanted: u32, stop: &CancellationToken) -> Option<OwnedSemaphorePermit> {
    let mut held = tokio::select! {
        permit = Arc::clone(permits).acquire_owned() => permit.ok()?,
        () = stop.cancelled() => return None,
    };
    for _ in 1..wanted {
        match Arc::clone(permits).try_acquire_owned() {
            Ok(permit) => held.merge(permit),
            Err(_) => break,
        }
    }
    Some(held)
}

async fn pause(stop: &CancellationToken, waiting: impl Future<Output = ()>) {
    tokio::select! {
        () = waiting => {}
        () = stop.cancelled() => {}
    }
}

/// How long until the schedule's next time, in UTC.
fn until_next(schedule: &Cron) -> Option<Duration> {
    let now = jiff::Timestamp::now();
    let from = chrono::DateTime::from_timestamp(now.as_second(), 0)?;
    let next = schedule.find_next_occurrence(&from, false).ok()?;
    let next = jiff::Timestamp::from_second(next.timestamp()).ok()?;
    Duration::try_from(next.duration_since(now)).ok()
}
