//! The stop switch: while it stands, no agent of the target takes an item. Everything stays in the queue.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::{StopSwitch, V1};
use photorelay_core::names::{self, Container};
use photorelay_core::storage::Storage;
use photorelay_core::store::StoreError;

use crate::documents;

/// How often whoever works looks at it.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Stops every agent of the target, within seconds.
pub async fn stop(storage: &Storage, target: &str, reason: Option<String>) -> Result<(), StoreError> {
    let switch = StopSwitch { v: V1, target: target.to_owned(), reason, at: Timestamp::now() };
    documents::put(&*storage.blobs, Container::Agents, &names::stop_switch(target), &switch).await
}

/// Lets them go on.
pub async fn resume(storage: &Storage, target: &str) -> Result<(), StoreError> {
    storage.blobs.delete(Container::Agents, &names::stop_switch(target)).await
}

/// Why the target's agents are stopped; none if they are not. A switch that cannot be read stops as well.
pub(crate) async fn stopped(storage: &Storage, target: &str) -> Result<Option<String>, StoreError> {
    let name = names::stop_switch(target);
    let limit = photorelay_core::contract::MAX_CONTRACT_BYTES as u64;
    let Some(bytes) = storage.blobs.get(Container::Agents, &name, limit).await? else { return Ok(None) };
    let reason = photorelay_core::contract::parse::<StopSwitch>(&bytes).ok().and_then(|switch| switch.reason);
    let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    Ok(Some(format!("stopped by an operator{reason}; `photorelay-agent resume` lets it go on")))
}
