//! The standalone pump: does for `photorelay run` what the Functions host does for `photorelay serve`, with the same
//! manifest, the same envelopes and the same triggers, which it calls in process.
//!
//! Queues are consumed by the consumer of the core, so that a killed process is missed as soon as its leases end.
//! Runs of one timer never overlap. Nothing here knows what a function does.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use axum::Router;
use axum::body::Body as HttpBody;
use axum::http::{Request, header::CONTENT_TYPE};
use bytes::Bytes;
use croner::Cron;
use photorelay_core::consumer::{Consumer, ConsumerSettings, Disposition, MessageHandler};
use photorelay_core::names::Container;
use photorelay_core::queue::Delivery;
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::envelope;
use super::manifest::{Function, Manifest, QueueSettings, Trigger};

/// Messages of a queue that are handled side by side for a command. What they ask of Graph is limited by the client.
const MESSAGES_AT_ONCE: usize = 48;

#[derive(Debug, Clone)]
pub struct Pump {
    functions: Vec<Function>,
    triggers: Router,
    consumers: Vec<Consumer<QueueTrigger>>,
}

impl Pump {
    /// `triggers` is the trigger router, and `lease` how long a message is hidden before its lease is renewed.
    pub fn new(triggers: Router, storage: Storage, manifest: Manifest, lease: Duration) -> Self {
        let consumer = |function: &Function| {
            let Trigger::Queue { queue } = &function.trigger else { return None };
            let trigger = QueueTrigger {
                function: function.clone(),
                queue: queue.clone(),
                triggers: triggers.clone(),
                settings: manifest.queues,
            };
            Some(Consumer::new(storage.clone(), queue, trigger, consumer_settings(&manifest.queues, lease)))
        };
        let consumers = manifest.functions.iter().filter_map(consumer).collect();
        Self { consumers, triggers, functions: manifest.functions }
    }

    /// Runs every queue and timer function until stopped, then lets work under way finish.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let mut timers = Vec::new();
        for function in self.functions {
            match &function.trigger {
                Trigger::Http { .. } | Trigger::Queue { .. } => {}
                Trigger::Events => bail!("function.json: `{}` needs the Functions host", function.name),
                Trigger::Timer { schedule } => {
                    let schedule = Cron::from_str(schedule)
                        .with_context(|| format!("function.json: the schedule of `{}`", function.name))?;
                    timers.push((function, schedule));
                }
            }
        }
        let tasks = TaskTracker::new();
        for (function, schedule) in timers {
            tasks.spawn(run_timer(self.triggers.clone(), function, schedule, stop.clone()));
        }
        for consumer in self.consumers {
            let stop = stop.clone();
            tasks.spawn(async move { consumer.run(&stop).await });
        }
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    /// Handles messages of every queue until none is visible.
    pub async fn drain(&self) -> Result<(), StoreError> {
        while self.process_batches().await? > 0 {}
        Ok(())
    }

    /// Handles messages as they come, beside other consumers, until `no_more` says that the last ones were sent and
    /// none is visible, or until stopped. For commands that have work done.
    pub async fn help(&self, no_more: &CancellationToken, stop: &CancellationToken) -> Result<(), StoreError> {
        let consumers = self.consumers.iter();
        let working = consumers.map(|consumer| consumer.work_off(MESSAGES_AT_ONCE, no_more, stop));
        futures::future::try_join_all(working).await.map(drop)
    }

    /// One batch of every queue; how many messages there were.
    async fn process_batches(&self) -> Result<usize, StoreError> {
        let mut received = 0;
        for consumer in &self.consumers {
            received += consumer.process_batch().await?.received;
        }
        Ok(received)
    }
}

/// As the host would run the queue by host.json.
fn consumer_settings(queues: &QueueSettings, lease: Duration) -> ConsumerSettings {
    ConsumerSettings {
        concurrency: queues.batch_size + queues.new_batch_threshold,
        batch_size: queues.batch_size,
        lease,
        first_poll: queues.max_polling_interval,
        longest_poll: queues.max_polling_interval,
        dead_letters: Container::State,
    }
}

/// Invokes a function for each message of its queue.
#[derive(Debug)]
struct QueueTrigger {
    function: Function,
    queue: String,
    triggers: Router,
    settings: QueueSettings,
}

#[async_trait]
impl MessageHandler for QueueTrigger {
    async fn handle(&self, delivery: &Delivery, body: &Bytes) -> Disposition {
        let envelope = envelope::for_message(&self.function.name, &self.function.binding, delivery, body);
        match invoke(&self.triggers, &self.function.name, envelope).await {
            Ok(()) => Disposition::Done,
            Err(reason) if delivery.dequeue_count >= self.settings.max_dequeue_count => {
                Disposition::DeadLetter { reason }
            }
            Err(reason) => Disposition::RetryIn { delay: self.settings.visibility_timeout, reason },
        }
    }

    fn paused(&self, reason: &str) {
        tracing::error!(queue = self.queue, reason, "the queue cannot be read; trying again");
    }
}

async fn invoke(triggers: &Router, function: &str, envelope: Value) -> Result<(), String> {
    let request = Request::post(format!("/{function}"))
        .header(CONTENT_TYPE, "application/json")
        .body(HttpBody::from(envelope.to_string()))
        .map_err(|error| error.to_string())?;
    let response = triggers.clone().oneshot(request).await.map_err(|error| error.to_string())?;
    match response.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("`{function}` answered {status}; its log line says why")),
    }
}

/// Runs a timer function at once, because its last run is not known, and then at its times.
async fn run_timer(triggers: Router, function: Function, schedule: Cron, stop: CancellationToken) {
    let mut past_due = true;
    while !stop.is_cancelled() {
        let envelope = envelope::for_timer(&function.name, &function.binding, past_due);
        if let Err(reason) = invoke(&triggers, &function.name, envelope).await {
            tracing::error!(function = function.name, reason, "the timer function failed; it runs again at its time");
        }
        past_due = false;
        let Some(delay) = until_next(&schedule) else { return };
        until(&stop, delay).await;
    }
}

/// Waits, but no longer than until the stop.
async fn until(stop: &CancellationToken, delay: Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
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
