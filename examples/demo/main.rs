//! The whole system on one machine, in one process: a simulated Microsoft Graph, the function app in standalone mode,
//! the embedded store, and the agent with a folder or the tests' Samba domain as its target.
//!
//! `cargo demo` changes a photo every few seconds and shows each change's way. `cargo demo -- --once` makes a number of
//! changes, waits until everything is written, and proves that nothing was lost by comparing what the target shows with
//! what the simulator shows.

mod stages;
mod target;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser;
use photorelay_core::audit;
use photorelay_core::hops::{self, HopKind, TracedEntries};
use photorelay_core::process::install_crypto_provider;
use serde::Serialize;
use tokio::sync::mpsc;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use stages::{MadeChange, Stage, StageReached, StageRecorder, StageTable, latencies, percentile};
use world::World;

#[derive(Parser)]
struct Cli {
    /// Make a number of changes, wait until everything is written, and end.
    #[arg(long)]
    once: bool,
    /// Open the console on the demo; with it, photos can be approved and restored.
    #[arg(long)]
    console: bool,
    /// Write to the Samba domain of the tests, where every fourth user already has a photo; needs the variables that
    /// `cargo xtask services start` prints.
    #[arg(long, conflicts_with = "once")]
    directory: bool,
    /// Simulated people.
    #[arg(long, default_value_t = 12)]
    users: usize,
    /// Photo changes, with --once.
    #[arg(long, default_value_t = 40)]
    changes: usize,
    /// Where everything is kept; a new folder below target/demo by default, which the second run after this one deletes.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What --once prints as its last line.
#[derive(Serialize)]
struct Summary {
    users: usize,
    changes: usize,
    /// Changes that were written, or covered by a later one of the same person that was.
    written: usize,
    /// People whose file is not what the simulator shows in the end.
    lost: usize,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// By how much the sum of the hops that `trace` shows differs from the demo's own clock: the median.
    trace_off_ms: Option<f64>,
}

/// Between two changes, with --once: a burst, but not all at the same moment.
const BURST_PAUSE: Duration = Duration::from_millis(5);
/// Between two changes, without --once.
const CALM_PAUSE: Duration = Duration::from_secs(2);
const RUNS: &str = "target/demo";
/// The settings of the newest run, for commands that are pasted.
const NEWEST_ENV_FILE: &str = "target/demo/demo.env";
/// So many earlier runs are kept.
const RUNS_KEPT: usize = 1;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<bool> {
    install_crypto_provider();
    let dir = match cli.dir {
        Some(dir) => dir,
        None => new_run()?,
    };
    let (recorder, reached) = StageRecorder::channel();
    tracing_subscriber::registry().with(recorder).init();

    let world = World::start(&dir, cli.users, cli.directory).await?;
    if dir.starts_with(RUNS) {
        std::fs::copy(world.env_file(), NEWEST_ENV_FILE)?;
    }
    if cli.console {
        println!("console: {} (the link works once)", world.open_console().await?);
    }
    let all_is_well = if cli.once { once(&world, cli.changes, reached).await? } else { watch(&world, reached).await? };
    let env_file = world.env_file();
    world.stop().await?;
    eprintln!("everything is kept in {}; commands work on it with --env-file {}", dir.display(), env_file.display());
    Ok(all_is_well)
}

/// A folder for this run. Earlier runs but the last are deleted.
fn new_run() -> Result<PathBuf> {
    let runs = Path::new(RUNS);
    std::fs::create_dir_all(runs)?;
    let mut earlier: Vec<PathBuf> =
        std::fs::read_dir(runs)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_run(path)).collect();
    earlier.sort();
    for old in earlier.iter().rev().skip(RUNS_KEPT) {
        std::fs::remove_dir_all(old)?;
    }
    Ok(runs.join(jiff::Timestamp::now().strftime(RUN_NAME).to_string()))
}

const RUN_NAME: &str = "%Y-%m-%dT%H-%M-%SZ";

/// Whether a folder has the name that the demo gives: nothing else is deleted.
fn is_run(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.is_dir() && jiff::civil::DateTime::strptime(RUN_NAME, name).is_ok()
}

/// Changes photos until it is interrupted, and shows the way of each.
async fn watch(world: &World, mut reached: mpsc::UnboundedReceiver<StageReached>) -> Result<bool> {
    println!("{} people; Microsoft Graph is simulated at {}", world.sim.tenant().user_ids().len(), world.sim.url());
    println!("One photo changes every {} seconds. Ctrl-C ends the demo.\n", CALM_PAUSE.as_secs());
    println!("{}", StageTable::HEAD);
    world.first_look().await?;
    while reached.try_recv().is_ok() {}
    let mut ticks = tokio::time::interval(CALM_PAUSE);
    let mut table = StageTable::of(world.names());
    let mut random = fastrand::Rng::with_seed(1);
    loop {
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                println!("\n{}", table.summary());
                return Ok(true);
            }
            _ = ticks.tick() => table.changed(world.change_any_photo(&mut random)?),
            Some(stage) = reached.recv() => {
                if let Some(row) = table.record(&stage) {
                    println!("{row}");
                }
            }
        }
    }
}

/// Makes the changes, waits until all is written, and compares.
async fn once(world: &World, changes: usize, mut reached: mpsc::UnboundedReceiver<StageReached>) -> Result<bool> {
    world.first_look().await?;
    while reached.try_recv().is_ok() {}
    let mut random = fastrand::Rng::with_seed(1);
    let mut made = Vec::with_capacity(changes);
    for _ in 0..changes {
        let user = world.change_any_photo(&mut random)?;
        made.push(MadeChange { user, photo: world.shown(user), at: Instant::now() });
        tokio::time::sleep(BURST_PAUSE).await;
    }
    world.sim.idle().await;
    world.drained().await?;

    let seen: Vec<StageReached> = std::iter::from_fn(|| reached.try_recv().ok()).collect();
    let latencies = latencies(&made, &seen);
    let lost = world.lost().await?;
    let report = audit::verify_all(&*world.storage.blobs).await?;
    for finding in &report.findings {
        eprintln!("{finding}");
    }
    let summary = Summary {
        users: world.sim.tenant().user_ids().len(),
        changes,
        written: latencies.len(),
        lost,
        p50_ms: percentile(&latencies, 50),
        p99_ms: percentile(&latencies, 99),
        trace_off_ms: percentile(&trace_differences(world, &seen).await?, 50),
    };
    println!("{}", serde_json::to_string(&summary)?);
    Ok(lost == 0 && report.is_clean())
}

/// For each entry that was written, how far the sum of its hops is from the time between the two events that the demo
/// saw itself, in milliseconds, sorted.
async fn trace_differences(world: &World, seen: &[StageReached]) -> Result<Vec<f64>> {
    let mut differences = Vec::new();
    for written in seen.iter().filter(|stage| stage.stage == Stage::Written) {
        let which = TracedEntries::One(u32::try_from(written.seq)?);
        let traced = hops::of_user(&*world.storage.blobs, written.user, which, |_| Vec::new()).await?;
        let Some(entry) = traced.first() else { continue };
        let (Some(first), Some(target)) = (entry.hops.first(), entry.targets.first()) else { continue };
        let Some(total) = target.total_ms.filter(|_| first.kind == HopKind::Notified) else { continue };
        let off = |stage: &StageReached| stage.time.duration_since(first.at).as_secs_f64().abs();
        let notified = seen.iter().filter(|stage| stage.stage == Stage::Notified && stage.user == written.user);
        let Some(notified) = notified.min_by(|one, other| off(one).total_cmp(&off(other))) else { continue };
        let own = written.at.duration_since(notified.at).as_secs_f64() * 1000.0;
        differences.push((own - total).abs());
    }
    ensure!(!differences.is_empty(), "no change was traced");
    differences.sort_by(f64::total_cmp);
    Ok(differences)
}
