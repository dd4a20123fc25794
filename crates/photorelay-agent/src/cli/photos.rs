//! `serve-photos`: the read-only photo endpoint.

use anyhow::{Context, Result, ensure};
use photorelay_agent::config::PhotoServerConfig;
use photorelay_agent::photo_server::{PhotoListener, PhotoServer};
use photorelay_core::entra::NoCaCertificates;
use photorelay_core::process::{Audience, CommandOutcome, Process, stop_on_signal};
use photorelay_core::storage::Storage;

/// Until a signal.
pub(super) async fn serve(process: &mut Process) -> Result<CommandOutcome> {
    let config = PhotoServerConfig::read(process.environment())?;
    process.start_telemetry(&config.logs, Audience::Collector)?;
    ensure!(!config.lacks_authorities(), "this machine has no CA certificates: {}", NoCaCertificates::FIX);
    let storage = Storage::open(&config.azure.storage.resolve(&config.azure.authority_url)?)?;
    let is_encrypted = config.tls.is_some();
    let listener = PhotoListener::bind(config.listen, config.tls).await;
    let listener = listener.with_context(|| format!("the photo endpoint cannot listen on {}", config.listen))?;
    tracing::info!(listen = %listener.address()?, tls = is_encrypted, "photos are served");
    let server = PhotoServer::new(&storage, config.server);
    server.run(listener, stop_on_signal()?).await.context("the photo endpoint ended")?;
    Ok(CommandOutcome::Success)
}
