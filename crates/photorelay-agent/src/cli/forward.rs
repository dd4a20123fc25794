//! `forward`: CloudEvents to a URL.

use anyhow::{Result, ensure};
use photorelay_agent::config::ForwardConfig;
use photorelay_agent::forward::{ForwardSettings, Forwarder, Receiver};
use photorelay_agent::writeback::WritebackSettings;
use photorelay_core::entra::{AccessTokens, NoCaCertificates};
use photorelay_core::process::{Audience, CommandOutcome, Process, stop_on_signal};

use super::start;

/// Until a signal.
pub(super) async fn run(process: &mut Process) -> Result<CommandOutcome> {
    let config = ForwardConfig::read(process.environment())?;
    process.start_telemetry(&config.logs, Audience::Collector)?;
    ensure!(!config.lacks_authorities(), "this machine has no CA certificates: {}", NoCaCertificates::FIX);
    let authority = &config.azure.authority_url;
    let stop = stop_on_signal()?;
    let storage = start::service_storage(&config.azure, &stop).await?;
    let Some(storage) = storage else { return Ok(CommandOutcome::Success) };
    let tokens = match (&config.scope, &config.azure.credential) {
        (Some(scope), Some(credential)) => Some(AccessTokens::new(credential, authority, scope)?),
        _ => None,
    };
    let receiver = Receiver::new(config.url, config.key, tokens)?;
    tracing::info!(target.name = config.identity.target.name, ?receiver, "events are forwarded");
    let own = WritebackSettings {
        tenant: config.identity.tenant_id,
        target: config.identity.target.name,
        agent: config.identity.name,
        dry_run: false,
        certificate_expires_at: config.azure.certificate_expires_at,
    };
    let settings = ForwardSettings { own, queue: config.identity.target.queue, lease: config.lease };
    let forwarder = Forwarder::new(&storage, receiver, settings);
    storage.serve_until_lost(&stop, forwarder.run(stop.clone())).await?;
    Ok(CommandOutcome::Success)
}
