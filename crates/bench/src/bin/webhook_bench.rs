//! The servers that `cargo xtask bench` compares, one for each run of this program: `bare` answers 202 and does nothing
//! else, `parsing` reads the notifications as any handler of axum would and drops them, `discarding` is our webhook with
//! a queue that discards all messages, and `durable` is the webhook as it ships, on the embedded queue. All are served in
//! the same way, so that they differ only in what is measured.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::{Parser, ValueEnum};
use jiff::Timestamp;
use photorelay::app::App;
use photorelay::config::{AppConfig, GraphSettings};
use photorelay::host::manifest::Manifest;
use photorelay::host::readiness::StorageReadiness;
use photorelay::host::router::{Functions, public_router};
use photorelay::jobs::lifecycle::Lifecycle;
use photorelay::jobs::notify::{ClientStates, Notify};
use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::TenantId;
use photorelay_core::process::install_crypto_provider;
use photorelay_core::queue::{Delivery, Leased, Outgoing, PopReceipt, QueueStore};
use photorelay_core::settings::StorageSettings;
use photorelay_core::store::StoreError;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

#[derive(Parser)]
struct Cli {
    kind: ServerKind,
    /// Folder of the embedded store.
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    tenant: TenantId,
    #[arg(long)]
    client_state: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum ServerKind {
    Bare,
    Parsing,
    Discarding,
    Durable,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    install_crypto_provider();
    let router = match cli.kind {
        ServerKind::Bare => Router::new().route("/api/notifications", post(async |_body: Bytes| StatusCode::ACCEPTED)),
        ServerKind::Parsing => Router::new().route("/api/notifications", post(parse)),
        ServerKind::Discarding => discarding(&cli).await?,
        ServerKind::Durable => App::build(&configuration(&cli)?).await?.public,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    bail!("the server ended by itself")
}

/// The members of a `changeNotificationCollection` that the webhook uses too.
#[derive(Deserialize)]
struct PostedCollection {
    value: Vec<PostedNotification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its parsing is measured")]
struct PostedNotification {
    client_state: Option<String>,
    tenant_id: Option<String>,
    resource: Option<String>,
    resource_data: Option<PostedResource>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its parsing is measured")]
struct PostedResource {
    id: Option<String>,
}

async fn parse(Json(posted): Json<PostedCollection>) -> StatusCode {
    std::hint::black_box(posted.value);
    StatusCode::ACCEPTED
}

/// The shipped router with another queue behind the webhook.
async fn discarding(cli: &Cli) -> Result<Router> {
    let config = configuration(cli)?;
    let app = App::build(&config).await?;
    let client_states = Arc::new(ClientStates::new(&cli.client_state, None));
    let functions = Functions {
        notify: Notify::new(Arc::new(Discarding), cli.tenant, Arc::clone(&client_states)),
        lifecycle: Lifecycle::new(Arc::new(Discarding), cli.tenant, client_states),
        propagate: app.propagate,
        subscribe: app.subscribe,
        sweep: app.sweep,
        watch: app.watch,
        storage: StorageReadiness::ready(),
        tasks: TaskTracker::new(),
    };
    public_router(&Arc::new(functions), &Manifest::built_in()?)
}

/// Nothing here ever calls Graph; the credential is there because a configuration needs one.
fn configuration(cli: &Cli) -> Result<AppConfig> {
    let credential = CredentialConfig::ClientSecret {
        tenant_id: cli.tenant.to_string(),
        client_id: cli.tenant.to_string(),
        secret: "unused".into(),
    };
    let graph = GraphSettings {
        tenant_id: cli.tenant,
        credential,
        url: "https://graph.microsoft.com/v1.0".parse()?,
        authority_url: "https://login.microsoftonline.com".parse()?,
        identity_extra: Default::default(),
    };
    let storage = StorageSettings::Embedded { path: cli.dir.clone() };
    Ok(AppConfig::with_defaults(graph, storage, cli.client_state.clone().into()))
}

/// Accepts every message and keeps none.
#[derive(Debug)]
struct Discarding;

#[async_trait]
impl QueueStore for Discarding {
    async fn ensure_queue(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn send(&self, _: &str, messages: Vec<Outgoing>) -> Result<(), StoreError> {
        std::hint::black_box(messages);
        Ok(())
    }

    async fn receive(&self, _: &str, _: u32, _: Duration) -> Result<Vec<Delivery>, StoreError> {
        Ok(Vec::new())
    }

    async fn renew(&self, _: &str, _: &Delivery, _: Duration) -> Result<Leased<PopReceipt>, StoreError> {
        Ok(Leased::Lost)
    }

    async fn delete(&self, _: &str, _: &Delivery) -> Result<Leased<()>, StoreError> {
        Ok(Leased::Lost)
    }

    async fn count(&self, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn oldest(&self, _: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}
