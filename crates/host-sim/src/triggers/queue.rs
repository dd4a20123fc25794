//! The listener of one queue: batches, leases, retries and poison, as the queue extension of the host does it.
//!
//! What the store answers decides whether the host waits, goes on, or ends: an exception that the extension does not know
//! ends the whole host (`QueueListener`, `QueueProcessor`, `UpdateQueueMessageVisibilityCommand` and `TaskSeriesTimer` of
//! the extension, `WebScriptHostExceptionHandler` of the host; README has the dates).

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use azure_core::error::ErrorKind;
use azure_storage_queue::QueueClient;
use azure_storage_queue::models::{QueueClientReceiveMessagesOptions, ReceivedMessage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use jiff::civil::DateTime;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::encode::{self, QueueTriggerMessage};
use crate::host::Host;
use crate::package::HostedFunction;

const MIN_POLL: Duration = Duration::from_millis(100);
const LONGEST_NAME: usize = 63;
const POISON: &str = "-poison";

/// A message under lease: the receipt changes with each renewal.
struct LeasedMessage<'a> {
    client: &'a QueueClient,
    queue: &'a str,
    id: String,
    receipt: String,
    text: String,
}

impl LeasedMessage<'_> {
    async fn hide(&mut self, duration: Duration) -> Result<()> {
        let reply = self.client.update_message(&self.id, &self.receipt, seconds(duration), None).await?;
        let receipt = reply.headers().get_optional_string(&"x-ms-popreceipt".into());
        self.receipt = receipt.context("no new receipt")?;
        Ok(())
    }

    async fn delete(&self) -> Result<()> {
        Ok(self.client.delete_message(&self.id, &self.receipt, None).await.map(drop)?)
    }
}

impl Host {
    pub(crate) async fn listen(self: Arc<Self>, function: HostedFunction) -> Result<()> {
        let queue = function.trigger["queueName"].as_str().context("a queue trigger has no queueName")?.to_owned();
        let client = Arc::new(self.queue_client(&queue)?);
        let settings = &self.app.queues;
        let (mut running, mut pause) = (JoinSet::new(), MIN_POLL);
        loop {
            while running.len() > settings.new_batch_threshold {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            let received = tokio::select! {
                received = receive(&client, settings.batch_size, self.options.lease) => received,
                () = self.stopping.cancelled() => break,
            };
            let batch = match received {
                Ok(batch) => batch,
                Err(error) if !is_waited_for(&error) => return Err(error.context(unhandled(&queue))),
                // If the queue does not exist or the store cannot serve it now, the host only waits.
                Err(error) => {
                    self.log(format!("{queue} cannot be read: {error:#}"));
                    Vec::new()
                }
            };
            if batch.is_empty() {
                tokio::select! {
                    () = sleep(pause) => {}
                    () = self.stopping.cancelled() => break,
                }
                pause = longer(pause, fastrand::f64()).min(settings.max_polling_interval);
                continue;
            }
            pause = MIN_POLL;
            for message in batch {
                let (host, function) = (Arc::clone(&self), function.clone());
                let (client, queue) = (Arc::clone(&client), queue.clone());
                running.spawn(self.messages.track_future(async move {
                    if let Err(error) = host.handle(&client, &queue, &function, message).await {
                        host.worker.shut_down(format!("{:#}", error.context(unhandled(&queue))));
                    }
                }));
            }
        }
        while running.join_next().await.is_some() {}
        Ok(())
    }

    async fn handle(
        &self,
        client: &QueueClient,
        queue: &str,
        function: &HostedFunction,
        received: ReceivedMessage,
    ) -> Result<()> {
        let settings = &self.app.queues;
        let mut leased = LeasedMessage {
            client,
            queue,
            id: received.message_id.clone().context("no id")?,
            receipt: received.pop_receipt.clone().context("no receipt")?,
            text: received.message_text.clone().unwrap_or_default(),
        };
        let body = if settings.base64 { STANDARD.decode(&leased.text).ok() } else { Some(leased.text.clone().into()) };
        let Some(body) = body else {
            self.log(format!("Message decoding has failed! Check MessageEncoding settings. MessageId={}", leased.id));
            return self.poison(&leased).await;
        };
        let count = received.dequeue_count.unwrap_or(1);
        // A queue without poison is handled however often it was tried (extension 5.3.8).
        if count > settings.max_dequeue_count && has_poison(queue) {
            return self.poison(&leased).await;
        }
        let envelope = encode::queue(function, &trigger_message(&received, body), &self.options.faults);
        let mut work = Box::pin(self.deliver(function, envelope));
        let mut is_own = true;
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                // An error of the server (5xx) ends the host here: the extension asks for it, and then throws all the same.
                () = sleep(self.options.lease / 2), if is_own => is_own = unless_gone(leased.hide(self.options.lease).await)?,
            }
        };
        match result {
            Ok(()) => unless_gone(leased.delete().await).map(drop),
            Err(_) if count >= settings.max_dequeue_count => {
                self.log(format!(
                    "Message has reached MaxDequeueCount of {}. Moving message to queue '{queue}{POISON}'.",
                    settings.max_dequeue_count
                ));
                self.poison(&leased).await
            }
            Err(_) => unless_gone(leased.hide(settings.visibility_timeout).await).map(drop),
        }
    }

    async fn deliver(&self, function: &HostedFunction, envelope: serde_json::Value) -> Result<()> {
        let deliver = || self.invoke_with_outputs(function, envelope.clone());
        if self.options.faults.deliver_twice {
            let (first, second) = tokio::join!(deliver(), deliver());
            first.and(second)?;
        } else {
            deliver().await?;
        }
        Ok(())
    }

    /// A new message with a new id and the service's default time to live.
    async fn poison(&self, message: &LeasedMessage<'_>) -> Result<()> {
        let LeasedMessage { queue, id, text, .. } = message;
        if !has_poison(queue) {
            self.log(format!("{queue} has no poison queue: the message only stays invisible"));
            return Ok(());
        }
        self.send_message(&format!("{queue}{POISON}"), text.clone()).await?;
        unless_gone(message.delete().await)?;
        self.log(format!("{queue}{POISON} has the message {id}"));
        Ok(())
    }
}

fn trigger_message(received: &ReceivedMessage, body: Vec<u8>) -> QueueTriggerMessage {
    const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let time = |seconds: Option<i64>| EPOCH.saturating_add(SignedDuration::from_secs(seconds.unwrap_or_default()));
    QueueTriggerMessage {
        id: received.message_id.clone().unwrap_or_default(),
        receipt: received.pop_receipt.clone().unwrap_or_default(),
        dequeue_count: received.dequeue_count.unwrap_or(1),
        inserted: time(received.insertion_time.map(|t| t.unix_timestamp())),
        expires: time(received.expiration_time.map(|t| t.unix_timestamp())),
        next_visible: time(received.time_next_visible.map(|t| t.unix_timestamp())),
        body,
    }
}

fn has_poison(queue: &str) -> bool {
    !queue.ends_with(POISON) && queue.len() + POISON.len() <= LONGEST_NAME
}

/// What the host logs before it ends.
fn unhandled(queue: &str) -> String {
    format!("An unhandled exception has occurred. Host is shutting down. The listener of {queue}")
}

/// Whether the listener only waits after this answer: everything else ends the host, also 401, 403, a token that cannot be
/// had, and a store that cannot be reached.
fn is_waited_for(error: &anyhow::Error) -> bool {
    matches!(answered(error), Some((404, "QueueNotFound") | (409, "QueueBeingDeleted") | (500..600, _)))
}

/// Whether the message was changed; `false` if it is gone or another host's by now, which ends nothing.
fn unless_gone(changed: Result<()>) -> Result<bool> {
    match changed {
        Ok(()) => Ok(true),
        Err(error) => match answered(&error) {
            Some(
                (400, "PopReceiptMismatch") | (404, "MessageNotFound" | "QueueNotFound") | (409, "QueueBeingDeleted"),
            ) => Ok(false),
            _ => Err(error),
        },
    }
}

/// The status of an answer, and the service's code for the error.
fn answered(error: &anyhow::Error) -> Option<(u16, &str)> {
    match error.downcast_ref::<azure_core::Error>()?.kind() {
        ErrorKind::HttpResponse { status, error_code, .. } => {
            Some((u16::from(*status), error_code.as_deref().unwrap_or_default()))
        }
        _ => None,
    }
}

/// The wait before the next attempt on an empty queue: twice as long, give or take a fifth.
fn longer(pause: Duration, dice: f64) -> Duration {
    (pause * 2).mul_f64(0.8 + 0.4 * dice)
}

async fn receive(client: &QueueClient, most: usize, lease: Duration) -> Result<Vec<ReceivedMessage>> {
    let options = QueueClientReceiveMessagesOptions {
        number_of_messages: i32::try_from(most).ok(),
        visibility_timeout: Some(seconds(lease)),
        ..Default::default()
    };
    Ok(client.receive_messages(Some(options)).await?.into_model()?.items.unwrap_or_default())
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_a_message_doubles_give_or_take_a_fifth() {
        let waits = [0.0, 0.5, 1.0].map(|dice| longer(Duration::from_millis(100), dice).as_millis());
        assert_eq!(waits, [160, 200, 240]);
    }
}
