//! The stop switch: while it is set, no agent of the target takes an item. Everything stays in the queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use photorelay_core::contract::{self, MAX_CONTRACT_BYTES, StopSwitch, V1};
use photorelay_core::documents;
use photorelay_core::heartbeats::heartbeats;
use photorelay_core::names::{self, Container};
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::storage::Storage;
use photorelay_core::store::{BlobStore, StoreError};

/// How often a working agent checks it.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(2);

/// A target without an agent, where other targets have one, is a setting that is missing: the switch would stop nothing.
pub async fn check_target(storage: &Storage, target: &str) -> anyhow::Result<()> {
    let reported = heartbeats(&*storage.blobs).await?;
    let known: BTreeSet<String> = reported.into_iter().map(|heartbeat| heartbeat.target).collect();
    ensure!(
        known.is_empty() || known.contains(target),
        "no agent of the target {target} has ever reported, and agents of {} have: set PHOTORELAY_TARGETS and \
         PHOTORELAY_AGENT_TARGET",
        known.into_iter().collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

/// Stops every agent of the target, within seconds.
pub async fn stop(storage: &Storage, target: &str, reason: Option<String>) -> Result<(), StoreError> {
    let switch = StopSwitch { v: V1, target: target.to_owned(), reason, at: Timestamp::now() };
    documents::replace(&*storage.blobs, Container::Agents, &names::stop_switch(target), &switch).await
}

/// Lets them continue.
pub async fn resume(storage: &Storage, target: &str) -> Result<(), StoreError> {
    storage.blobs.delete(Container::Agents, &names::stop_switch(target)).await
}

/// Reads the switch of one target.
#[derive(Debug, Clone)]
pub(crate) struct StopCheck {
    blobs: ScopedBlobs,
    target: String,
}

impl StopCheck {
    pub(crate) fn new(blobs: &Arc<dyn BlobStore>, target: &str) -> Self {
        const GRANTS: &[Grant] = &[Grant::read(Container::Agents, "stop/")];
        Self { blobs: ScopedBlobs::new(blobs, GRANTS), target: target.to_owned() }
    }

    /// Why the target's agents are stopped; none if they are not. A switch that cannot be parsed stops them as well.
    pub(crate) async fn reason(&self) -> Result<Option<String>, StoreError> {
        let name = names::stop_switch(&self.target);
        let limit = MAX_CONTRACT_BYTES as u64;
        let Some(bytes) = self.blobs.get(Container::Agents, &name, limit).await? else { return Ok(None) };
        let reason = contract::parse::<StopSwitch>(&bytes).ok().and_then(|switch| switch.reason);
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        Ok(Some(format!("stopped by an operator{reason}; run `photorelay-agent resume` to continue")))
    }
}
