//! The simulator as a program. The first line on standard output says where it listens; it ends with Ctrl-C or SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use graph_sim::{NotificationMode, Sim, SimConfig};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;
use uuid::Uuid;

/// Strict, stateful stand-in for Microsoft Graph's users, photos and change notifications.
#[derive(Debug, Parser)]
#[command(version)]
struct GraphSimArgs {
    /// Loopback address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The address that clients use, if a proxy in front ends TLS: `https://localhost:8443`.
    #[arg(long)]
    public_url: Option<Url>,
    /// Synchronized members who are not stored, for a large tenant
    #[arg(long, default_value_t = 0)]
    generated: usize,
    /// Synchronized members.
    #[arg(long, default_value_t = 20)]
    users: usize,
    #[arg(long, default_value_t = 0)]
    guests: usize,
    #[arg(long, default_value_t = 0)]
    cloud_only: usize,
    /// Share of the people who have a photo at the start.
    #[arg(long, default_value_t = 1.0)]
    with_photo: f64,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder with source pictures; without it they are drawn.
    #[arg(long)]
    photos: Option<PathBuf>,
    #[arg(long)]
    tenant_id: Option<Uuid>,
    #[arg(long)]
    client_id: Option<Uuid>,
    #[arg(long)]
    client_secret: Option<String>,
    /// Multiplies the waits of the notification delivery.
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// Whether a photo change raises a notification.
    #[arg(long, value_enum, default_value_t = NotificationMode::Always)]
    notify: NotificationMode,
    /// Time that every Graph call takes.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = GraphSimArgs::parse();
    let mut config = SimConfig {
        listen: args.listen,
        public_url: args.public_url,
        seed: args.seed,
        generated: args.generated,
        users: args.users,
        guests: args.guests,
        cloud_only: args.cloud_only,
        with_photo: args.with_photo,
        photos: args.photos,
        ..SimConfig::default()
    };
    config.tenant_id = args.tenant_id.unwrap_or(config.tenant_id);
    config.app.client_id = args.client_id.unwrap_or(config.app.client_id);
    config.app.secret = args.client_secret.unwrap_or(config.app.secret);
    config.settings.time_scale = args.time_scale;
    config.settings.notify = args.notify;
    config.settings.latency_ms = [args.latency_ms; 2];

    // Before the first line, which says that the program may be used and ended.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut ended = signal(SignalKind::terminate())?;
    let sim = Sim::start(config).await?;
    println!("listening on {}", sim.url());
    println!("tenant id      {}", sim.tenant_id());
    println!("client id      {}", sim.client_id());
    println!("client secret  {}", sim.client_secret());
    println!("graph          {}", sim.graph_url());
    println!("token endpoint {}/{}/oauth2/v2.0/token", sim.authority_url(), sim.tenant_id());
    println!("controls       {}/_sim/", sim.url());
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = ended.recv() => {}
    }
    sim.shutdown().await;
    Ok(())
}
