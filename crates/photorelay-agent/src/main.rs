//! The agent's command line: parse, build, run.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use photorelay_agent::certificate;
use photorelay_agent::config::{AgentConfig, ConnectorSettings};
use photorelay_agent::connectors::Connector;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::connectors::ldap::LdapConnector;
use photorelay_agent::operate::approvals::{ApprovalItem, Approvals};
use photorelay_agent::operate::{doctor, drift, switch};
use photorelay_agent::queue::Agent;
use photorelay_agent::quota::{QuotaLimits, WriteQuota};
use photorelay_agent::writeback::{Undone, WriteBacks, WritebackSettings};
use photorelay_core::contract::Verdict;
use photorelay_core::diagnosis::Diagnosis;
use photorelay_core::id::UserId;
use photorelay_core::settings::Environment;
use photorelay_core::storage::Storage;
use photorelay_core::telemetry::{self, LogFilter, Otlp};
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
    /// Look at everything that has to be right before photos can be written; ends with 2 if something is wrong.
    Doctor {
        /// Somebody to plan for, by object id.
        user: Option<UserId>,
        /// For monitoring.
        #[arg(long)]
        json: bool,
    },
    /// Say what would be written for somebody, and why.
    Plan {
        /// The person's object id.
        user: UserId,
    },
    /// Compare what the target shows with the audit trail; ends with 2 if somebody differs.
    Drift {
        /// Have everybody who differs looked at again by the agents.
        #[arg(long)]
        fix: bool,
    },
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
    /// Put back what the target showed before it was replaced.
    Undo {
        #[command(flatten)]
        whom: Whom,
        /// Say what would be put back, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop every agent of this target; items stay in the queue.
    Stop {
        /// What the heartbeats say.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let them go on.
    Resume,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// The person's object id.
    user: Option<UserId>,
    /// Everybody.
    #[arg(long)]
    all: bool,
}

/// Something is wrong, or somebody differs.
const NEEDS_SOMEBODY: u8 = 2;

/// The largest photo that the folder target takes, in bytes.
const FOLDER_LIMIT: u64 = 4 * 1024 * 1024;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("photorelay-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    // Before anything speaks TLS: one crypto provider for all of it. An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let environment = Environment::of_process();
    let config = match (AgentConfig::read(&environment), &cli.command) {
        (Ok(config), _) => config,
        (Err(problems), Command::Doctor { json, .. }) => return tell(&Diagnosis::of_problems(&problems), *json),
        (Err(problems), _) => return Err(problems.into()),
    };
    let otlp = Otlp::read(&environment, "photorelay-agent", env!("CARGO_PKG_VERSION"))?;
    let filter = config.log_filter.clone();
    let exporting = match cli.command {
        Command::Run | Command::Once => {
            telemetry::init(config.log_format, &filter.unwrap_or_default(), otlp, std::io::stdout)?
        }
        // A person asked for an answer: that on stdout, and on stderr only what is wrong.
        _ => {
            let filter = filter.unwrap_or_else(LogFilter::warnings);
            telemetry::init(config.log_format, &filter, otlp, std::io::stderr)?
        }
    };
    let result = work(cli, &config).await;
    exporting.finish().await;
    result
}

async fn work(cli: Cli, config: &AgentConfig) -> Result<ExitCode> {
    let opened = open_storage(config);
    if let Command::Doctor { user, json } = cli.command {
        let words = |error: &anyhow::Error| format!("{error:#}");
        let made = match &opened {
            Ok(storage) => writebacks(storage, config, true).map_err(|error| words(&error)),
            Err(error) => Err(words(error)),
        };
        let storage = opened.as_ref().map_err(words);
        return tell(&doctor::run_checks(config, storage, made.as_ref().map_err(Clone::clone), user).await, json);
    }
    let storage = opened?;
    let desk = Approvals::new(storage.clone(), config.target.clone(), config.queue.clone());
    match cli.command {
        Command::Run | Command::Once => serve(matches!(cli.command, Command::Run), storage, config).await?,
        Command::Held { json } => show(&desk.held(None).await?, json)?,
        Command::Approve(whom) => decide(&desk, &whom, Verdict::Approved).await?,
        Command::Reject(whom) => decide(&desk, &whom, Verdict::Rejected).await?,
        Command::Stop { reason } => switch::stop(&storage, &config.target, reason).await?,
        Command::Resume => switch::resume(&storage, &config.target).await?,
        Command::Undo { whom, dry_run } => {
            // As calm as the agent, but no day is too full for what an operator wants back.
            let calm = WriteQuota::new(QuotaLimits { per_day: None, ..config.limits }, None, 0);
            undo(&writebacks(&storage, config, dry_run)?.with_budget(calm), &whom).await?;
        }
        Command::Plan { user } => match writebacks(&storage, config, true)?.plan(user).await? {
            Some(plan) => println!("{plan}"),
            None => println!("the trail of {user} has no entry that concerns targets"),
        },
        Command::Drift { fix } => {
            let writebacks = writebacks(&storage, config, true)?;
            let mut out = std::io::stdout();
            let drift = drift::drift(&writebacks, &storage, &config.queue, fix, config.limits, &mut out).await?;
            if drift.differing + drift.failed > drift.announced {
                return Ok(ExitCode::from(NEEDS_SOMEBODY));
            }
        }
        // Answered above, where a storage that cannot be opened is a finding.
        Command::Doctor { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn open_storage(config: &AgentConfig) -> Result<Storage> {
    Ok(Storage::open(&config.storage.resolve(&config.authority_url)?)?)
}

fn tell(diagnosis: &Diagnosis, json: bool) -> Result<ExitCode> {
    println!("{}", if json { serde_json::to_string_pretty(&diagnosis.0)? } else { diagnosis.to_string() });
    Ok(if diagnosis.is_healthy() { ExitCode::SUCCESS } else { ExitCode::from(NEEDS_SOMEBODY) })
}

/// What writes to the configured target; with `dry_run` it only says what it would write.
fn writebacks(storage: &Storage, config: &AgentConfig, dry_run: bool) -> Result<WriteBacks> {
    let target: Arc<dyn Connector> = match &config.place {
        ConnectorSettings::Folder { path, rendition } => {
            let folder = FolderConnector::open(path, rendition, FOLDER_LIMIT);
            Arc::new(folder.with_context(|| format!("the folder {} cannot be opened", path.display()))?)
        }
        ConnectorSettings::Ldap(settings) => Arc::new(LdapConnector::new((**settings).clone())),
    };
    let settings = WritebackSettings {
        tenant: config.tenant_id,
        target: config.target.clone(),
        agent: config.agent.clone(),
        dry_run: config.dry_run || dry_run,
        certificate_expires_at: config.certificate_expires_at,
    };
    Ok(WriteBacks::new(storage.clone(), target, settings).with_policy(config.policy.clone()))
}

/// Works until stopped, or until no item is waiting.
async fn serve(until_stopped: bool, storage: Storage, config: &AgentConfig) -> Result<()> {
    let budget = WriteQuota::resumed(&storage, config.limits, &config.target, &config.agent).await?;
    let writebacks = writebacks(&storage, config, false)?.with_budget(budget);
    if let Some(end) = config.certificate_expires_at.filter(|end| *end < Timestamp::now() + certificate::WARN_BEFORE) {
        tracing::warn!(%end, "the certificate that signs in to Azure runs out: make a new one and deploy it");
    }
    let agent =
        Agent::new(storage, writebacks, config.queue.clone()).with_lease(config.lease).with_pass(config.pass.clone());
    tracing::info!(
        target.name = config.target,
        queue = config.queue,
        dry_run = config.dry_run,
        version = env!("CARGO_PKG_VERSION"),
        "agent started"
    );
    if !until_stopped {
        return Ok(agent.once().await?);
    }
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

async fn decide(desk: &Approvals, whom: &Whom, verdict: Verdict) -> Result<()> {
    let decided = match whom.user {
        Some(user) => desk.decide(user, verdict).await?,
        None => desk.decide_all(verdict).await?,
    };
    show(&decided, false)
}

/// Goes on after somebody whose value cannot be put back, and fails in the end.
async fn undo(writebacks: &WriteBacks, whom: &Whom) -> Result<()> {
    let people = match whom.user {
        Some(user) => BTreeSet::from([user]),
        None => writebacks.with_kept_values().await?,
    };
    let mut failed = 0_u32;
    for user in people {
        match writebacks.undo(user).await {
            Ok(Undone::PutBack(value)) => println!("{user}  put back {value}"),
            Ok(Undone::Would(value)) => println!("{user}  would put back {value}"),
            Ok(Undone::Nothing(why)) => println!("{user}  {why}"),
            Err(error) => {
                eprintln!("{user}  {error}");
                failed += 1;
            }
        }
    }
    anyhow::ensure!(failed == 0, "{failed} people could not be brought back");
    Ok(())
}

/// One line for each; ids only, which is what operators pass on.
fn show(waiting: &[ApprovalItem], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(waiting)?);
        return Ok(());
    }
    for ApprovalItem { held, verdict } in waiting {
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
