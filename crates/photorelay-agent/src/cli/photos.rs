//! `serve-photos`: the read-only photo endpoint.

use anyhow::{Context, Result, ensure};
use photorelay_agent::config::PhotoServerConfig;
use photorelay_agent::photo_server::{PhotoListener, PhotoServer};
use photorelay_core::entra::NoCaCertificates;
use photorelay_core::process::{Audience, CommandOutcome, Process, stop_on_signal};

use super::start;

/// Until a signal.
pub(super) async fn serve(process: &mut Process) -> Result<CommandOutcome> {
    let config = PhotoServerConfig::read(process.environment())?;
    process.start_telemetry(&config.logs, Audience::Collector)?;
    ensure!(!config.lacks_authorities(), "this machine has no CA certificates: {}", NoCaCertificates::FIX);
    let stop = stop_on_signal()?;
    let storage = start::service_storage(&config.azure, &stop).await?;
    let Some(storage) = storage else { return Ok(CommandOutcome::Success) };
    let is_encrypted = config.tls.is_some();
    let listener = PhotoListener::bind(config.listen, config.tls).await;
    let listener = listener.with_context(|| format!("the photo endpoint cannot listen on {}", config.listen))?;
    tracing::info!(listen = %listener.address()?, tls = is_encrypted, "photos are served");
    let server = PhotoServer::new(&storage, config.server);
    let served = storage.serve_until_lost(&stop, server.run(listener, stop.clone())).await?;
    served.context("the photo endpoint ended")?;
    Ok(CommandOutcome::Success)
}
