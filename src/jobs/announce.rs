//! Announces an entry of the trail: a write-back message to every target that serves the user.
//!
//! Announcing twice is harmless, because a message says "bring this user up to date" and nothing else.

use bytes::Bytes;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{self, WriteBack};
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::store::StoreError;
use photorelay_core::target::Targets;
use photorelay_core::telemetry::metrics;

/// Sends the messages and returns the names of their targets. There are none for an entry that no target needs, and for
/// a user whom no target serves.
pub async fn announce(
    queues: &dyn QueueStore,
    targets: &Targets,
    committed: &Committed,
) -> Result<Vec<String>, StoreError> {
    let mut announced_to = Vec::new();
    let Some(event) = WriteBack::announcing(&committed.entry, committed.sha256) else {
        return Ok(announced_to);
    };
    let body = Bytes::from(contract::to_bytes(&event.sent_now()));
    for target in targets.serving(committed.entry.identity.domain.as_deref()) {
        queues.send(&target.queue, vec![Outgoing::now(body.clone())]).await?;
        announced_to.push(target.name.clone());
    }
    let entry = &committed.entry;
    metrics::announced(announced_to.len());
    tracing::info!(
        user.id = %entry.user_id,
        seq = entry.seq,
        targets = ?announced_to,
        trace = entry.traceparent,
        "announced"
    );
    Ok(announced_to)
}
