//! The webhook: the handshake, and notifications good and bad.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::Request;
use jiff::Timestamp;
use photorelay::host::manifest::Manifest;
use photorelay::host::router::public_router;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::embedded::{EmbeddedQueueOptions, EmbeddedQueues};
use photorelay_core::queue::{Delivery, Leased, Outgoing, PopReceipt, QueueStore};
use photorelay_core::store::StoreError;
use serde_json::{Value, json};
use testkit::everywhere;
use testkit::world::{CLIENT_STATE, Store, World};
use tokio::sync::Semaphore;
use tower::ServiceExt;

everywhere!(the_token_is_echoed_decoded_as_plain_text, a_huge_or_empty_token_is_refused);

const USER: &str = "1f2c0b0e-0000-4000-8000-000000000001";

fn item(world: &World) -> Value {
    json!({
        "changeType": "updated",
        "clientState": CLIENT_STATE,
        "resource": format!("Users/{USER}"),
        "resourceData": { "@odata.type": "#Microsoft.Graph.User", "id": USER, "sequenceNumber": 638_000_000_000_000_000_u64 },
        "subscriptionExpirationDateTime": "2026-05-24T23:21:19.3554403+00:00",
        "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
        "tenantId": world.sim.tenant_id(),
        "aMemberOfTomorrow": { "x": [1, 2, 3] },
    })
}

async fn notify(world: &World, items: &[Value]) -> u16 {
    let body = json!({ "value": items, "validationTokens": null }).to_string();
    world.post("/api/notifications", body).await.status().as_u16()
}

async fn checks(world: &World) -> u64 {
    world.storage().queues.count(CHECKS_QUEUE).await.unwrap()
}

async fn the_token_is_echoed_decoded_as_plain_text(store: Store) {
    let world = World::on(store).await;
    let query = "validationToken=Validation%3a+Testing+client+%3cscript%3e+%c3%bc";
    let answer = world.post(&format!("/api/notifications?code=K&{query}"), "").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await.unwrap(), "Validation: Testing client <script> ü");
    world.end().await;
}

async fn a_huge_or_empty_token_is_refused(store: Store) {
    let world = World::on(store).await;
    let huge = format!("/api/notifications?validationToken={}", "a".repeat(4000));
    assert_eq!(world.post(&huge, "").await.status(), 400);
    assert_eq!(world.post("/api/notifications?validationToken=", "").await.status(), 400);
    world.end().await;
}

#[tokio::test]
async fn a_notification_becomes_a_stored_check() {
    let world = World::start().await;
    assert_eq!(notify(&world, &[item(&world)]).await, 202);
    assert_eq!(checks(&world).await, 1);
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn items_that_are_not_ours_lead_to_nothing_and_the_answer_tells_nothing() {
    let world = World::start().await;
    let wrong = |member: &str, value: Value| {
        let mut item = item(&world);
        item[member] = value;
        item
    };
    let mut missing = item(&world);
    missing.as_object_mut().unwrap().remove("clientState");
    let items = [
        missing,
        wrong("clientState", json!("another")),
        wrong("clientState", json!("")),
        wrong("clientState", json!(null)),
        wrong("clientState", json!(7)),
        wrong("tenantId", json!("84bd8158-6d4d-4958-8b9f-9d6445542f95")),
        wrong("resource", json!("groups/1f2c0b0e-0000-4000-8000-000000000001")),
        wrong("resource", json!("users/somebody@contoso.test")),
        wrong("resourceData", json!({ "id": "1f2c0b0e-0000-4000-8000-000000000002" })),
        json!("not an object"),
    ];
    for item in &items {
        assert_eq!(notify(&world, std::slice::from_ref(item)).await, 202, "{item}");
    }
    assert_eq!(checks(&world).await, 0);
    assert_eq!(notify(&world, &[items.to_vec(), vec![item(&world)]].concat()).await, 202);
    assert_eq!(checks(&world).await, 1, "one good item among bad ones is kept");
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn the_envelope_is_answered_by_what_it_is() {
    let world = World::start().await;
    for (body, status) in [("{\"value\":[]}", 202), ("no json", 400), ("{}", 400), ("{\"value\":7}", 400), ("", 400)] {
        assert_eq!(world.post("/api/notifications", body).await.status(), status, "{body}");
    }
    let too_large = vec![b' '; 9 * 1024 * 1024];
    assert_eq!(world.post("/api/notifications", too_large).await.status(), 413);
    let client = reqwest::Client::new();
    let text =
        client.post(world.url.join("/api/notifications").unwrap()).header("content-type", "text/xml").body("<a/>");
    assert_eq!(text.send().await.unwrap().status(), 415);
    assert_eq!(client.get(world.url.join("/api/notifications").unwrap()).send().await.unwrap().status(), 405);
    assert_eq!(checks(&world).await, 0);
    world.end().await;
}

#[tokio::test]
async fn ten_thousand_items_become_checks_of_twenty_people() {
    let world = World::start().await;
    let items: Vec<Value> = (0..10_000)
        .map(|at| {
            let id = format!("1f2c0b0e-0000-4000-8000-{at:012x}");
            let mut item = item(&world);
            item["resource"] = json!(format!("Users/{id}"));
            item["resourceData"]["id"] = json!(id);
            item
        })
        .collect();
    assert_eq!(notify(&world, &items).await, 202);
    assert_eq!(checks(&world).await, 500);
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn repeats_within_a_post_become_one_look() {
    let world = World::start().await;
    assert_eq!(notify(&world, &vec![item(&world); 50]).await, 202);
    assert_eq!(checks(&world).await, 1);
    world.settle().await;
    world.end().await;
}

/// A queue that stores one message at a time, each only when it may.
#[derive(Debug)]
struct OneByOne {
    inner: Arc<EmbeddedQueues>,
    may_store: Semaphore,
    arrived: Semaphore,
}

#[async_trait]
impl QueueStore for OneByOne {
    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError> {
        self.inner.ensure_queue(queue).await
    }

    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        for message in messages {
            self.arrived.add_permits(1);
            self.may_store.acquire().await.unwrap().forget();
            self.inner.send(queue, vec![message]).await?;
        }
        Ok(())
    }

    async fn receive(&self, queue: &str, max: u32, lease: Duration) -> Result<Vec<Delivery>, StoreError> {
        self.inner.receive(queue, max, lease).await
    }

    async fn renew(&self, queue: &str, of: &Delivery, lease: Duration) -> Result<Leased<PopReceipt>, StoreError> {
        self.inner.renew(queue, of, lease).await
    }

    async fn delete(&self, queue: &str, delivery: &Delivery) -> Result<Leased<()>, StoreError> {
        self.inner.delete(queue, delivery).await
    }

    async fn count(&self, queue: &str) -> Result<u64, StoreError> {
        self.inner.count(queue).await
    }

    async fn oldest(&self, queue: &str) -> Result<Option<Timestamp>, StoreError> {
        self.inner.oldest(queue).await
    }
}

impl OneByOne {
    async fn in_folder(folder: &Path, may_store: usize) -> Arc<Self> {
        let inner = Arc::new(EmbeddedQueues::open(folder).unwrap());
        inner.ensure_queue(CHECKS_QUEUE).await.unwrap();
        Arc::new(Self { inner, may_store: Semaphore::new(may_store), arrived: Semaphore::new(0) })
    }
}

/// 40 people in two messages; the caller goes away once so many of them are stored.
async fn caller_goes_away_after(stored: usize) {
    let world = World::start().await;
    let folder = tempfile::TempDir::new().unwrap();
    let queues = OneByOne::in_folder(folder.path(), stored).await;
    let functions = Arc::new(world.functions(queues.clone()));
    let router = public_router(&functions, &Manifest::built_in().unwrap()).unwrap();
    let items: Vec<Value> = (0..40)
        .map(|at| {
            let id = format!("1f2c0b0e-0000-4000-8000-{at:012x}");
            let mut item = item(&world);
            (item["resource"], item["resourceData"]["id"]) = (json!(format!("Users/{id}")), json!(id));
            item
        })
        .collect();
    let request = Request::post("/api/notifications").header("content-type", "application/json");
    let request = request.body(Body::from(json!({ "value": items }).to_string())).unwrap();
    let mut answer = Box::pin(router.oneshot(request));
    tokio::select! {
        biased;
        _ = queues.arrived.acquire_many(stored as u32 + 1) => {}
        answer = &mut answer => panic!("{answer:?} before everything is stored"),
    }
    assert_eq!(functions.tasks.len(), 1, "the end of the process waits for it");
    // The request is dropped with its connection; whether the rest is stored is not for its caller to say.
    drop(answer);
    queues.may_store.add_permits(2 - stored);
    functions.tasks.close();
    functions.tasks.wait().await;
    assert_eq!(queues.count(CHECKS_QUEUE).await.unwrap(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_before_anything_is_stored_loses_no_notification() {
    caller_goes_away_after(0).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_between_two_messages_loses_no_notification() {
    caller_goes_away_after(1).await;
}

#[tokio::test]
async fn a_panic_while_storing_is_answered_503_and_leaves_nothing_behind() {
    let world = World::start().await;
    let folder = tempfile::TempDir::new().unwrap();
    let queues = OneByOne::in_folder(folder.path(), 0).await;
    let functions = Arc::new(world.functions(queues.clone()));
    let router = public_router(&functions, &Manifest::built_in().unwrap()).unwrap();
    // The queue panics from now on.
    queues.may_store.close();
    for _ in 0..2 {
        let request = Request::post("/api/notifications").header("content-type", "application/json");
        let request = request.body(Body::from(json!({ "value": [item(&world)] }).to_string())).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 503);
    }
    assert!(functions.tasks.is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_notification_that_cannot_be_stored_is_answered_503_and_nothing_is_acknowledged() {
    let world = World::start().await;
    // A queue file that may not grow any more: what a full disk does to it.
    let folder = tempfile::TempDir::new().unwrap();
    let options = EmbeddedQueueOptions { largest_file: Some(64 * 1024), ..EmbeddedQueueOptions::default() };
    let full = Arc::new(EmbeddedQueues::open_with(folder.path(), options).unwrap());
    full.ensure_queue(CHECKS_QUEUE).await.unwrap();
    let router = public_router(&Arc::new(world.functions(full.clone())), &Manifest::built_in().unwrap()).unwrap();
    let body = json!({ "value": [item(&world)] }).to_string();
    let mut accepted = 0;
    let refused = loop {
        let request = Request::post("/api/notifications").header("content-type", "application/json");
        let answer = router.clone().oneshot(request.body(Body::from(body.clone())).unwrap()).await.unwrap();
        match answer.status().as_u16() {
            202 => accepted += 1,
            other => break other,
        }
        assert!(accepted < 10_000, "the queue never filled up");
    };
    assert_eq!(refused, 503);
    assert_eq!(full.count(CHECKS_QUEUE).await.unwrap(), accepted, "just what was acknowledged is stored");
    world.end().await;
}
