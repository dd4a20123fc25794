//! The first answer of each page of the console with so many people in the store, beside a `status` of the same run.
//!
//! The store is written as files, because the embedded store makes each of them durable, which is not what is measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use graph_sim::{Sim, SimConfig};
use jiff::Timestamp;
use photorelay::app::App;
use photorelay::config::AppConfig;
use photorelay::console::Console;
use photorelay_bench::app_settings;
use photorelay_core::contract::{
    self, ApprovalReason, AuditEntry, Cause, CauseKind, Contract, EntryKind, Head, Identity, Outcome, PendingApproval,
    PhotoFacts, Preview, PreviewPage, PreviewRow, PreviewState, ROWS_PER_PREVIEW_PAGE, Receipt, RenditionFacts, Seen,
    V1, V1OrV2,
};
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::process::install_crypto_provider;
use photorelay_core::settings::StorageSettings;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const TARGET: &str = "ad";

#[derive(Parser)]
struct Options {
    /// Empty, and removed by the caller.
    dir: PathBuf,
    people: u32,
    /// How many of them wait for an operator.
    held: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Options { dir, people, held } = Options::parse();
    install_crypto_provider();
    let sim = Sim::start(SimConfig { users: 200, ..SimConfig::default() }).await?;
    let config = app_settings(&sim, StorageSettings::Embedded { path: dir.clone() })?;
    let app = App::build(&config).await?;
    for at in 0..people {
        fill(&dir, config.graph.tenant_id, at, at < held)?;
    }
    publish_preview(&dir, people)?;
    let middle = user(people / 2);
    let pages = [
        ("now", "/".to_owned()),
        ("people", "/people?q=a".to_owned()),
        ("person", format!("/people/{middle}")),
        ("undo", format!("/people/{middle}/undo?target=ad")),
        ("approvals", "/approvals".to_owned()),
        ("first fill", "/preview".to_owned()),
        ("trail", "/trail".to_owned()),
    ];
    let mut measured = Map::new();
    for (name, path) in &pages {
        measured.insert((*name).to_owned(), json!(first_answer(&config, path).await?));
    }
    let began = Instant::now();
    let status = app.watch.status(Timestamp::now()).await?;
    let status_ms = milliseconds(began);
    ensure!(status.trail.people == u64::from(people), "{} people were counted", status.trail.people);
    println!("{}", json!({ "people": people, "held": held, "status_ms": status_ms, "pages_ms": measured }));
    photorelay_bench::finish(&sim).await
}

/// Of a console that has just been started, in milliseconds.
async fn first_answer(config: &AppConfig, path: &str) -> Result<Value> {
    let app = App::open(config).await?;
    let console = Console::open(app.operator_access(), None, 0).await?;
    let link = console.link.clone();
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let served = tasks.spawn(console.serve(stop.clone()));
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let opened = client.get(&link).send().await?;
    let cookie = opened.headers().get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()).context("no session")?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let base = link.split("/open/").next().unwrap_or_default();
    let began = Instant::now();
    let answer = client.get(format!("{base}{path}")).header(COOKIE, cookie).send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    let took = milliseconds(began);
    ensure!(status.is_success(), "{path}: {status} {body}");
    stop.cancel();
    served.await??;
    Ok(json!(took))
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

/// A user with one entry, a head and a receipt, or something held.
fn fill(dir: &Path, tenant_id: TenantId, at: u32, is_held: bool) -> Result<()> {
    let (user_id, now, entry) = (user(at), Timestamp::now(), entry(tenant_id, at));
    let value = Digest::of(&at.to_le_bytes());
    write(dir, Container::Audit, &names::audit_entry(user_id, 1), &entry)?;
    write(dir, Container::State, &names::head(user_id), &Head::at(user_id, 1, now))?;
    if is_held {
        let held = PendingApproval {
            v: V1,
            user_id,
            seq: 1,
            target: TARGET.to_owned(),
            held_for: ApprovalReason::Foreign,
            value,
            receipts: 0,
            reason: "the target shows a value that photorelay did not write".to_owned(),
            agent: "bench".to_owned(),
            at: now,
        };
        return write(dir, Container::Agents, &names::held(user_id, 1, TARGET), &held);
    }
    let receipt = Receipt {
        v: V1,
        user_id,
        seq: 1,
        target: TARGET.to_owned(),
        outcome: Outcome::Written,
        reason: None,
        entry_sha256: Digest::of(&contract::to_bytes(&entry)),
        before: None,
        after: Some(value),
        server: "dc1".to_owned(),
        agent: "bench".to_owned(),
        announced_at: None,
        received_at: None,
        at: now,
        traceparent: None,
    };
    write(dir, Container::Receipts, &names::receipt(user_id, 1, TARGET), &receipt)
}

/// What an agent publishes of a target that shows no photo yet.
fn publish_preview(dir: &Path, people: u32) -> Result<()> {
    let mut users: Vec<u32> = (0..people).collect();
    users.sort_by_key(|at| user(*at));
    let (target, run, mut pages) = (TARGET.to_owned(), Timestamp::now(), 0);
    for users in users.chunks(ROWS_PER_PREVIEW_PAGE) {
        pages += 1;
        let row = |at: &u32| {
            let value = Digest::of(&at.to_le_bytes());
            PreviewRow {
                user_id: user(*at),
                seq: 1,
                state: PreviewState::Add,
                would: format!("write 2900 bytes, SHA-256 {value}"),
                shows: None,
                photo: Some(value),
                wants: Some(value),
                rendition: "thumbnailPhoto".to_owned(),
            }
        };
        let page = PreviewPage { v: V1, target: target.clone(), rows: users.iter().map(row).collect() };
        write(dir, Container::Agents, &names::preview_page(TARGET, run, pages), &page)?;
    }
    let preview = Preview {
        v: V1,
        target,
        agent: "bench".to_owned(),
        run,
        finished_at: run,
        people: people.into(),
        states: [(PreviewState::Add, people.into())].into(),
        left_out: BTreeMap::new(),
        bytes: u64::from(people) * 2_900,
        minutes: None,
        pages,
    };
    write(dir, Container::Agents, &names::preview(TARGET), &preview)
}

fn entry(tenant_id: TenantId, at: u32) -> AuditEntry {
    let sha256 = Digest::of(&at.to_le_bytes());
    let photo = PhotoFacts {
        sha256,
        bytes: 16_000,
        content_type: "image/jpeg".to_owned(),
        width: 648,
        height: 648,
        fingerprint: None,
    };
    let identity = Identity {
        anchor: Some(format!("anchor{at:016}==")),
        sam_account_name: Some(format!("user{at}")),
        domain: Some("contoso.test".to_owned()),
        ..Identity::default()
    };
    AuditEntry {
        v: V1OrV2::V2,
        seq: 1,
        previous: Digest::ZERO,
        tenant_id,
        user_id: user(at),
        kind: EntryKind::Captured,
        cause: Cause { kind: CauseKind::Sweep, id: "bench".to_owned(), at: None },
        begun_at: None,
        observed_at: Timestamp::now(),
        seen: Seen { sha256: Some(sha256), media_etag: None },
        photo: Some(photo),
        renditions: vec![RenditionFacts { name: "thumbnailPhoto".into(), sha256, bytes: 2_900, width: 96, height: 96 }],
        identity,
        by: None,
        reason: None,
        traceparent: None,
    }
}

fn write(dir: &Path, container: Container, name: &str, document: &impl Contract) -> Result<()> {
    let file = dir.join(container.as_str()).join(name);
    std::fs::create_dir_all(file.parent().context("a blob is in a container")?)?;
    std::fs::write(&file, contract::to_bytes(document)).with_context(|| format!("{} was not written", file.display()))
}

/// The first byte is spread, as in the random ids of Entra.
fn user(at: u32) -> UserId {
    UserId::from_uuid(Uuid::from_u128((u128::from(at.wrapping_mul(0x9E37_79B1)) << 96) | u128::from(at)))
}
