//! `run` and `serve`: the two ways to run as a service.

use anyhow::{Context, Result, bail};
use photorelay_core::process::{CommandOutcome, Process, stop_on_signal};
use tokio::net::TcpListener;

use super::start;

/// Standalone, until a signal.
pub(super) async fn run(process: &mut Process) -> Result<CommandOutcome> {
    let (config, app) = start::service(process)?;
    let listener = listen(&config.hosting.listen.to_string()).await?;
    tracing::info!(listen = %listener.local_addr()?, "photorelay runs standalone");
    app.run(listener, stop_on_signal()?).await?;
    Ok(CommandOutcome::Success)
}

/// For the Functions host, on the loopback interface, until the host ends the process.
pub(super) async fn serve(process: &mut Process) -> Result<CommandOutcome> {
    let port = process.environment().get("FUNCTIONS_CUSTOMHANDLER_PORT");
    let port = port.context("FUNCTIONS_CUSTOMHANDLER_PORT is missing: `serve` is started by the Functions host")?;
    let address = format!("127.0.0.1:{port}");
    let (_, app) = start::service(process)?;
    let listener = listen(&address).await?;
    tracing::info!(listen = %listener.local_addr()?, "photorelay serves the Functions host");
    app.serve(listener, stop_on_signal()?).await?;
    // The host takes exit code 0 for a process that is still there.
    bail!("stopped by a signal")
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
