//! The queue interface: at-least-once delivery, unordered, with a delay on sending and a lease on receiving.
//!
//! Messages must never expire. A message may exist twice, because a client retries a send whose response was lost, so
//! handlers must be idempotent. Bodies are sent as base64, as the Functions host expects.

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
    /// At most 48 KiB, which is the content of 64 KiB of base64.
    pub body: Bytes,
    /// How long the message stays hidden after sending; at most 7 days.
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

/// The longest time for which a message can be hidden.
pub const MAX_DELAY: Duration = Duration::from_secs(7 * 24 * 3600 - 60);
/// The largest body of a message, before base64.
pub const MAX_BODY_BYTES: usize = 48 * 1024;

/// A received message, hidden from other consumers until its lease expires.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: String,
    pub body: MessageBody,
    /// 1 for the first delivery.
    pub dequeue_count: u32,
    pub inserted_at: Timestamp,
    pub receipt: PopReceipt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    Bytes(Bytes),
    /// Not base64, so not sent by photorelay. The original text, for the poison queue.
    Undecodable(String),
}

impl MessageBody {
    /// The body, or the original text of one that could not be decoded.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Undecodable(text) => text.as_bytes(),
        }
    }
}

/// Proof that a message is leased to this consumer; each renewal returns a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopReceipt(pub String);

/// Whether this consumer still held the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leased<T> {
    Yes(T),
    /// The message is gone or another consumer has it, whose result is as good.
    Lost,
}

#[async_trait]
pub trait QueueStore: Send + Sync + Debug {
    /// Ensures that the queue exists, creating it if that is allowed.
    async fn ensure_queue(&self, queue: &str) -> Result<(), StoreError>;

    /// Stores all messages durably. After an `Err` some of them may be in the queue.
    async fn send(&self, queue: &str, messages: Vec<Outgoing>) -> Result<(), StoreError>;

    /// Receives up to `max` (1 to 32) messages, each hidden for the duration of the lease.
    async fn receive(&self, queue: &str, max: u32, lease: Duration) -> Result<Vec<Delivery>, StoreError>;

    /// Hides the message for this time from now on; zero makes it visible at once.
    async fn renew(&self, queue: &str, delivery: &Delivery, lease: Duration) -> Result<Leased<PopReceipt>, StoreError>;

    async fn delete(&self, queue: &str, delivery: &Delivery) -> Result<Leased<()>, StoreError>;

    /// The number of messages, including hidden ones. Exact on the embedded store, approximate on Azure.
    async fn count(&self, queue: &str) -> Result<u64, StoreError>;

    /// When the oldest visible message began to wait; `None` if there is none. On Azure this includes the time during
    /// which the message was hidden.
    async fn oldest(&self, queue: &str) -> Result<Option<Timestamp>, StoreError>;

    /// Waits until the queue may have a message, at most for this time. A backend without notifications only waits.
    async fn wait(&self, queue: &str, at_most: Duration) {
        let _ = queue;
        tokio::time::sleep(at_most).await;
    }

    /// Waits until the store is not the one any more that was opened, and says so. A service that others run stays.
    async fn until_lost(&self) -> StoreError {
        std::future::pending().await
    }
}
