//! Queues as photorelay needs them: at-least-once, unordered, with a delay on sending and a lease on receiving.
//!
//! Messages never expire. A message may be there twice (a client repeats a send whose reply was lost), so whoever
//! handles one must be able to handle it again. Bodies travel as base64, as the Functions host expects them.

pub mod azure;
pub mod embedded;
mod rules;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::store::StoreError;

/// A message to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// At most 48 KiB, which is what 64 KiB of base64 hold.
    pub body: Bytes,
    /// Not to be seen before so long; at most 7 days.
    pub delay: Duration,
}

impl Outgoing {
    pub fn now(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), delay: Duration::ZERO }
    }

    pub fn after(delay: Duration, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), delay: delay.min(MAX_DELAY) }
    }
}

/// The longest time that a message can be hidden.
pub const MAX_DELAY: Duration = Duration::from_secs(7 * 24 * 3600 - 60);
/// The largest body of a message, before base64.
pub const MAX_BODY_BYTES: usize = 48 * 1024;

/// A message that was received and is hidden from others until its lease ends.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: String,
    pub body: MessageBody,
    /// 1 for the first time.
    pub dequeue_count: u32,
    pub inserted_at: Timestamp,
    pub receipt: PopReceipt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    Bytes(Bytes),
    /// Not base64, so not sent by photorelay. The text as it was, for the poison queue.
    Undecodable(String),
}

impl MessageBody {
    /// The body, or the text of one that could not be decoded.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Undecodable(text) => text.as_bytes(),
        }
    }
}

/// Proof that a message is leased to us; each renewal gives a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopReceipt(pub String);

/// Whether the lease was still ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased<T> {
    Yes(T),
    /// The message is gone or was given to somebody else; what they do is as good.
    Lost,
}

#[async_trait]
pub trait QueueStore: Send + Sync + Debug {
    /// Makes sure that the queue exists, creating it where that is allowed.
    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError>;

    /// Stores all messages durably. After an `Err` some of them may be there.
    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError>;

    /// Up to `max` (1 to 32) messages, each hidden for the time of the lease.
    async fn receive(&self, queue: &str, max: u32, lease: Duration) -> Result<Vec<Delivery>, StoreError>;

    /// Hides the message for so long from now; zero gives it back at once.
    async fn renew(&self, queue: &str, delivery: &Delivery, lease: Duration) -> Result<Leased<PopReceipt>, StoreError>;

    async fn delete(&self, queue: &str, delivery: &Delivery) -> Result<Leased<()>, StoreError>;

    /// How many messages there are, hidden ones included. Exact on the embedded store, approximate on Azure.
    async fn count(&self, queue: &str) -> Result<u64, StoreError>;

    /// Since when the oldest message that could be received now waits; none if there is none. On Azure the time for
    /// which it was hidden before counts in.
    async fn oldest(&self, queue: &str) -> Result<Option<Timestamp>, StoreError>;

    /// Waits until a message of the queue may be there, or until `at_most` is over. A backend that cannot be told of
    /// new messages just waits.
    async fn wait(&self, queue: &str, at_most: Duration) {
        let _ = queue;
        tokio::time::sleep(at_most).await;
    }
}
