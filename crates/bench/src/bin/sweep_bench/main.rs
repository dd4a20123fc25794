//! What a sweep costs. The real program, as an operator starts it, against a simulated Graph; prints one JSON object.
//!
//! `unchanged` sweeps users who are all settled and show what they showed before, on the storage of [`account`]: the very
//! first sweep with the first checkpoint, one as every hour, and one with the checkpoint of the day. All of them include
//! the watchdog.
//! `handed-over` sweeps them in runs of limited length, as the Functions host starts them.
//! `fill` lets `photorelay sweep --first` fill an empty embedded store.

mod account;
mod handed_over;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use graph_sim::{NotificationMode, Sim};
use photorelay_bench::{CLIENT_STATE, finish, graph_requests};
use photorelay_core::id::UserId;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

use account::SyntheticAccount;

#[derive(Parser)]
struct Cli {
    /// `photorelay`, built.
    #[arg(long)]
    program: PathBuf,
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    Unchanged {
        #[arg(long)]
        people: usize,
    },
    HandedOver {
        #[arg(long)]
        people: usize,
        /// `PHOTORELAY_SWEEP_SECONDS`.
        #[arg(long, default_value_t = 240)]
        limit_seconds: u64,
        /// Of every call to Graph.
        #[arg(long, default_value_t = 0)]
        latency_ms: u64,
    },
    Fill {
        #[arg(long)]
        people: usize,
        #[arg(long)]
        photos: usize,
        /// Of every call to Graph.
        #[arg(long)]
        latency_ms: u64,
        /// Empty folder for the store.
        #[arg(long)]
        dir: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let figures = match cli.measure {
        Measure::Unchanged { people } => unchanged(&cli.program, people).await?,
        Measure::HandedOver { people, limit_seconds, latency_ms } => {
            handed_over::measure(&cli.program, people, limit_seconds, latency_ms).await?
        }
        Measure::Fill { people, photos, latency_ms, dir } => {
            fill(&cli.program, people, photos, latency_ms, &dir).await?
        }
    };
    println!("{figures}");
    Ok(())
}

async fn unchanged(program: &Path, people: usize) -> Result<Value> {
    let (sim, account, settings) = settled_tenant(people).await?;
    let mut sweeps = json!({"people": people, "pages_of_a_listing": account.pages_of_a_listing()});
    // The very first sweep lists the tenant, and takes the first checkpoint.
    for kind in ["first", "steady", "with_checkpoint"] {
        if kind == "with_checkpoint" {
            account.age_checkpoint()?;
        }
        sim.clear_requests();
        account.reset();
        let run = run(program, &["sweep"], &sim, &settings)?;
        // In a large tenant the bytes of a photo may be due in the seconds between two sweeps.
        let settled = run.printed.contains("checks sent     0") || run.printed.contains("bytes due");
        ensure!(settled && !run.printed.contains("changed"), "not every user was settled:\n{}", run.printed);
        let mut figures = figures(&sim, &run);
        figures["storage"] = json!(account.counts());
        sweeps[kind] = figures;
    }
    finish(&sim).await?;
    Ok(sweeps)
}

/// A tenant, and the storage in which all of its people are settled.
async fn settled_tenant(people: usize) -> Result<(Sim, SyntheticAccount, [(&'static str, String); 2])> {
    let config = graph_sim::SimConfig { users: 0, generated: people, ..graph_sim::SimConfig::default() };
    let sim = Sim::start(config).await?;
    sim.set(|settings| (settings.notify, settings.delta_page) = (NotificationMode::Never, 200));
    let account = SyntheticAccount::new(sim.tenant(), people);
    let service = account.serve(&TaskTracker::new()).await?;
    let settings = [("PhotoStorage__blobServiceUri", service.clone()), ("PhotoStorage__queueServiceUri", service)];
    Ok((sim, account, settings))
}

async fn fill(program: &Path, people: usize, photos: usize, latency_ms: u64, dir: &Path) -> Result<Value> {
    let sim =
        Sim::start(graph_sim::SimConfig { users: people, with_photo: 0.0, ..graph_sim::SimConfig::default() }).await?;
    sim.set(|settings| (settings.notify, settings.latency_ms) = (NotificationMode::Never, [latency_ms, latency_ms]));
    let tenant = sim.tenant();
    let users = tenant.user_ids();
    for id in (0..photos).map(|at| users[at * people / photos]) {
        tenant.change_photo(id)?;
        // Drawn now, so that the simulator's own work is not in the figure.
        ensure!(tenant.photo(id).is_some());
    }
    let settings = [("PhotoStorage__path", dir.display().to_string())];
    let run = run(program, &["sweep", "--first"], &sim, &settings)?;
    // The checkpoints are in the same folder as the users' trails.
    let is_user =
        |entry: &std::fs::DirEntry| entry.file_name().to_str().is_some_and(|name| name.parse::<UserId>().is_ok());
    let committed = std::fs::read_dir(dir.join("audit"))?.filter_map(Result::ok).filter(is_user).count();
    ensure!(committed == photos, "{committed} users have a trail, not {photos}:\n{}", run.printed);
    let mut figures = figures(&sim, &run);
    figures["people"] = json!(people);
    figures["photos"] = json!(photos);
    figures["forecast"] = json!(run.printed.lines().next());
    finish(&sim).await?;
    Ok(figures)
}

fn figures(sim: &Sim, run: &ProgramRun) -> Value {
    let requests = sim.requests();
    let throttled: usize = requests
        .entries
        .iter()
        .map(|request| {
            usize::from(request.status == 429) + request.items.iter().filter(|item| item.status == 429).count()
        })
        .sum();
    json!({
        "graph": graph_requests(sim),
        "calls": requests.counters,
        "throttled": throttled,
        "seconds": run.took.as_secs_f64(),
        "cpu_seconds": run.cpu_seconds,
        "peak_mib": run.peak_mib,
    })
}

struct ProgramRun {
    printed: String,
    took: Duration,
    cpu_seconds: f64,
    peak_mib: f64,
}

/// Runs the program to its end; its memory is read until then.
fn run(program: &Path, arguments: &[&str], sim: &Sim, settings: &[(&str, String)]) -> Result<ProgramRun> {
    let before = children_cpu()?;
    let started = Instant::now();
    let mut command = command(program, arguments, sim, settings);
    let mut child = command.stdout(Stdio::piped()).spawn().context("the program does not start")?;
    let mut peak_mib = 0.0_f64;
    tokio::task::block_in_place(|| {
        while child.try_wait()?.is_none() {
            peak_mib = peak_mib.max(peak(child.id()).unwrap_or_default());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok::<_, std::io::Error>(())
    })?;
    let took = started.elapsed();
    let output = child.wait_with_output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "the program ended with {}:\n{printed}", output.status);
    Ok(ProgramRun { printed, took, cpu_seconds: children_cpu()? - before, peak_mib })
}

fn command(program: &Path, arguments: &[&str], sim: &Sim, settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    command.env("PHOTORELAY_TENANT_ID", sim.tenant_id().to_string());
    command.env("PHOTORELAY_CLIENT_ID", sim.client_id().to_string());
    command.env("PHOTORELAY_CLIENT_SECRET", sim.client_secret());
    command.env("PHOTORELAY_CLIENT_STATE", CLIENT_STATE);
    command.env("PHOTORELAY_GRAPH_URL", sim.graph_url()).env("PHOTORELAY_AUTHORITY_URL", sim.authority_url());
    command
}

/// Peak resident memory of a process, from proc_pid_status(5).
fn peak(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

/// Processor time of the children that have ended, in seconds, from proc_pid_stat(5): ticks of 10 ms everywhere.
fn children_cpu() -> Result<f64> {
    const CUTIME_AND_CSTIME: [usize; 2] = [13, 14];
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, behind_name) = stat.rsplit_once(')').context("/proc/self/stat has no program name")?;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks: f64 = CUTIME_AND_CSTIME.iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
