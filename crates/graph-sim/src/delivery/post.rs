//! Sends one POST, and decides what follows from the response.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::locked::locked;
use crate::settings::SimSettings;

use super::body::{cloud_event, notification_body};
use super::destination::{is_event_destination, is_partner_topic};
use super::endpoint_state::ResponseTime;
use super::notifier::{Notifier, scaled};
use super::outbox::NotificationPost;
use super::pack::{GIVE_UP_AFTER_MS, PackedPost};

/// A header by which a test has no time pass: Graph would not know it.
const NEVER: &str = "graph-sim-never";
/// First wait after a failed POST; it doubles up to the longest.
const RETRY_FIRST_MS: u64 = 10_000;
const RETRY_MAX_MS: u64 = 600_000;

pub(crate) async fn post(notifier: &Notifier, settings: &SimSettings, mut packed: PackedPost) {
    let started = Instant::now();
    let mut bodies = Vec::with_capacity(packed.notifications.len());
    packed.notifications.retain(|notification| match notification_body(notifier, settings, notification) {
        Some(body) => {
            bodies.push(body);
            true
        }
        None => {
            locked(&notifier.outbox).tally.discarded += 1;
            false
        }
    });
    if bodies.is_empty() {
        locked(&notifier.outbox).in_flight.remove(&packed.key);
    } else {
        let status = if is_event_destination(&packed.url) {
            publish(notifier, &packed.url, &bodies);
            Some(202)
        } else {
            send(notifier, settings, &packed, &bodies).await
        };
        settle(notifier, settings, packed, status, started);
    }
    notifier.wake();
    notifier.drained.notify_waiters();
}

/// An event hub takes a POST as one event, a partner topic every notification as its own.
fn publish(notifier: &Notifier, url: &str, bodies: &[Value]) {
    let events = if is_partner_topic(url) {
        bodies.iter().map(|body| cloud_event(notifier, body)).collect()
    } else {
        vec![json!({ "value": bodies }).to_string()]
    };
    locked(&notifier.events).extend(events);
}

/// The status of the response; `None` if there is none in time. Records how long it took.
async fn send(notifier: &Notifier, settings: &SimSettings, packed: &PackedPost, bodies: &[Value]) -> Option<u16> {
    let started = Instant::now();
    let limit = if packed.attempt() == 1 { settings.first_answer_ms } else { settings.retry_answer_ms };
    let body = json!({ "value": bodies }).to_string();
    let request = notifier.http.post(&packed.url).header("Content-Type", "application/json").body(body);
    let response = request.timeout(Duration::from_millis(limit)).send().await;
    let response = response.map(|response| (response.status().as_u16(), is_never(&response)));
    let timed_out = match &response {
        Ok((_, is_never)) => *is_never,
        Err(error) => error.is_timeout(),
    };
    let took = started.elapsed();
    let exceeds = |ms: u64| took > Duration::from_millis(ms) || (timed_out && limit >= ms);
    let time = if exceeds(settings.retry_answer_ms) {
        ResponseTime::OverRetryLimit
    } else if exceeds(settings.first_answer_ms) {
        ResponseTime::OverFirstLimit
    } else {
        ResponseTime::InTime
    };
    locked(&notifier.endpoints).record(&packed.url, time, settings.endpoint_samples, notifier.tenant.clock.now());
    response.ok().filter(|_| !timed_out).map(|(status, _)| status)
}

/// Whether the endpoint asks the simulator to take this response for none at all, within any limit.
fn is_never(response: &reqwest::Response) -> bool {
    response.headers().contains_key(NEVER)
}

/// Counts what was accepted and queues the rest for another attempt, or gives it up.
fn settle(notifier: &Notifier, settings: &SimSettings, packed: PackedPost, status: Option<u16>, started: Instant) {
    let attempt = packed.attempt();
    let PackedPost { key, url, notifications } = packed;
    let users = notifications.iter().filter_map(|one| one.event.user()).collect();
    let mut outbox = locked(&notifier.outbox);
    outbox.in_flight.remove(&key);
    outbox.record(NotificationPost { url, users, status, attempt });
    if status.is_some_and(|status| (200..300).contains(&status)) {
        outbox.tally.delivered += notifications.len() as u64;
        return;
    }
    outbox.tally.failed_posts += 1;
    for mut notification in notifications {
        let first = *notification.first_tried.get_or_insert(started);
        let wait = RETRY_FIRST_MS.saturating_mul(1 << notification.attempts.min(20)).min(RETRY_MAX_MS);
        notification.attempts += 1;
        let due = Instant::now() + scaled(settings, wait);
        if due > first + scaled(settings, GIVE_UP_AFTER_MS) {
            outbox.tally.given_up += 1;
        } else {
            outbox.enqueue(due, notification);
        }
    }
}
