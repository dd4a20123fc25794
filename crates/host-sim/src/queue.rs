//! The listener of one queue: batches, leases, retries and poison, as the queue extension of the host does it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use azure_storage_queue::models::{QueueClientReceiveMessagesOptions, QueueMessage, ReceivedMessage};
use azure_storage_queue::{QueueClient, QueueServiceClient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

use crate::Host;
use crate::decode::{member, messages};
use crate::encode::{self, Message};
use crate::package::{Function, is};

const MIN_POLL: Duration = Duration::from_millis(100);
const LONGEST_NAME: usize = 63;
const POISON: &str = "-poison";

pub(crate) fn client(service: &Url, queue: &str) -> Result<QueueClient> {
    Ok(QueueServiceClient::new(service.clone(), None, None)?.queue_client(queue)?)
}

impl Host {
    pub(crate) async fn listen(self: Arc<Self>, function: Function) -> Result<()> {
        let queue = function.trigger["queueName"].as_str().context("a queue trigger has no queueName")?.to_owned();
        let service = self.options.queue_service.clone().context("there is no queue service")?;
        let client = Arc::new(client(&service, &queue)?);
        let settings = &self.app.queues;
        let (mut running, mut pause) = (JoinSet::new(), MIN_POLL);
        loop {
            while running.len() > settings.new_batch_threshold {
                running.join_next().await;
            }
            while running.try_join_next().is_some() {}
            let batch = match receive(&client, settings.batch_size, self.options.lease).await {
                Ok(batch) => batch,
                // A queue that is not there, or a store that is down, is only waited for.
                Err(error) => {
                    self.say(format!("{queue} cannot be read: {error:#}"));
                    Vec::new()
                }
            };
            if batch.is_empty() {
                sleep(pause).await;
                pause = longer(pause, fastrand::f64()).min(settings.max_polling_interval);
                continue;
            }
            pause = MIN_POLL;
            for message in batch {
                let (host, function) = (Arc::clone(&self), function.clone());
                let (client, queue) = (Arc::clone(&client), queue.clone());
                running.spawn(async move {
                    if let Err(error) = host.handle(&client, &queue, &function, message).await {
                        host.say(format!("{queue}: {error:#}"));
                    }
                });
            }
        }
    }

    async fn handle(&self, client: &QueueClient, queue: &str, function: &Function, raw: ReceivedMessage) -> Result<()> {
        let text = raw.message_text.clone().unwrap_or_default();
        let id = raw.message_id.clone().context("no id")?;
        let mut receipt = raw.pop_receipt.clone().context("no receipt")?;
        let settings = &self.app.queues;
        let body = if settings.base64 { STANDARD.decode(&text).ok() } else { Some(text.clone().into_bytes()) };
        let count = raw.dequeue_count.unwrap_or(1);
        let Some(body) = body else {
            self.say(format!("Message decoding has failed! Check MessageEncoding settings. MessageId={id}"));
            return self.poison(client, queue, &id, &receipt, text).await;
        };
        if count > settings.max_dequeue_count {
            return self.poison(client, queue, &id, &receipt, text).await;
        }
        let time = |time: Option<i64>| time.and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default();
        let message = Message {
            id: id.clone(),
            receipt: receipt.clone(),
            dequeue_count: count,
            inserted: time(raw.insertion_time.map(|t| t.unix_timestamp())),
            expires: time(raw.expiration_time.map(|t| t.unix_timestamp())),
            next_visible: time(raw.time_next_visible.map(|t| t.unix_timestamp())),
            body,
        };
        let envelope = encode::queue(function, &message, &self.options.faults);
        let work = async {
            let deliver = || self.invoke_with_outputs(function, envelope.clone());
            if self.options.faults.deliver_twice {
                let (first, second) = tokio::join!(deliver(), deliver());
                first.and(second)
            } else {
                deliver().await
            }
        };
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                () = sleep(self.options.lease / 2) => {
                    receipt = update(client, &id, &receipt, self.options.lease).await?;
                }
            }
        };
        match result {
            Ok(_) => client.delete_message(&id, &receipt, None).await.map(drop)?,
            Err(_) if count >= settings.max_dequeue_count => {
                self.say(format!(
                    "Message has reached MaxDequeueCount of {}. Moving message to queue '{queue}{POISON}'.",
                    settings.max_dequeue_count
                ));
                self.poison(client, queue, &id, &receipt, text).await?;
            }
            Err(_) => update(client, &id, &receipt, settings.visibility_timeout).await.map(drop)?,
        }
        Ok(())
    }

    /// A new message with a new id and the service's default time to live.
    async fn poison(&self, from: &QueueClient, queue: &str, id: &str, receipt: &str, text: String) -> Result<()> {
        if queue.ends_with(POISON) || queue.len() + POISON.len() > LONGEST_NAME {
            self.say(format!("{queue} has no poison queue: the message only stays invisible"));
            return Ok(());
        }
        self.put(&format!("{queue}{POISON}"), text).await?;
        from.delete_message(id, receipt, None).await?;
        self.say(format!("{queue}{POISON} has the message {id}"));
        Ok(())
    }

    /// Only after success, and not as one: a message may be there although the invocation is repeated.
    pub(crate) async fn outputs(&self, function: &Function, reply: &Value) -> Result<()> {
        for binding in function.outputs.iter().filter(|binding| is(binding, "queue")) {
            let (Some(name), Some(queue)) = (binding["name"].as_str(), binding["queueName"].as_str()) else { continue };
            let Some(output) = member(reply, "Outputs").and_then(|outputs| member(outputs, name)) else { continue };
            for body in messages(output, binding["dataType"] == "binary") {
                let text = if self.app.queues.base64 {
                    STANDARD.encode(body)
                } else {
                    String::from_utf8_lossy(&body).into_owned()
                };
                self.put(queue, text).await?;
            }
        }
        Ok(())
    }

    async fn put(&self, queue: &str, text: String) -> Result<()> {
        let service = self.options.queue_service.as_ref().context("there is no queue service")?;
        let client = client(service, queue)?;
        // Created if it is missing; that it exists is no failure, and anything else shows when the message is sent.
        let _ = client.create(None).await;
        client.send_message(QueueMessage { message_text: Some(text) }.try_into()?, None).await?;
        Ok(())
    }
}

/// The wait after another look at an empty queue: twice as long, give or take a fifth.
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

async fn update(client: &QueueClient, id: &str, receipt: &str, hidden: Duration) -> Result<String> {
    let reply = client.update_message(id, receipt, seconds(hidden), None).await?;
    reply.headers().get_optional_string(&"x-ms-popreceipt".into()).context("no new receipt")
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
