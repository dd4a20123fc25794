//! The feed for Microsoft Identity Manager: what a first feed, one change and the imports of the management agent cost.
//!
//! Each command is a process of its own, so that its memory and processor time are its own. Prints one JSON object.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use graph_sim::{Sim, SimConfig};
use jiff::Timestamp;
use photorelay_agent::connectors::Connector as _;
use photorelay_agent::connectors::mim::{
    Checksum, FeedStore, KeySource, MimConnector, MimSettings, Publication, PublishOptions,
};
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use photorelay_core::process::install_crypto_provider;
use psma_sim::{Import, ManagementAgent, PsmaVersion, RunReport};
use serde_json::{Value, json};
use uuid::Uuid;

/// Of each photo: about what a rendition of 96 pixels has.
const PHOTO_BYTES: usize = 4 * 1024;
const PAGE: usize = 500;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// A new feed of so many people.
    Fill { feed: PathBuf, people: u32 },
    /// So many of them get another photo.
    Change { feed: PathBuf, people: u32 },
    /// Full and delta imports by the scripts.
    Import { feed: PathBuf, scripts: PathBuf, changes: u32 },
    /// The published way: every user of a simulated tenant is asked for the photo, one after the other.
    Published { people: usize },
}

#[tokio::main]
async fn main() -> Result<()> {
    let figures = match Cli::parse().command {
        BenchCommand::Fill { feed, people } => show(&feed, 0..people, 0).await?,
        BenchCommand::Change { feed, people } => show(&feed, 0..people, 1).await?,
        BenchCommand::Import { feed, scripts, changes } => import(&feed, &scripts, changes).await?,
        BenchCommand::Published { people } => published(people).await?,
    };
    println!("{figures}");
    Ok(())
}

/// What the agent does for these people, and the publication of it.
async fn show(feed: &Path, people: Range<u32>, generation: u32) -> Result<Value> {
    let store = Arc::new(FeedStore::open(settings(feed))?);
    let connector = MimConnector::new(Arc::clone(&store));
    let began = Instant::now();
    for at in people.clone() {
        let (user, identity) = (user(at), identity(at));
        let (entry, present) = connector.find(user, &identity).await?;
        connector.claim(user, &identity, &entry).await?;
        connector.replace(&entry, present.as_ref(), Some(&photo(at, generation))).await?;
    }
    let accepted = began.elapsed();
    let (began, cpu, written) = (Instant::now(), own_cpu()?, bytes_written()?);
    let options = PublishOptions { now: Timestamp::now().as_second(), is_filled: true, ..PublishOptions::default() };
    let publication = store.publish(options)?;
    ensure!(matches!(publication, Publication::Published { .. }), "not published: {publication:?}");
    Ok(json!({
        "people": people.len(),
        "accepted_per_second": people.len() as f64 / accepted.as_secs_f64(),
        "publish_ms": began.elapsed().as_secs_f64() * 1000.0,
        "publish_cpu_ms": (own_cpu()? - cpu).as_secs_f64() * 1000.0,
        "publish_bytes": bytes_written()? - written,
        "peak_mib": peak_mib()?,
    }))
}

/// A full import in pages, a delta in which nothing changed, and one of some changes.
async fn import(feed: &Path, scripts: &Path, changes: u32) -> Result<Value> {
    let name = feed.to_str().context("the folder's name is no text")?;
    let mut agent = ManagementAgent::new(PsmaVersion::V6_1, scripts).with("Feed", name);
    agent.refresh_schema()?.map_err(anyhow::Error::msg)?;
    let began = Instant::now();
    let full = clean(agent.run(Import::full().paged(PAGE))?)?;
    let full_seconds = began.elapsed().as_secs_f64();
    let idle = clean(agent.run(Import::delta().paged(PAGE))?)?;
    show(feed, 0..changes, 2).await?;
    let began = Instant::now();
    let delta = clean(agent.run(Import::delta().paged(PAGE))?)?;
    ensure!(delta.updates == changes as usize, "{} updates instead of {changes}", delta.updates);
    Ok(json!({
        "full_seconds": full_seconds,
        "full_pages": full.pages.len(),
        "objects": agent.connector_space().len(),
        "idle_opened": idle.opened.len(),
        "delta_seconds": began.elapsed().as_secs_f64(),
        "delta_opened": delta.opened.len(),
    }))
}

fn clean(report: RunReport) -> Result<RunReport> {
    ensure!(report.is_clean(), "{report:?}");
    Ok(report)
}

async fn published(people: usize) -> Result<Value> {
    install_crypto_provider();
    let sim = Sim::start(SimConfig { users: people, ..SimConfig::default() }).await?;
    let users = sim.tenant().user_ids();
    for user in &users {
        sim.tenant().change_photo(*user)?;
    }
    let client = reqwest::Client::new();
    let token = token(&client, &sim).await?;
    let began = Instant::now();
    for user in users {
        let url = format!("{}/users/{user}/photo/$value", sim.graph_url().trim_end_matches('/'));
        client.get(url).bearer_auth(&token).send().await?.error_for_status()?.bytes().await?;
    }
    let seconds = began.elapsed().as_secs_f64();
    sim.shutdown().await;
    Ok(json!({ "people": people, "seconds": seconds }))
}

async fn token(client: &reqwest::Client, sim: &Sim) -> Result<String> {
    let url = format!("{}/{}/oauth2/v2.0/token", sim.authority_url().trim_end_matches('/'), sim.tenant_id());
    let (id, secret) = (sim.client_id().to_string(), sim.client_secret().to_string());
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let answer: Value = client.post(url).form(&form).send().await?.error_for_status()?.json().await?;
    Ok(answer["access_token"].as_str().context("no token")?.to_owned())
}

fn settings(feed: &Path) -> MimSettings {
    MimSettings {
        feed: feed.to_owned(),
        state: feed.join("state"),
        rendition: "thumbnailPhoto".to_owned(),
        key: KeySource::UserId,
        checksum: Checksum::Sha256,
        publish_every: Duration::from_secs(30),
        tombstone_days: 90,
        shrink_percent: 1,
        scripts: None,
    }
}

/// The first byte is spread, as in the random ids of Entra.
fn user(at: u32) -> UserId {
    UserId::from_uuid(Uuid::from_u128((u128::from(at.wrapping_mul(0x9E37_79B1)) << 96) | u128::from(at)))
}

fn identity(at: u32) -> Identity {
    Identity {
        anchor: Some(format!("anchor{at:016}==")),
        sid: Some(format!("S-1-5-21-1004336348-1177238915-682003330-{at}")),
        sam_account_name: Some(format!("user{at}")),
        domain: Some("contoso.test".to_owned()),
        ..Identity::default()
    }
}

fn photo(at: u32, generation: u32) -> Bytes {
    let mut photo = vec![0x5a; PHOTO_BYTES];
    photo[..8].copy_from_slice(&[at.to_le_bytes(), generation.to_le_bytes()].concat());
    Bytes::from(photo)
}

/// Processor time of this process, from proc_pid_stat(5): ticks of 10 ms everywhere.
fn own_cpu() -> Result<Duration> {
    const UTIME_AND_STIME: [usize; 2] = [11, 12];
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind_name) = stat.rsplit_once(')').context("/proc/self/stat has no program name")?;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks: u64 = UTIME_AND_STIME.iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// What this process wrote to files, from proc_pid_io(5).
fn bytes_written() -> Result<u64> {
    number_after("/proc/self/io", "wchar:")
}

fn peak_mib() -> Result<f64> {
    Ok(number_after("/proc/self/status", "VmHWM:")? as f64 / 1024.0)
}

fn number_after(file: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name} in {file}"))?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
