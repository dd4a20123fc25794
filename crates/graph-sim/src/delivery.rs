//! Raises change notifications and delivers them: late, lost, doubled and shuffled as the settings say.
//!
//! At least once: what an endpoint does not take with 2xx in time is sent again with growing waits, for hours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use crate::endpoints::{Answered, EndpointState};
use crate::handshake::is_for_events;
use crate::inner::Inner;
use crate::lifecycle;
use crate::locked;
use crate::outbox::{Item, Parked, Post, What};
use crate::settings::{Notify, Offsets, SequenceNumbers, Settings};
use crate::wire::graph_time;

/// How late notifications for a slow endpoint come, before scaling.
const SLOW_DELAY_MS: u64 = 600_000;

/// A photo was changed: a notification is possible and not promised.
pub(crate) fn photo_changed(inner: &Arc<Inner>, user: Uuid) {
    let settings = inner.settings();
    match settings.notify {
        Notify::Never => {}
        Notify::Always => raise(inner, &settings, user, "updated", None),
        Notify::Late => {
            let mut dice = locked(&inner.dice).fork();
            // Log-normal around half a minute: nearly always 5 to 120 s, rarely up to a quarter of an hour.
            let normal = (0..12).map(|_| dice.f64()).sum::<f64>() - 6.0;
            let seconds = (25.0_f64.ln() + 0.8 * normal).exp().clamp(5.0, 900.0);
            let mut settings = settings;
            settings.duplicates = settings.duplicates.max(0.01);
            raise(inner, &settings, user, "updated", Some((seconds * 1000.0) as u64));
        }
    }
}

/// Something else about the person changed; always notified.
pub(crate) fn user_changed(inner: &Arc<Inner>, user: Uuid, change: &'static str) {
    let settings = inner.settings();
    raise(inner, &settings, user, change, None);
}

fn raise(inner: &Arc<Inner>, settings: &Settings, user: Uuid, change: &'static str, delay_ms: Option<u64>) {
    let now = inner.now();
    let targets: Vec<(Uuid, String)> = {
        let mut subscriptions = locked(&inner.subscriptions);
        let told = subscriptions.live(now).values().filter(|one| one.covers(user, change));
        told.map(|one| (one.id, one.notification_url.clone())).collect()
    };
    if targets.is_empty() {
        return;
    }
    let started = Instant::now();
    let mut outbox = locked(&inner.outbox);
    for (subscription, url) in targets {
        let state = locked(&inner.endpoints).state(&url, now);
        let doubled = outbox.dice.f64() < settings.duplicates;
        let copies = if doubled { outbox.dice.u32(2..=settings.max_copies.max(2)) } else { 1 };
        for _ in 0..copies {
            outbox.tally.raised += 1;
            if outbox.dice.f64() < settings.loss {
                outbox.tally.lost += 1;
                continue;
            }
            if state == EndpointState::Drop {
                outbox.tally.dropped += 1;
                continue;
            }
            let late = if state == EndpointState::Slow { SLOW_DELAY_MS } else { 0 };
            let [low, high] = settings.delay_ms;
            let own = if high > low { outbox.dice.u64(low..=high) } else { low };
            let due = started + scaled(settings, delay_ms.unwrap_or(0) + own + late);
            let sequence = outbox.sequence();
            let what = What::Change { user, change };
            let item = Item { subscription, what, raised: now, sequence, attempts: 0, first_tried: None };
            outbox.wait(due, item);
        }
    }
    drop(outbox);
    inner.outbox_changed.notify_one();
}

/// By the simulator's clock: whoever is without authorization is judged by that, too.
fn given_up_after(settings: &Settings) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(settings.give_up_after_ms).unwrap_or(i64::MAX))
}

fn scaled(settings: &Settings, ms: u64) -> Duration {
    Duration::from_secs_f64((ms as f64 / 1000.0 * settings.time_scale).clamp(0.0, 1e9))
}

/// Waits until every notification was delivered or dropped.
pub(crate) async fn idle(inner: &Inner) {
    loop {
        let drained = inner.outbox_drained.notified();
        tokio::pin!(drained);
        drained.as_mut().enable();
        if locked(&inner.outbox).is_empty() {
            return;
        }
        drained.await;
    }
}

/// Runs until the simulator stops.
pub(crate) async fn run(inner: Arc<Inner>) {
    let mut posts = Arc::new(Semaphore::new(inner.settings().posts_at_once.max(1)));
    let mut width = inner.settings().posts_at_once;
    loop {
        let settings = inner.settings();
        if settings.posts_at_once != width {
            width = settings.posts_at_once;
            posts = Arc::new(Semaphore::new(width.max(1)));
        }
        lifecycle::ask(&inner);
        for batch in packed(&inner, &settings) {
            let permit = tokio::select! {
                permit = posts.clone().acquire_owned() => permit,
                () = inner.stop.cancelled() => return,
            };
            let delivering = inner.clone();
            let settings = settings.clone();
            inner.tasks.spawn(async move {
                let _permit = permit;
                let stop = delivering.stop.clone();
                tokio::select! {
                    () = post(&delivering, &settings, batch) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        let due = locked(&inner.outbox).next_due();
        let next = due.into_iter().chain(lifecycle::next_question(&inner)).min();
        let until_next = async {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = inner.outbox_changed.notified() => {}
            () = until_next => {}
            () = inner.stop.cancelled() => return,
        }
    }
}

#[derive(Debug)]
struct Batch {
    number: u64,
    url: String,
    items: Vec<Item>,
}

/// Takes what is due and groups it by endpoint. First attempts and retries do not share a POST, because their limits
/// differ. Under one lock, so that nothing is ever neither waiting nor in flight.
fn packed(inner: &Inner, settings: &Settings) -> Vec<Batch> {
    let now = inner.now();
    let known = locked(&inner.subscriptions).live(now).clone();
    let mut groups: BTreeMap<(String, bool), Vec<Item>> = BTreeMap::new();
    let mut outbox = locked(&inner.outbox);
    outbox.unpark(|item| match known.get(&item.subscription) {
        None => Some(Parked::Discarded),
        Some(one) if now.duration_since(item.raised) > given_up_after(settings) && one.has_lapsed(now) => {
            Some(Parked::GivenUp)
        }
        Some(one) => (!one.has_lapsed(now)).then_some(Parked::Due),
    });
    for item in outbox.due(Instant::now()) {
        match (known.get(&item.subscription), item.what) {
            (None, _) => outbox.tally.discarded += 1,
            (Some(one), What::Change { .. }) if one.has_lapsed(now) => outbox.parked.push(item),
            (Some(one), what) => {
                let url = match what {
                    What::Lifecycle(_) => one.lifecycle_notification_url.as_ref().unwrap_or(&one.notification_url),
                    What::Change { .. } => &one.notification_url,
                };
                groups.entry((url.clone(), item.attempts > 0)).or_default().push(item);
            }
        }
    }
    let mut batches = Vec::new();
    for ((url, _), mut items) in groups {
        if settings.reorder {
            outbox.dice.shuffle(&mut items);
        }
        while !items.is_empty() {
            let [low, high] = settings.items_per_post.map(|count| count.max(1));
            let most = if high > low { outbox.dice.usize(low..=high) } else { low };
            let rest = items.split_off(most.min(items.len()));
            let number = outbox.key();
            outbox.in_flight.insert(number, items.clone());
            batches.push(Batch { number, url: url.clone(), items });
            items = rest;
        }
    }
    let empty = outbox.is_empty();
    drop(outbox);
    if empty {
        inner.outbox_drained.notify_waiters();
    }
    batches
}

async fn post(inner: &Arc<Inner>, settings: &Settings, batch: Batch) {
    let started = Instant::now();
    let attempt = batch.items.iter().map(|item| item.attempts + 1).max().unwrap_or(1);
    let limit = if attempt == 1 { settings.first_answer_ms } else { settings.retry_answer_ms };
    let mut value = Vec::with_capacity(batch.items.len());
    let mut items = Vec::with_capacity(batch.items.len());
    for item in batch.items {
        match rendered(inner, settings, &item) {
            Some(body) => {
                value.push(body);
                items.push(item);
            }
            None => locked(&inner.outbox).tally.discarded += 1,
        }
    }
    let mut status = None;
    if !items.is_empty() && is_for_events(&batch.url) {
        let events = if batch.url.starts_with("EventGrid:") {
            value.iter().map(|item| cloud_event(inner, item)).collect()
        } else {
            vec![json!({ "value": value }).to_string()]
        };
        locked(&inner.events).extend(events);
        status = Some(202);
    } else if !items.is_empty() {
        let body = json!({ "value": value }).to_string();
        let request = inner.http.post(&batch.url).header("Content-Type", "application/json").body(body);
        let answer = request.timeout(Duration::from_millis(limit)).send().await;
        let timed_out = answer.as_ref().is_err_and(reqwest::Error::is_timeout);
        let took = started.elapsed();
        let over = |ms: u64| took > Duration::from_millis(ms) || (timed_out && limit >= ms);
        let answered = match () {
            () if over(settings.retry_answer_ms) => Answered::OverRetryLimit,
            () if over(settings.first_answer_ms) => Answered::OverFirstLimit,
            () => Answered::InTime,
        };
        locked(&inner.endpoints).note(&batch.url, answered, settings.endpoint_samples, inner.now());
        status = answer.ok().map(|response| response.status().as_u16());
    }
    let taken = status.is_some_and(|status| (200..300).contains(&status));
    let mut outbox = locked(&inner.outbox);
    outbox.in_flight.remove(&batch.number);
    if !items.is_empty() {
        let users = items.iter().filter_map(|item| item.what.user()).collect();
        outbox.note(Post { url: batch.url, users, status, attempt });
    }
    if taken {
        outbox.tally.delivered += items.len() as u64;
    } else if !items.is_empty() {
        outbox.tally.failed_posts += 1;
        for mut item in items {
            let first = *item.first_tried.get_or_insert(started);
            let wait = settings.retry_first_ms.saturating_mul(1 << item.attempts.min(20)).min(settings.retry_max_ms);
            item.attempts += 1;
            let due = Instant::now() + scaled(settings, wait);
            if due > first + scaled(settings, settings.give_up_after_ms) {
                outbox.tally.given_up += 1;
            } else {
                outbox.wait(due, item);
            }
        }
    }
    drop(outbox);
    inner.outbox_changed.notify_one();
    inner.outbox_drained.notify_waiters();
}

/// One item as Event Grid passes it on (CloudEvents 1.0).
fn cloud_event(inner: &Inner, item: &Value) -> String {
    let change = match item["changeType"].as_str() {
        Some("deleted") => "UserDeleted",
        _ => "UserUpdated",
    };
    json!({
        "specversion": "1.0", "id": inner.fresh_guid(), "type": format!("Microsoft.Graph.{change}"),
        "source": format!("/tenants/{}/applications/{}", inner.config.tenant_id, inner.config.app.client_id),
        "subject": item["resource"], "time": graph_time(inner.now()), "datacontenttype": "application/json",
        "data": item,
    })
    .to_string()
}

/// The item as it is sent, or nothing when its subscription is gone.
fn rendered(inner: &Inner, settings: &Settings, item: &Item) -> Option<Value> {
    let subscription = locked(&inner.subscriptions).live(inner.now()).get(&item.subscription).cloned()?;
    let (text, zero, absent) = {
        let mut dice = locked(&inner.dice);
        (dice.bool(), dice.bool(), dice.u8(..) < 32)
    };
    let expires = graph_time(subscription.expires);
    let expires = match (settings.offsets, zero) {
        (Offsets::Zero, _) | (Offsets::Mixed, true) => expires.replace('Z', "+00:00"),
        (Offsets::Z, _) | (Offsets::Mixed, false) => expires,
    };
    let mut body = json!({
        "subscriptionExpirationDateTime": expires, "subscriptionId": item.subscription,
        "tenantId": inner.config.tenant_id,
    });
    if let Some(state) = &subscription.client_state {
        body["clientState"] = json!(state);
    }
    let (user, change) = match item.what {
        What::Change { user, change } => (user, change),
        What::Lifecycle(event) => {
            body["lifecycleEvent"] = json!(event);
            return Some(body);
        }
    };
    let resource = format!("Users/{user}");
    let mut data = json!({
        "@odata.type": "#Microsoft.Graph.User", "@odata.id": resource, "id": user,
        "organizationId": inner.config.tenant_id, "eventTime": graph_time(item.raised),
    });
    match (settings.sequence_numbers, absent, text) {
        (SequenceNumbers::Absent, ..) | (SequenceNumbers::Mixed, true, _) => {}
        (SequenceNumbers::Text, ..) | (SequenceNumbers::Mixed, _, true) => {
            data["sequenceNumber"] = json!(item.sequence.to_string());
        }
        (SequenceNumbers::Number, ..) | (SequenceNumbers::Mixed, ..) => data["sequenceNumber"] = json!(item.sequence),
    }
    body["changeType"] = json!(change);
    body["resource"] = json!(resource);
    body["resourceData"] = data;
    Some(body)
}
