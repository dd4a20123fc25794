//! Queues in an Azure storage account, or in Azurite, through the official SDK.
//!
//! Bodies are sent as base64, and messages never expire. The SDK retries a send whose response was lost, so a message
//! may exist twice. This module must never expose a SAS or a URL query in an error, a log line or `Debug` output. It
//! owns the failure "the lease is lost", which is a result, not an error.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::Transport;
use azure_core::http::headers::HeaderName;
use azure_storage_queue::models::{
    QueueClientGetPropertiesResultHeaders as _, QueueClientPeekMessagesOptions, QueueClientReceiveMessagesOptions,
    QueueClientSendMessageOptions, QueueMessage, ReceivedMessage,
};
use azure_storage_queue::{QueueClient, QueueServiceClient, QueueServiceClientOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use url::Url;

use super::{Delivery, Leased, MessageBody, Outgoing, PopReceipt, QueueStore, rules};
use crate::store::StoreError;
use crate::store::azure::{Service, classify, client_options, error_code, status, within_time};

/// How many messages are sent concurrently.
const PARALLEL_SENDS: usize = 16;
/// The most that one call can peek at; queues are roughly first in, first out.
const PEEKED: i32 = 32;
/// Never expires.
const TIME_TO_LIVE: i32 = -1;

/// The queues in an Azure storage account.
pub struct AzureQueues {
    service: Service,
    client: QueueServiceClient,
}

impl AzureQueues {
    /// Creates a client for a queue service URI, which needs a SAS or a credential. Sends nothing yet.
    pub fn connect(
        service_uri: &Url,
        credential: Option<Arc<dyn TokenCredential>>,
        transport: Transport,
    ) -> Result<Self, StoreError> {
        let service = Service::check("queue", service_uri, credential.is_some())?;
        let options = QueueServiceClientOptions { client_options: client_options(transport), ..Default::default() };
        let client = QueueServiceClient::new(service_uri.clone(), credential, Some(options))
            .map_err(|error| classify(error, || format!("connecting to {service}")))?;
        Ok(Self { service, client })
    }

    fn queue(&self, queue: &str) -> Result<QueueClient, StoreError> {
        rules::check_queue(queue)?;
        self.client.queue_client(queue).map_err(|error| classify(error, || format!("opening the queue `{queue}`")))
    }
}

impl fmt::Debug for AzureQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureQueues").field("service", &self.service).finish_non_exhaustive()
    }
}

#[async_trait]
impl QueueStore for AzureQueues {
    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError> {
        let doing = || format!("creating the queue `{queue}`");
        let client = self.queue(queue)?;
        let denied = match within_time(doing, client.create(None)).await? {
            Ok(_) => return Ok(()),
            Err(error) if error_code(&error) == Some("QueueAlreadyExists") => return Ok(()),
            Err(error) if status(&error) == Some(403) => classify(error, doing),
            Err(error) => return Err(classify(error, doing)),
        };
        // A program that may not create queues can still use an existing one.
        match within_time(doing, client.get_properties(None)).await? {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => {
                Err(StoreError::Missing { what: format!("the queue `{queue}`") })
            }
            Err(error) if status(&error) == Some(403) => Err(denied),
            Err(error) => Err(classify(error, || format!("finding the queue `{queue}`"))),
        }
    }

    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        rules::check_messages(queue, &messages)?;
        let client = self.queue(queue)?;
        futures::stream::iter(messages)
            .map(|message| send_one(&client, queue, message))
            .buffer_unordered(PARALLEL_SENDS)
            .try_collect()
            .await
    }

    async fn receive(&self, queue: &str, max: u32, lease: Duration) -> Result<Vec<Delivery>, StoreError> {
        let doing = || format!("receiving from the queue `{queue}`");
        let client = self.queue(queue)?;
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: i32::try_from(rules::receivable(max)).ok(),
            visibility_timeout: Some(whole_seconds(rules::lease(lease))),
            ..Default::default()
        };
        let request = async { client.receive_messages(Some(options)).await?.into_model() };
        let received = within_time(doing, request).await?.map_err(|error| classify(error, doing))?;
        Ok(received.items.unwrap_or_default().into_iter().filter_map(delivery).collect())
    }

    async fn renew(&self, queue: &str, delivery: &Delivery, lease: Duration) -> Result<Leased<PopReceipt>, StoreError> {
        let doing = || format!("renewing a lease in the queue `{queue}`");
        let client = self.queue(queue)?;
        let seconds = whole_seconds(rules::delay(lease));
        // Without a body the service keeps the current one.
        match within_time(doing, client.update_message(&delivery.id, &delivery.receipt.0, seconds, None)).await? {
            Ok(response) => {
                let receipt = response.headers().get_optional_string(&HeaderName::from_static("x-ms-popreceipt"));
                let receipt = receipt.ok_or_else(|| StoreError::Unavailable {
                    doing: doing(),
                    source: "the response has no new receipt".into(),
                })?;
                Ok(Leased::Yes(PopReceipt(receipt)))
            }
            Err(error) if says_lost(&error) => Ok(Leased::Lost),
            Err(error) => Err(classify(error, doing)),
        }
    }

    async fn delete(&self, queue: &str, delivery: &Delivery) -> Result<Leased<()>, StoreError> {
        let doing = || format!("deleting from the queue `{queue}`");
        let client = self.queue(queue)?;
        match within_time(doing, client.delete_message(&delivery.id, &delivery.receipt.0, None)).await? {
            Ok(_) => Ok(Leased::Yes(())),
            Err(error) if says_lost(&error) => Ok(Leased::Lost),
            Err(error) => Err(classify(error, doing)),
        }
    }

    async fn count(&self, queue: &str) -> Result<u64, StoreError> {
        let doing = || format!("counting the queue `{queue}`");
        let client = self.queue(queue)?;
        let request = async { client.get_properties(None).await?.approximate_messages_count() };
        let count = within_time(doing, request).await?.map_err(|error| classify(error, doing))?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
    }

    async fn oldest(&self, queue: &str) -> Result<Option<Timestamp>, StoreError> {
        let doing = || format!("peeking at the queue `{queue}`");
        let client = self.queue(queue)?;
        let options = QueueClientPeekMessagesOptions { number_of_messages: Some(PEEKED), ..Default::default() };
        let request = async { client.peek_messages(Some(options)).await?.into_model() };
        let peeked = within_time(doing, request).await?.map_err(|error| classify(error, doing))?;
        let inserted = peeked.items.unwrap_or_default().into_iter().filter_map(|message| message.insertion_time);
        Ok(inserted.filter_map(|time| Timestamp::from_second(time.unix_timestamp()).ok()).min())
    }
}

async fn send_one(client: &QueueClient, queue: &str, message: Outgoing) -> Result<(), StoreError> {
    let doing = || format!("sending to the queue `{queue}`");
    let options = QueueClientSendMessageOptions {
        message_time_to_live: Some(TIME_TO_LIVE),
        visibility_timeout: Some(whole_seconds(rules::delay(message.delay))),
        ..Default::default()
    };
    let message = QueueMessage { message_text: Some(STANDARD.encode(&message.body)) };
    let request = async { client.send_message(message.try_into()?, Some(options)).await };
    within_time(doing, request).await?.map(drop).map_err(|error| classify(error, doing))
}

fn delivery(message: ReceivedMessage) -> Option<Delivery> {
    let text = message.message_text.unwrap_or_default();
    let inserted_at = message
        .insertion_time
        .and_then(|time| Timestamp::from_second(time.unix_timestamp()).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    Some(Delivery {
        id: message.message_id?,
        body: match STANDARD.decode(&text) {
            Ok(bytes) => MessageBody::Bytes(bytes.into()),
            Err(_) => MessageBody::Undecodable(text),
        },
        dequeue_count: message.dequeue_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1),
        inserted_at,
        receipt: PopReceipt(message.pop_receipt?),
    })
}

/// Whether the message no longer exists or another consumer has received it.
fn says_lost(error: &azure_core::Error) -> bool {
    matches!(error_code(error), Some("PopReceiptMismatch" | "MessageNotFound"))
}

/// Rounds up, because the service counts in seconds and a message must not become visible too early.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
