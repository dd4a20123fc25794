//! What the programs of `cargo xtask bench` share: an app and an agent for a simulated tenant, and the simulator's counts.
//!
//! Each program in `bin/` measures one thing and prints one JSON object. Budgets and peers are xtask's concern, and
//! nothing that ships may depend on this crate.

use std::sync::Arc;

use anyhow::{Result, ensure};
use graph_sim::Sim;
use photorelay::config::{AppConfig, GraphSettings};
use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::Connector;
use photorelay_agent::writeback::{Reconciler, WritebackSettings};
use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::WRITEBACKS_QUEUE;
use photorelay_core::settings::StorageSettings;
use photorelay_core::storage::Storage;
use url::Url;

pub const CLIENT_STATE: &str = "0123456789abcdef0123456789abcdef";

/// The function app's settings for the simulated tenant.
pub fn app_settings(sim: &Sim, storage: StorageSettings) -> Result<AppConfig> {
    let credential = CredentialConfig::ClientSecret {
        tenant_id: sim.tenant_id().to_string(),
        client_id: sim.client_id().to_string(),
        secret: sim.client_secret().into(),
    };
    let graph = GraphSettings {
        tenant_id: TenantId::from_uuid(sim.tenant_id()),
        credential,
        url: Url::parse(&sim.graph_url())?,
        authority_url: Url::parse(&sim.authority_url())?,
        identity_extra: Default::default(),
    };
    Ok(AppConfig::with_defaults(graph, storage, CLIENT_STATE.into()))
}

/// An agent for the simulated tenant that writes to this target.
pub fn agent(sim: &Sim, storage: &Storage, target: impl Connector + 'static) -> Agent {
    let settings = WritebackSettings {
        tenant: TenantId::from_uuid(sim.tenant_id()),
        target: "ad".to_owned(),
        agent: "bench".to_owned(),
        dry_run: false,
        certificate_expires_at: None,
    };
    let reconciler = Reconciler::new(storage, Arc::new(target), settings);
    Agent::new(storage.clone(), reconciler, WRITEBACKS_QUEUE.to_owned())
}

pub fn users(sim: &Sim) -> Vec<UserId> {
    sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect()
}

/// Requests that reached Microsoft Graph; a `$batch` counts once.
pub fn graph_requests(sim: &Sim) -> u64 {
    let requests = sim.requests();
    requests.counters.iter().filter(|(call, _)| !call.starts_with("batch ")).map(|(_, count)| count).sum()
}

/// A figure counts only if Microsoft Graph would have accepted every call behind it.
pub async fn finish(sim: &Sim) -> Result<()> {
    ensure!(sim.violations().is_empty(), "the simulator saw calls that Graph would refuse: {:?}", sim.violations());
    sim.shutdown().await;
    Ok(())
}
