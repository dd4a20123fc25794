//! The agent's command line: parse, build, run.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use photorelay_agent::config::{Config, TargetSettings};
use photorelay_agent::operate::held::{Desk, Waiting};
use photorelay_agent::queue::Agent;
use photorelay_agent::target::Target;
use photorelay_agent::target::folder::FolderTarget;
use photorelay_agent::target::ldap::LdapTarget;
use photorelay_agent::writeback::{Settings, WriteBacks};
use photorelay_core::contract::Verdict;
use photorelay_core::id::UserId;
use photorelay_core::settings::Environment;
use photorelay_core::storage::Storage;
use photorelay_core::telemetry::{self, Otlp};
use tokio_util::sync::CancellationToken;

/// Brings directories and folders up to the photos in photorelay's audit trail. Outbound connections only.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Work until stopped.
    Run,
    /// Work until no item is waiting, then end.
    Once,
    /// List what waits for an operator.
    Held {
        /// As JSON, one array.
        #[arg(long)]
        json: bool,
    },
    /// Let what is held go through.
    Approve(Whom),
    /// Leave what is held as the target shows it.
    Reject(Whom),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// The person's object id.
    user: Option<UserId>,
    /// Everything that nobody has decided yet.
    #[arg(long)]
    all: bool,
}

/// The largest photo that the folder target takes, in bytes.
const FOLDER_LIMIT: u64 = 4 * 1024 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("photorelay-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    // Before anything speaks TLS: one crypto provider for all of it. An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let environment = Environment::of_process();
    let config = Config::read(&environment)?;
    let otlp = Otlp::read(&environment, "photorelay-agent", env!("CARGO_PKG_VERSION"))?;
    let exporting = telemetry::init(config.log_format, &config.log_filter, otlp, std::io::stdout)?;
    let result = work(cli, &config).await;
    exporting.finish().await;
    result
}

async fn work(cli: Cli, config: &Config) -> Result<()> {
    let storage = Storage::open(&config.storage.resolve(&config.authority_url)?)?;
    let desk = Desk::new(storage.clone(), config.target.clone(), config.queue.clone());
    match &cli.command {
        Command::Held { json } => return show(&desk.held(None).await?, *json),
        Command::Approve(whom) => return decide(&desk, whom, Verdict::Approved).await,
        Command::Reject(whom) => return decide(&desk, whom, Verdict::Rejected).await,
        Command::Run | Command::Once => {}
    }
    let target: Arc<dyn Target> = match &config.place {
        TargetSettings::Folder { path, rendition } => {
            let folder = FolderTarget::open(path, rendition, FOLDER_LIMIT);
            Arc::new(folder.with_context(|| format!("the folder {} cannot be opened", path.display()))?)
        }
        TargetSettings::Ldap(settings) => Arc::new(LdapTarget::new(settings.clone())),
    };
    let settings = Settings {
        tenant: config.tenant_id,
        target: config.target.clone(),
        agent: config.agent.clone(),
        dry_run: config.dry_run,
    };
    let writebacks = WriteBacks::new(storage.clone(), target, settings).with_policy(config.policy.clone());
    let agent = Agent::new(storage, writebacks, config.queue.clone()).with_lease(config.lease);
    tracing::info!(
        target.name = config.target,
        queue = config.queue,
        dry_run = config.dry_run,
        version = env!("CARGO_PKG_VERSION"),
        "agent started"
    );
    match cli.command {
        Command::Run => {
            let stop = CancellationToken::new();
            let work = agent.run(stop.clone());
            tokio::pin!(work);
            tokio::select! {
                () = &mut work => {}
                asked = stop_asked() => {
                    asked?;
                    tracing::info!("stopping: what is under way is finished first");
                    stop.cancel();
                    work.await;
                }
            }
            Ok(())
        }
        _ => Ok(agent.drain().await?),
    }
}

async fn decide(desk: &Desk, whom: &Whom, verdict: Verdict) -> Result<()> {
    let decided = match whom.user {
        Some(user) => desk.decide(user, verdict).await?,
        None => desk.decide_all(verdict).await?,
    };
    show(&decided, false)
}

/// One line for each; ids only, which is what operators pass on.
fn show(waiting: &[Waiting], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(waiting)?);
        return Ok(());
    }
    for Waiting { held, verdict } in waiting {
        let verdict = match verdict {
            None => "waits",
            Some(Verdict::Approved) => "approved",
            Some(Verdict::Rejected) => "rejected",
        };
        println!("{}  entry {}  {verdict:8}  since {:.0}  {}", held.user_id, held.seq, held.at, held.reason);
    }
    println!("{} item(s)", waiting.len());
    Ok(())
}

/// Until Ctrl-C or, where it exists, SIGTERM.
async fn stop_asked() -> Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
