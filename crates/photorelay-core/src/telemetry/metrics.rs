//! Metrics. Each is an event of the target `photorelay::metrics`, which costs almost nothing until the log filter names
//! that target or OTLP is configured. docs/logging.md explains every name.
//!
//! Attributes come from short lists of words and must never contain an id, because each combination is a separate time
//! series.

use std::time::Duration;

use jiff::Timestamp;
use tracing::{Level, event};

use crate::contract::{CauseKind, EntryKind, Outcome};

/// The target of the metric events.
pub const TARGET: &str = "photorelay::metrics";

/// Notifications in one POST to the webhook.
pub fn notifications(accepted: usize, dropped: usize) {
    if accepted > 0 {
        event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.hints = accepted as u64, outcome = "accepted");
    }
    if dropped > 0 {
        event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.hints = dropped as u64, outcome = "dropped");
    }
}

/// Lifecycle events of one POST: known ones by their name, others as `unknown`, those of other tenants as `dropped`.
pub fn lifecycle(event: &'static str, count: usize) {
    if count > 0 {
        event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.lifecycle.events = count as u64, event);
    }
}

/// The action taken on the subscription: `created`, `renewed` or `deleted`.
pub fn subscription(done: &'static str) {
    event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.subscription.changes = 1_u64, done);
}

/// A check of one user, and how long it took.
pub fn looked(outcome: &'static str, took: Duration) {
    event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.looks = 1_u64, outcome);
    event!(target: TARGET, Level::INFO, histogram.photorelay.look.duration = took.as_secs_f64(), outcome);
}

/// An entry was committed to the audit trail, with its cause.
pub fn committed(kind: EntryKind, cause: CauseKind) {
    let (kind, cause) = (kind.word(), cause.word());
    event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.commits = 1_u64, kind, cause);
}

/// Write-back messages were sent for an entry.
pub fn announced(messages: usize) {
    if messages > 0 {
        event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.announcements = messages as u64);
    }
}

/// The agent wrote a receipt; `observed_at` is when Graph returned the photo, unless the target has shown it before.
pub fn received(outcome: Outcome, observed_at: Option<Timestamp>, now: Timestamp) {
    written_back(outcome.word());
    if let (Outcome::Written, Some(observed_at)) = (outcome, observed_at) {
        // The clocks of two machines may differ by a little.
        let latency = now.duration_since(observed_at).as_secs_f64().max(0.0);
        event!(target: TARGET, Level::INFO, histogram.photorelay.receipt.latency = latency);
    }
}

/// The outcome of a write-back without a receipt, in one word.
pub fn written_back(outcome: &'static str) {
    event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.writebacks = 1_u64, outcome);
}

/// The state that the watchdog found after a sweep.
pub fn watched(checks_waiting: u64, oldest_check_seconds: i64, unacknowledged: u64, alerts: usize) {
    event!(
        target: TARGET,
        Level::INFO,
        gauge.photorelay.checks.waiting = checks_waiting,
        gauge.photorelay.checks.oldest = oldest_check_seconds,
        gauge.photorelay.unacknowledged = unacknowledged,
        gauge.photorelay.alerts = alerts as u64,
    );
}

/// A message was moved to the poison queue.
pub fn dead_lettered(queue: &str) {
    event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.buried = 1_u64, queue);
}

/// One attempt of a request to Graph; `None` means that there was no response.
pub fn graph_request(status: Option<u16>) {
    let class = match status {
        None => "none",
        Some(200..300) => "2xx",
        Some(300..400) => "3xx",
        Some(400..500) => "4xx",
        Some(500..600) => "5xx",
        Some(_) => "other",
    };
    event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.graph.requests = 1_u64, status = class);
    if status == Some(429) {
        event!(target: TARGET, Level::INFO, monotonic_counter.photorelay.graph.throttles = 1_u64);
    }
}
