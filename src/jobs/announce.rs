//! Announces an entry of the trail: a write-back message to every target that serves the person.
//!
//! Announcing twice is harmless, because a message says "look at this person" and nothing else.

use bytes::Bytes;
use photorelay_core::audit::Committed;
use photorelay_core::contract::{self, WriteBack};
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::store::StoreError;
use photorelay_core::target::Targets;
use photorelay_core::telemetry::metrics;

/// Sends the messages and returns the names of the targets that were told. An entry that concerns no target, and a
/// person whom no target serves, are announced to nobody.
pub async fn announce(
    queues: &dyn QueueStore,
    targets: &Targets,
    committed: &Committed,
) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::new();
    let Some(event) = WriteBack::announcing(&committed.entry, committed.sha256) else {
        return Ok(told);
    };
    let body = Bytes::from(contract::to_bytes(&event));
    for target in targets.serving(committed.entry.identity.domain.as_deref()) {
        queues.send(&target.queue, vec![Outgoing::now(body.clone())]).await?;
        told.push(target.name.clone());
    }
    let entry = &committed.entry;
    metrics::announced(told.len());
    tracing::info!(user.id = %entry.user_id, seq = entry.seq, targets = ?told, trace = entry.traceparent, "announced");
    Ok(told)
}
