//! Runs a packaged app as the Functions host would, until it is interrupted.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use host_sim::{HostOptions, RunningHost, WorkerState};
use url::Url;

#[derive(Debug, Parser)]
#[command(about = "A stand-in for the Azure Functions host")]
struct Arguments {
    /// The unpacked package
    folder: PathBuf,
    #[arg(long, default_value = "127.0.0.1:7071")]
    listen: SocketAddr,
    /// URI of the queue service, with a SAS; without it, queue triggers do not run
    #[arg(long)]
    queue_service: Option<Url>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut options = HostOptions::new(arguments.folder);
    options.listen = arguments.listen;
    options.queue_service = arguments.queue_service;
    let host = RunningHost::start(options).await?;
    println!("listening on {}", host.url);
    let mut state = host.state();
    tokio::select! {
        ended = state.wait_for(|state| matches!(state, WorkerState::ShutDown(_))) => anyhow::bail!("{:?}", *ended?),
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    host.stop().await;
    Ok(())
}
