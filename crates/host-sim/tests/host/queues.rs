//! The queue loop on an Azurite.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use host_sim::{Faults, Invocation, Options, Running};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::{PATIENCE, function, package};

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what started Azurite for them")]
fn service() -> Url {
    let name = "PHOTORELAY_TEST_AZURITE_QUEUE";
    let url = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"));
    Url::parse(&url).unwrap()
}

struct Queue {
    name: String,
    running: Running,
    _dir: TempDir,
}

impl Queue {
    async fn start(mode: &str, queues: Value, binding: Value, edit: impl FnOnce(&mut Options)) -> Self {
        let name = format!("q-{}", Uuid::new_v4());
        let dir = package(|root| {
            let file = root.join("host.json");
            let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            host["extensions"]["queues"] = queues.clone();
            fs::write(file, host.to_string()).unwrap();
            let mut trigger = json!({ "type": "queueTrigger", "direction": "in", "name": "msg", "queueName": name });
            trigger.as_object_mut().unwrap().extend(binding.as_object().unwrap().clone());
            function(root, "work", &json!([trigger]));
        });
        for queue in [name.clone(), format!("{name}-poison")] {
            let made = reqwest::Client::new().put(address(&queue)).header("content-length", 0).send().await.unwrap();
            assert!(made.status().is_success(), "{}", made.status());
        }
        let mut options = Options::new(dir.path());
        options.queue_service = Some(service());
        options.environment.push(("HANDLER_MODE".to_owned(), mode.to_owned()));
        edit(&mut options);
        Self { name, running: Running::start(options).await.unwrap(), _dir: dir }
    }

    async fn put(&self, text: &str) {
        let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        let mut url = address(&self.name);
        url.set_path(&format!("{}/messages", url.path()));
        assert!(reqwest::Client::new().post(url).body(body).send().await.unwrap().status().is_success());
    }

    /// The invocations, once there are this many.
    async fn invoked(&self, count: usize) -> Vec<Invocation> {
        let mut invocations = self.running.invocations();
        let enough = invocations.wait_for(|all| all.len() >= count);
        tokio::time::timeout(PATIENCE, enough).await.expect("in time").unwrap().clone()
    }

    /// The text of the message in the poison queue, once there is one.
    async fn poisoned(&self) -> String {
        let mut url = address(&format!("{}-poison", self.name));
        url.set_path(&format!("{}/messages", url.path()));
        url.query_pairs_mut().append_pair("peekonly", "true");
        let look = async {
            loop {
                let text = reqwest::get(url.clone()).await.unwrap().text().await.unwrap();
                if let Some((_, rest)) = text.split_once("<MessageText>") {
                    return rest.split("</MessageText>").next().unwrap().to_owned();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("a message is poisoned in time")
    }
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
    assert_eq!(queue.poisoned().await, text);
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
    assert_eq!(queue.poisoned().await, "not base64!");
    assert!(queue.running.invocations().borrow().is_empty());
}

#[tokio::test]
async fn strings_are_encoded_twice_and_properties_of_a_message_override_metadata() {
    let queue = Queue::start("", json!({ "messageEncoding": "none" }), json!({}), |_| {}).await;
    let text = json!({ "id": "mine", "n": 2, "list": [1], "deep": { "a": 1 }, "workTrigger": "x" }).to_string();
    queue.put(&text).await;
    let request = queue.invoked(1).await.remove(0).request;
    assert_eq!(request["Data"]["msg"], json!(text).to_string());
    let metadata = &request["Metadata"];
    assert_eq!(metadata["Id"], "\"mine\"");
    assert_eq!(metadata["n"], "\"2\"");
    assert_eq!(metadata["deep"], json!({ "a": 1 }));
    assert!(metadata.get("list").is_none() && metadata.get("workTrigger").is_none());
    assert_eq!(metadata["InsertionTime"].as_str().unwrap().len(), "2026-11-22T07:25:14+00:00".len());
}

#[tokio::test]
async fn a_binary_trigger_gets_base64_once_and_nothing_leaks_into_metadata() {
    let edit = |options: &mut Options| {
        let faults = Faults { numeric_dequeue_count: true, unknown_metadata: true, ..Faults::default() };
        options.faults = Faults { deliver_twice: true, ..faults };
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
    let edit = |options: &mut Options| {
        options.lease = Duration::from_secs(2);
        options.function_timeout = Some(Duration::from_secs(3));
    };
    let queue = Queue::start("slow", json!({ "maxDequeueCount": 1 }), json!({}), edit).await;
    queue.put(&STANDARD.encode("work")).await;
    queue.poisoned().await;
    assert_eq!(queue.invoked(1).await.len(), 1);
}
