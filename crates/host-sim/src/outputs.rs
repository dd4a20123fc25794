//! Messages that the host sends to queues: the outputs of functions, and what goes to a poison queue.

use anyhow::{Context, Result};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions};
use azure_core::time::Duration;
use azure_storage_queue::models::QueueMessage;
use azure_storage_queue::{QueueClient, QueueServiceClient, QueueServiceClientOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::decode::{member, messages};
use crate::host::Host;
use crate::package::{HostedFunction, is};

const FIRST_RETRY: Duration = Duration::milliseconds(100);

impl Host {
    pub(crate) fn queue_client(&self, queue: &str) -> Result<QueueClient> {
        let service = self.options.queue_service.clone().context("there is no queue service")?;
        // As many retries as the client of the host makes.
        let retry = ExponentialRetryOptions { initial_delay: FIRST_RETRY, max_retries: 3, ..Default::default() };
        let client_options = ClientOptions { retry: RetryOptions::exponential(retry), ..Default::default() };
        let options = QueueServiceClientOptions { client_options, ..Default::default() };
        Ok(QueueServiceClient::new(service, None, Some(options))?.queue_client(queue)?)
    }

    /// Only after success, and not as one: a message may be there although the invocation is repeated.
    pub(crate) async fn send_outputs(&self, function: &HostedFunction, response: &Value) -> Result<()> {
        for binding in function.outputs.iter().filter(|binding| is(binding, "queue")) {
            let (Some(name), Some(queue)) = (binding["name"].as_str(), binding["queueName"].as_str()) else { continue };
            let Some(output) = member(response, "Outputs").and_then(|outputs| member(outputs, name)) else { continue };
            for body in messages(output, binding["dataType"] == "binary") {
                let text = if self.app.queues.base64 {
                    STANDARD.encode(body)
                } else {
                    String::from_utf8_lossy(&body).into_owned()
                };
                self.send_message(queue, text).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn send_message(&self, queue: &str, text: String) -> Result<()> {
        let client = self.queue_client(queue)?;
        // Created if it is missing; that it exists is no failure, and anything else shows when the message is sent.
        let _ = client.create(None).await;
        client.send_message(QueueMessage { message_text: Some(text) }.try_into()?, None).await?;
        Ok(())
    }
}
