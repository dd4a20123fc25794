//! `run` and `once`: the agent at work.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use photorelay_agent::agent::Agent;
use photorelay_agent::certificate;
use photorelay_agent::config::{AgentConfig, ConnectorSettings};
use photorelay_agent::connectors::mim::FeedStore;
use photorelay_agent::publisher::FeedPublisher;
use photorelay_agent::quota::WriteQuota;
use photorelay_core::process::{Audience, CommandOutcome, Process, stop_on_signal};

use tokio_util::sync::CancellationToken;

use super::start::Started;

/// Until a signal.
pub(super) async fn run(process: &mut Process) -> Result<CommandOutcome> {
    run_until(process, &stop_on_signal()?).await?;
    Ok(CommandOutcome::Success)
}

pub(super) async fn run_until(process: &mut Process, stop: &CancellationToken) -> Result<()> {
    let Some(started) = Started::service(process, stop).await? else { return Ok(()) };
    let agent = agent(&started).await?;
    Ok(started.storage.serve_until_lost(stop, agent.run(stop.clone())).await?)
}

/// Until no message is waiting.
pub(super) async fn once(process: &mut Process) -> Result<CommandOutcome> {
    agent(&Started::new(process, Audience::Collector)?).await?.once().await?;
    Ok(CommandOutcome::Success)
}

async fn agent(started: &Started) -> Result<Agent> {
    let config = &started.config;
    let (identity, storage) = (&config.identity, &started.storage);
    let quota = WriteQuota::resumed(storage, config.quota, &identity.target.name, &identity.name).await?;
    let reconciler = started.reconciler()?.with_quota(quota);
    let publisher = match &config.connector {
        ConnectorSettings::Mim(settings) if !config.dry_run => {
            let store = Arc::new(FeedStore::open((**settings).clone())?);
            Some(FeedPublisher::new(storage, store, &identity.target.name, settings.publish_every))
        }
        _ => None,
    };
    log_start(config);
    let agent = Agent::new(storage.clone(), reconciler, identity.target.queue.clone());
    let agent = agent.with_publisher(publisher);
    Ok(agent.with_lease(config.lease).with_full_reconciliation(config.full_reconciliation.clone()))
}

fn log_start(config: &AgentConfig) {
    let ends_soon = |end: &Timestamp| *end < Timestamp::now() + certificate::WARN_BEFORE;
    if let Some(end) = config.azure.certificate_expires_at.filter(ends_soon) {
        tracing::warn!(%end, "the certificate that signs in to Azure expires soon: create a new one and deploy it");
    }
    tracing::info!(
        target.name = config.identity.target.name,
        queue = config.identity.target.queue,
        dry_run = config.dry_run,
        policy = config.policy_in_force(),
        version = env!("CARGO_PKG_VERSION"),
        "agent started"
    );
}
