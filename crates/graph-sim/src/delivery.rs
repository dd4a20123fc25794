//! Raises change notifications and delivers them: late, lost, doubled and shuffled as the settings say.
//!
//! At least once: what an endpoint does not take with 2xx in time is sent again with growing waits, for hours.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::Uuid;

use crate::inner::Inner;
use crate::locked;
use crate::outbox::{Item, Post};
use crate::settings::{Notify, Offsets, SequenceNumbers, Settings};
use crate::wire::graph_time;

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
    let targets: Vec<Uuid> = {
        let mut subscriptions = locked(&inner.subscriptions);
        subscriptions.live(now).values().filter(|one| one.covers(user, change)).map(|one| one.id).collect()
    };
    if targets.is_empty() {
        return;
    }
    let started = Instant::now();
    let mut outbox = locked(&inner.outbox);
    for subscription in targets {
        let doubled = outbox.dice.f64() < settings.duplicates;
        let copies = if doubled { outbox.dice.u32(2..=settings.max_copies.max(2)) } else { 1 };
        for _ in 0..copies {
            outbox.tally.raised += 1;
            if outbox.dice.f64() < settings.loss {
                outbox.tally.lost += 1;
                continue;
            }
            let [low, high] = settings.delay_ms;
            let own = if high > low { outbox.dice.u64(low..=high) } else { low };
            let due = started + scaled(settings, delay_ms.unwrap_or(0) + own);
            let sequence = outbox.sequence();
            let item = Item { subscription, user, change, raised: now, sequence, attempts: 0, first_tried: None };
            outbox.wait(due, item);
        }
    }
    drop(outbox);
    inner.outbox_changed.notify_one();
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
        let next = locked(&inner.outbox).next_due();
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
    let urls: BTreeMap<Uuid, String> = {
        let mut subscriptions = locked(&inner.subscriptions);
        subscriptions.live(now).values().map(|one| (one.id, one.notification_url.clone())).collect()
    };
    let mut groups: BTreeMap<(String, bool), Vec<Item>> = BTreeMap::new();
    let mut outbox = locked(&inner.outbox);
    for item in outbox.due(Instant::now()) {
        match urls.get(&item.subscription) {
            Some(url) => groups.entry((url.clone(), item.attempts > 0)).or_default().push(item),
            None => outbox.tally.discarded += 1,
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
    if !items.is_empty() {
        let body = json!({ "value": value }).to_string();
        let request = inner.http.post(&batch.url).header("Content-Type", "application/json").body(body);
        let answer = request.timeout(Duration::from_millis(limit)).send().await;
        status = answer.ok().map(|response| response.status().as_u16());
    }
    let taken = status.is_some_and(|status| (200..300).contains(&status));
    let mut outbox = locked(&inner.outbox);
    outbox.in_flight.remove(&batch.number);
    if !items.is_empty() {
        let users = items.iter().map(|item| item.user).collect();
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

/// The item as it is sent, or nothing when its subscription is gone.
fn rendered(inner: &Inner, settings: &Settings, item: &Item) -> Option<Value> {
    let subscription = locked(&inner.subscriptions).live(inner.now()).get(&item.subscription).cloned()?;
    let (text, zero, absent) = {
        let mut dice = locked(&inner.dice);
        (dice.bool(), dice.bool(), dice.u8(..) < 32)
    };
    let resource = format!("Users/{}", item.user);
    let mut data = json!({
        "@odata.type": "#Microsoft.Graph.User", "@odata.id": resource, "id": item.user,
        "organizationId": inner.config.tenant_id, "eventTime": graph_time(item.raised),
    });
    match (settings.sequence_numbers, absent, text) {
        (SequenceNumbers::Absent, ..) | (SequenceNumbers::Mixed, true, _) => {}
        (SequenceNumbers::Text, ..) | (SequenceNumbers::Mixed, _, true) => {
            data["sequenceNumber"] = json!(item.sequence.to_string());
        }
        (SequenceNumbers::Number, ..) | (SequenceNumbers::Mixed, ..) => data["sequenceNumber"] = json!(item.sequence),
    }
    let expires = graph_time(subscription.expires);
    let expires = match (settings.offsets, zero) {
        (Offsets::Zero, _) | (Offsets::Mixed, true) => expires.replace('Z', "+00:00"),
        (Offsets::Z, _) | (Offsets::Mixed, false) => expires,
    };
    let mut body = json!({
        "changeType": item.change, "resource": resource, "resourceData": data,
        "subscriptionExpirationDateTime": expires, "subscriptionId": item.subscription,
        "tenantId": inner.config.tenant_id,
    });
    if let Some(state) = &subscription.client_state {
        body["clientState"] = json!(state);
    }
    Some(body)
}
