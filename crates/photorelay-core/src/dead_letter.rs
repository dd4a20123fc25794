//! Buries a message that can never be handled: a copy in the poison queue, and a blob that keeps it with the reason.
//!
//! Burying one message must never block others, and must never lose what it said.

use crate::id::Digest;
use crate::names::{self, Container};
use crate::queue::Outgoing;
use crate::storage::Storage;
use crate::store::{Metadata, StoreError};
use crate::telemetry::metrics;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

/// Buries the message of this queue; the blob goes to the container that the caller may write.
/// The caller deletes the original only after this returned `Ok`.
pub async fn dead_letter(
    storage: &Storage,
    keep_in: Container,
    queue: &str,
    body: &[u8],
    reason: &str,
) -> Result<(), StoreError> {
    let poison = names::poison_queue(queue);
    // The same message dead-lettered twice lands on the same blob.
    let name = names::dead_lettered(queue, &Digest::of(body).to_string());
    let record =
        json!({ "v": 1, "queue": queue, "reason": reason, "at": Timestamp::now(), "body": BASE64.encode(body) });
    storage.blobs.put(keep_in, &name, "application/json", Bytes::from(record.to_string()), &Metadata::new()).await?;
    storage.queues.ensure_queue(&poison).await?;
    storage.queues.send(&poison, vec![Outgoing::now(Bytes::copy_from_slice(body))]).await?;
    metrics::dead_lettered(queue);
    tracing::error!(
        queue,
        reason,
        blob = %format!("{keep_in}/{name}"),
        "a message cannot be handled and was moved to the poison queue; the blob keeps it with the reason"
    );
    Ok(())
}
