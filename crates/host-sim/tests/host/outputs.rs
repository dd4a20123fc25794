//! What a reply puts out: messages in queues, only after success, and lines in the log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use host_sim::{HostOptions, RunningHost};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::queues::{peek, service};
use crate::{function, package};

/// A timer function with two queues to write to, whose handler replies so.
struct Sender {
    running: RunningHost,
    queues: [String; 2],
    _dir: TempDir,
}

async fn sender(mode: &str) -> Sender {
    let queues = ["a", "b"].map(|name| format!("{name}-{}", Uuid::new_v4()));
    let dir = package(|root| {
        let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 0 1 1 *" });
        let output =
            |name: &str, queue: &str| json!({ "type": "queue", "direction": "out", "name": name, "queueName": queue });
        let [a, b] = [output("a", &queues[0]), output("b", &queues[1])];
        function(root, "sends", &json!([timer, a, b]));
    });
    let mut options = HostOptions::new(dir.path());
    options.queue_service = Some(service());
    options.environment.push(("HANDLER_MODE".to_owned(), mode.to_owned()));
    Sender { running: RunningHost::start(options).await.unwrap(), queues, _dir: dir }
}

impl Sender {
    async fn texts(&self, at: usize) -> Option<Vec<String>> {
        Some(peek(&self.queues[at]).await?.into_iter().map(|message| message.text).collect())
    }
}

#[tokio::test]
async fn messages_are_encoded_into_queues_that_are_made_for_them_and_logs_are_logged() {
    let sender =
        sender(r#"reply {"Outputs":{"a":["one","Test"],"B":"Test"},"Logs":["told"],"ReturnValue":null}"#).await;
    sender.running.run_timer("sends", None, false).await.unwrap();
    assert_eq!(sender.texts(0).await.unwrap(), [STANDARD.encode("one"), STANDARD.encode("Test")]);
    // A bare string that happens to be base64 is decoded first.
    assert_eq!(sender.texts(1).await.unwrap(), ["Test"]);
    assert!(peek(&sender.queues[0]).await.unwrap().iter().all(|message| message.lives == 7 * 24 * 3600));
    assert!(sender.running.log().borrow().contains(&"Function.sends.User: told".to_owned()));
}

#[tokio::test]
async fn nothing_is_put_out_or_logged_after_a_failure() {
    let sender = sender("error").await;
    sender.running.run_timer("sends", None, false).await.unwrap_err();
    assert!(sender.texts(0).await.is_none() && sender.running.log().borrow().is_empty());
}

#[tokio::test]
async fn an_output_that_cannot_be_written_fails_the_run_although_another_was_written() {
    let sender = sender(r#"reply {"Outputs":{"a":["fits"],"b":["HUGE"]}}"#).await;
    sender.running.run_timer("sends", None, false).await.unwrap_err();
    assert_eq!(sender.texts(0).await.unwrap(), [STANDARD.encode("fits")]);
}
