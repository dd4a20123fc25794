//! Dead-letters a message that can never be handled: stores it with the reason as a blob and sends a copy to the poison
//! queue.
//!
//! This module must never lose the content of a message, and one dead letter must never block other messages.

use bytes::Bytes;
use jiff::Timestamp;

use crate::contract::{DeadLetter, V1};
use crate::documents;
use crate::id::Digest;
use crate::names::{self, Container};
use crate::queue::Outgoing;
use crate::storage::Storage;
use crate::store::StoreError;
use crate::telemetry::metrics;

/// Dead-letters a message of this queue, with its blob in `container`.
///
/// The caller must delete the original message only after this returns `Ok`.
pub async fn dead_letter(
    storage: &Storage,
    container: Container,
    queue: &str,
    body: &[u8],
    reason: &str,
) -> Result<(), StoreError> {
    // The name is the digest, so dead-lettering the same message twice results in one blob.
    let name = names::dead_lettered(queue, &Digest::of(body).to_string());
    let (at, body) = (Timestamp::now(), body.to_vec());
    let kept = DeadLetter { v: V1, queue: queue.to_owned(), reason: reason.to_owned(), at, body };
    documents::replace(&*storage.blobs, container, &name, &kept).await?;
    let poison = names::poison_queue(queue);
    storage.queues.ensure_queue(&poison).await?;
    storage.queues.send(&poison, vec![Outgoing::now(Bytes::from(kept.body))]).await?;
    metrics::dead_lettered(queue);
    tracing::error!(
        queue,
        reason,
        blob = %format!("{container}/{name}"),
        "a message cannot be handled and was moved to the poison queue; the blob keeps it with the reason"
    );
    Ok(())
}
