//! The queue loop on an Azurite.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use host_sim::{HostFaults, HostOptions, InvocationRecord, RunningHost};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::{PATIENCE, function, package};

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what started Azurite for them")]
pub(crate) fn service() -> Url {
    let name = "PHOTORELAY_TEST_AZURITE_QUEUE";
    let url = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"));
    Url::parse(&url).unwrap()
}

pub(crate) struct Queue {
    name: String,
    pub(crate) running: RunningHost,
    _dir: TempDir,
}

impl Queue {
    async fn start(mode: &str, queues: Value, binding: Value, edit: impl FnOnce(&mut HostOptions)) -> Self {
        let name = format!("q-{}", Uuid::new_v4());
        let dir = Self::package(&name, &queues, &binding);
        assert_eq!(make(&name).await, 201);
        Self::of(name, dir, mode, edit).await
    }

    pub(crate) fn package(name: &str, queues: &Value, binding: &Value) -> TempDir {
        package(|root| {
            let file = root.join("host.json");
            let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            host["extensions"]["queues"] = queues.clone();
            fs::write(file, host.to_string()).unwrap();
            let mut trigger = json!({ "type": "queueTrigger", "direction": "in", "name": "msg", "queueName": name });
            trigger.as_object_mut().unwrap().extend(binding.as_object().unwrap().clone());
            function(root, "work", &json!([trigger]));
        })
    }

    pub(crate) async fn of(name: String, dir: TempDir, mode: &str, edit: impl FnOnce(&mut HostOptions)) -> Self {
        let mut options = HostOptions::new(dir.path());
        options.queue_service = Some(service());
        options.environment.push(("HANDLER_MODE".to_owned(), mode.to_owned()));
        edit(&mut options);
        Self { name, running: RunningHost::start(options).await.unwrap(), _dir: dir }
    }

    async fn put(&self, text: &str) {
        send(&self.name, text).await;
    }

    /// The invocations, once there are this many.
    pub(crate) async fn invoked(&self, count: usize) -> Vec<InvocationRecord> {
        let mut invocations = self.running.invocations();
        let enough = invocations.wait_for(|all| all.len() >= count);
        tokio::time::timeout(PATIENCE, enough).await.expect("in time").unwrap().clone()
    }

    /// Waits until the host logs a line with these words.
    async fn logs(&self, words: &str) {
        let mut log = self.running.log();
        let logged = log.wait_for(|all| all.iter().any(|line| line.contains(words)));
        tokio::time::timeout(PATIENCE, logged)
            .await
            .unwrap_or_else(|_| panic!("the host does not log {words}"))
            .unwrap();
    }

    /// The message in the poison queue, once there is one.
    async fn poisoned(&self) -> Peeked {
        self.logs(&format!("{}-poison has the message", self.name)).await;
        peek(&format!("{}-poison", self.name)).await.expect("there is a poison queue").remove(0)
    }
}

/// A message in a queue, as another client sees it.
#[derive(Debug)]
pub(crate) struct Peeked {
    pub(crate) text: String,
    pub(crate) dequeue_count: u32,
    /// In seconds.
    pub(crate) lives: i64,
}

/// The visible messages; none if there is no such queue.
pub(crate) async fn peek(queue: &str) -> Option<Vec<Peeked>> {
    let mut url = address(queue);
    url.set_path(&format!("{}/messages", url.path()));
    url.query_pairs_mut().append_pair("peekonly", "true").append_pair("numofmessages", "32");
    let answer = reqwest::get(url).await.unwrap();
    if answer.status() == 404 {
        return None;
    }
    assert!(answer.status().is_success(), "{}", answer.status());
    let xml = answer.text().await.unwrap();
    let part = |message: &str, name: &str| {
        let (_, rest) = message.split_once(&format!("<{name}>")).unwrap();
        rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
    };
    let second =
        |message: &str, name: &str| jiff::fmt::rfc2822::parse(&part(message, name)).unwrap().timestamp().as_second();
    let message = |message: &str| Peeked {
        text: part(message, "MessageText"),
        dequeue_count: part(message, "DequeueCount").parse().unwrap(),
        lives: second(message, "ExpirationTime") - second(message, "InsertionTime"),
    };
    Some(xml.split("<QueueMessage>").skip(1).map(message).collect())
}

async fn send(queue: &str, text: &str) {
    send_for(queue, text, None).await;
}

/// Sends a message that lives as long as the store says, or this many seconds; -1 is without end.
async fn send_for(queue: &str, text: &str, seconds: Option<i64>) {
    let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
    let mut url = address(queue);
    url.set_path(&format!("{}/messages", url.path()));
    if let Some(seconds) = seconds {
        url.query_pairs_mut().append_pair("messagettl", &seconds.to_string());
    }
    assert!(reqwest::Client::new().post(url).body(body).send().await.unwrap().status().is_success());
}

async fn make(queue: &str) -> u16 {
    let made = reqwest::Client::new().put(address(queue)).header("content-length", 0).send().await.unwrap();
    made.status().as_u16()
}

fn address(queue: &str) -> Url {
    let mut url = service();
    url.set_path(&format!("{}/{queue}", url.path().trim_end_matches('/')));
    url
}

#[tokio::test]
async fn a_failing_message_is_repeated_at_once_and_poisoned_after_the_last_delivery() {
    let queue = Queue::start("error", json!({ "maxDequeueCount": 3 }), json!({}), |_| {}).await;
    let text = STANDARD.encode("work");
    queue.put(&text).await;
    assert_eq!(queue.poisoned().await.text, text);
    let counts: Vec<_> =
        queue.invoked(3).await.iter().map(|one| one.request["Metadata"]["DequeueCount"].clone()).collect();
    assert_eq!(counts, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_failed_message_comes_back_after_the_visibility_timeout_and_not_before() {
    let limits = json!({ "maxDequeueCount": 2, "visibilityTimeout": "00:00:02", "maxPollingInterval": "00:00:00.1" });
    let queue = Queue::start("error", limits, json!({}), |_| {}).await;
    queue.put(&STANDARD.encode("work")).await;
    queue.invoked(1).await;
    let failed = std::time::Instant::now();
    queue.invoked(2).await;
    assert!(failed.elapsed() > Duration::from_millis(900), "{:?}", failed.elapsed());
}

#[tokio::test]
async fn a_message_that_is_not_base64_is_poisoned_without_an_invocation() {
    let queue = Queue::start("", json!({}), json!({}), |_| {}).await;
    queue.put("not base64!").await;
    assert_eq!(queue.poisoned().await.text, "not base64!");
    assert!(queue.running.invocations().borrow().is_empty());
}

#[tokio::test]
async fn strings_are_encoded_twice_and_properties_of_a_message_override_metadata() {
    let queue = Queue::start("", json!({ "messageEncoding": "none" }), json!({}), |_| {}).await;
    let text = json!({ "id": "mine", "n": 2, "is": true, "none": null, "list": [1], "deep": { "a": 1 },
        "workTrigger": "x" })
    .to_string();
    queue.put(&text).await;
    let request = queue.invoked(1).await.remove(0).request;
    assert_eq!(request["Data"]["msg"], json!(text).to_string());
    let metadata = &request["Metadata"];
    assert_eq!(metadata["Id"], "\"mine\"");
    assert_eq!((&metadata["n"], &metadata["is"]), (&json!("\"2\""), &json!("\"True\"")));
    assert_eq!(metadata["deep"], json!({ "a": 1 }));
    assert!(metadata.get("list").is_none() && metadata.get("none").is_none() && metadata.get("workTrigger").is_none());
    assert!(metadata.get("QueueTrigger").is_none());
    assert_eq!(metadata["InsertionTime"].as_str().unwrap().len(), "2026-11-22T07:25:14+00:00".len());
}

#[tokio::test]
async fn a_message_without_end_expires_in_the_last_second_of_the_year_9999() {
    let queue = Queue::start("", json!({}), json!({}), |_| {}).await;
    send_for(&queue.name, &STANDARD.encode("work"), Some(-1)).await;
    let request = queue.invoked(1).await.remove(0).request;
    assert_eq!(request["Metadata"]["ExpirationTime"], "9999-12-31T23:59:59+00:00");
}

#[tokio::test]
async fn a_binary_trigger_gets_base64_once_and_nothing_leaks_into_metadata() {
    let edit = |options: &mut HostOptions| {
        let faults = HostFaults { numeric_dequeue_count: true, unknown_metadata: true, ..HostFaults::default() };
        options.faults = HostFaults { deliver_twice: true, ..faults };
    };
    let queue = Queue::start("", json!({}), json!({ "dataType": "binary" }), edit).await;
    let text = STANDARD.encode(r#"{"id":"mine"}"#);
    queue.put(&text).await;
    let invoked = queue.invoked(2).await;
    assert_eq!(invoked[0].request["Data"]["msg"], text);
    assert_ne!(invoked[0].request["Metadata"]["Id"], "\"mine\"");
    assert_eq!(invoked[1].request["Metadata"]["DequeueCount"], 1);
    assert!(invoked[1].request["Metadata"]["AddedByANewerHost"].is_object());
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_the_invocation_lasts() {
    let edit = |options: &mut HostOptions| {
        options.lease = Duration::from_secs(2);
        options.function_timeout = Some(Duration::from_secs(3));
    };
    let queue = Queue::start("slow", json!({ "maxDequeueCount": 1 }), json!({}), edit).await;
    queue.put(&STANDARD.encode("work")).await;
    queue.poisoned().await;
    assert_eq!(queue.invoked(1).await.len(), 1);
}

#[tokio::test]
async fn what_is_poisoned_is_a_new_message_that_lives_for_a_week() {
    let queue = Queue::start("error", json!({ "maxDequeueCount": 2 }), json!({}), |_| {}).await;
    queue.put(&STANDARD.encode("work")).await;
    let poisoned = queue.poisoned().await;
    assert_eq!((poisoned.dequeue_count, poisoned.lives), (0, 7 * 24 * 3600));
    assert_eq!(peek(&queue.name).await.unwrap().len(), 0, "and the original is gone");
    queue.logs("Message has reached MaxDequeueCount of 2. Moving message to queue").await;
}

#[tokio::test]
async fn a_message_that_was_delivered_too_often_before_is_poisoned_without_an_invocation() {
    let name = format!("q-{}", Uuid::new_v4());
    assert_eq!(make(&name).await, 201);
    send(&name, &STANDARD.encode("work")).await;
    let mut url = address(&name);
    url.set_path(&format!("{}/messages", url.path()));
    url.query_pairs_mut().append_pair("visibilitytimeout", "1");
    // Another client received it and died.
    assert!(reqwest::get(url).await.unwrap().status().is_success());
    let dir = Queue::package(&name, &json!({ "maxDequeueCount": 1, "maxPollingInterval": "00:00:00.2" }), &json!({}));
    let queue = Queue::of(name, dir, "", |_| {}).await;
    queue.poisoned().await;
    assert!(queue.running.invocations().borrow().is_empty());
}

#[tokio::test]
async fn a_queue_that_is_missing_is_waited_for_and_not_made() {
    let name = format!("q-{}", Uuid::new_v4());
    let dir = Queue::package(&name, &json!({ "maxPollingInterval": "00:00:00.2" }), &json!({}));
    let queue = Queue::of(name, dir, "", |_| {}).await;
    queue.logs("cannot be read").await;
    assert_eq!(make(&queue.name).await, 201, "it did not exist");
    queue.put(&STANDARD.encode("work")).await;
    queue.invoked(1).await;
}

#[tokio::test]
async fn a_host_that_is_stopped_waits_for_messages_in_flight_but_not_for_long() {
    let quick = json!({ "maxPollingInterval": "00:00:00.1" });
    let queue = Queue::start("slow", quick, json!({}), |options| options.stop_limit = Duration::from_millis(200)).await;
    queue.put(&STANDARD.encode("work")).await;
    let mut in_flight = queue.running.in_flight();
    tokio::time::timeout(PATIENCE, in_flight.wait_for(|count| *count == 1)).await.unwrap().unwrap();
    let (log, invocations) = (queue.running.log(), queue.running.invocations());
    queue.running.stop().await;
    assert!(log.borrow().iter().any(|line| line.contains("given up")) && invocations.borrow().is_empty());
}

#[tokio::test]
async fn a_queue_whose_name_has_no_room_for_poison_keeps_what_fails() {
    let long = format!("q-{}-{}", Uuid::new_v4(), "x".repeat(18));
    let poison = format!("q-{}-poison", Uuid::new_v4());
    for name in [long, poison] {
        assert_eq!(make(&name).await, 201);
        let dir = Queue::package(&name, &json!({ "maxDequeueCount": 1 }), &json!({}));
        let queue = Queue::of(name, dir, "error", |_| {}).await;
        queue.put(&STANDARD.encode("work")).await;
        queue.logs("has no poison queue: the message only stays invisible").await;
        assert_eq!(queue.invoked(1).await.len(), 1);
    }
}

#[tokio::test]
async fn no_more_than_a_batch_and_the_threshold_are_worked_on_at_once() {
    let limits = json!({ "batchSize": 2, "newBatchThreshold": 1, "maxPollingInterval": "00:00:00.1" });
    let name = format!("q-{}", Uuid::new_v4());
    assert_eq!(make(&name).await, 201);
    for _ in 0..6 {
        send(&name, &STANDARD.encode("work")).await;
    }
    let dir = Queue::package(&name, &limits, &json!({}));
    let queue = Queue::of(name, dir, "slow", |_| {}).await;
    let mut in_flight = queue.running.in_flight();
    // Two are more than the threshold: the next batch comes only when one of them is done.
    tokio::time::timeout(PATIENCE, in_flight.wait_for(|count| *count == 2)).await.unwrap().unwrap();
    assert_eq!(peek(&queue.name).await.unwrap().len(), 4);

    let limits = json!({ "batchSize": 2, "newBatchThreshold": 2, "maxPollingInterval": "00:00:00.1" });
    let dir = Queue::package(&queue.name, &limits, &json!({}));
    let queue = Queue::of(queue.name.clone(), dir, "slow", |_| {}).await;
    let mut in_flight = queue.running.in_flight();
    tokio::time::timeout(PATIENCE, in_flight.wait_for(|count| *count == 4)).await.unwrap().unwrap();
    assert_eq!(peek(&queue.name).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_message_whose_host_died_comes_back_and_counts_that_delivery() {
    let lease = |options: &mut HostOptions| options.lease = Duration::from_secs(1);
    let quick = json!({ "maxPollingInterval": "00:00:00.1" });
    let first = Queue::start("slow", quick.clone(), json!({}), lease).await;
    first.put(&STANDARD.encode("work")).await;
    tokio::time::timeout(PATIENCE, first.running.in_flight().wait_for(|count| *count == 1)).await.unwrap().unwrap();
    let name = first.name.clone();
    drop(first);
    let second = Queue::of(name.clone(), Queue::package(&name, &quick, &json!({})), "", lease).await;
    assert_eq!(second.invoked(1).await[0].request["Metadata"]["DequeueCount"], "2");
}
