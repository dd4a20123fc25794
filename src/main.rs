//! The command line: parse, build, serve.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use photorelay::app::{self, App, open_storage};
use photorelay::config::{self, AppConfig};
use photorelay::operate;
use photorelay::operate::doctor;
use photorelay_core::diagnosis::Diagnosis;
use photorelay_core::id::UserId;
use photorelay_core::settings::Environment;
use photorelay_core::storage::Storage;
use photorelay_core::telemetry::{self, Exporting, LogFilter, Otlp};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Carries Microsoft 365 profile photos to on-premises directories, seconds after they changed.
///
/// Every setting comes from the environment; README.md lists them.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run standalone: webhook, workers and timers in one process.
    Run,
    /// Serve the Azure Functions host as its custom handler.
    Serve,
    /// Go the whole way for one person now, and explain every step.
    Check {
        /// Object id or user principal name.
        user: String,
    },
    /// Write a person's current photo to a file, as Graph gave it.
    Export {
        /// Object id or user principal name.
        user: String,
        file: PathBuf,
    },
    /// Every entry of a person's audit trail, and what targets made of it.
    History {
        /// Object id or user principal name.
        user: String,
    },
    /// Put an earlier photo back; the numbers are those of `history`.
    Restore {
        /// Object id or user principal name.
        user: String,
        seq: u32,
        /// Such as a ticket; kept in the audit trail.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Delete a person's photos for good and capture none any more; the audit trail stays.
    Forget {
        /// Object id or user principal name.
        user: String,
        /// Do it; without this, only say what would be done.
        #[arg(long)]
        yes: bool,
    },
    /// Look at everything that has to be right before a photo can travel; ends with 2 if something is wrong.
    Doctor {
        /// Somebody to go the whole way for, by object id or user principal name.
        user: Option<String>,
        /// For monitoring.
        #[arg(long)]
        json: bool,
    },
    /// Change the photo of a test account, see whether Graph notifies and how late, and put the photo back.
    Probe {
        /// Object id or user principal name of an account that nobody uses; every target shows the test picture for a
        /// while.
        user: String,
        /// How long to wait for the notification, in seconds.
        #[arg(long, default_value_t = 900)]
        wait: u64,
    },
    /// Make sure that Graph notifies: create, renew or replace the subscription, and say what was found and done.
    Subscribe,
    /// Delete the subscriptions of this deployment, so that Graph does not notify any more.
    Unsubscribe {
        /// Only this subscription of the application, even if it is for another URL.
        #[arg(long)]
        id: Option<Uuid>,
    },
    /// Compare everybody's photo with what is known of it, and have those looked at who differ.
    Sweep {
        /// The first fill of a tenant: tell what it takes, and fetch the photos here, beside the function app.
        #[arg(long)]
        first: bool,
    },
    /// How everything is, on one screen; ends with 2 if there is something to mend.
    Status {
        /// For monitoring.
        #[arg(long)]
        json: bool,
    },
    /// The audit trail.
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Subcommand)]
enum Audit {
    /// Walk the trail and name every broken link; ends with 2 if there is one.
    Verify {
        /// Only this person, by object id.
        #[arg(long)]
        user: Option<UserId>,
    },
}

/// The trail is not intact, something is wrong, or no notification came.
const NEEDS_SOMEBODY: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("photorelay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    // Before anything speaks TLS: one crypto provider for all of it. An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let environment = Environment::of_process();
    let mut exporting = Exporting::default();
    let result = handle_lifecycle(cli, &environment, &mut exporting).await;
    exporting.finish().await;
    result
}

async fn handle_lifecycle(cli: Cli, environment: &Environment, exporting: &mut Exporting) -> Result<ExitCode> {
    let mut out = std::io::stdout();
    match cli.command {
        Command::Run => {
            let (config, app) = start(environment, Reader::Collector, exporting).await?;
            let listener = listen(&config.listen.to_string()).await?;
            tracing::info!(listen = %listener.local_addr()?, "photorelay runs standalone");
            app.run(listener, stop_on_signal()?).await?;
        }
        Command::Serve => {
            let port = environment.get("FUNCTIONS_CUSTOMHANDLER_PORT");
            let port =
                port.context("FUNCTIONS_CUSTOMHANDLER_PORT is missing: `serve` is started by the Functions host")?;
            let (_, app) = start(environment, Reader::Collector, exporting).await?;
            let listener = listen(&format!("127.0.0.1:{port}")).await?;
            tracing::info!(listen = %listener.local_addr()?, "photorelay serves the Functions host");
            app.serve(listener, stop_on_signal()?).await?;
            // The host takes exit code 0 for a process that is still there.
            bail!("stopped by a signal");
        }
        Command::Check { user } => {
            let (_, app) = start(environment, Reader::Person, exporting).await?;
            let user = operate::check::find(&app.graph, &user).await?;
            operate::check::check(&app.propagate, user, &mut out).await?;
        }
        Command::Export { user, file } => {
            let (storage, user) = storage_and_user(environment, &user, exporting).await?;
            println!("{}", operate::export::export(&storage, user, &file).await?);
        }
        Command::History { user } => {
            let (storage, user) = storage_and_user(environment, &user, exporting).await?;
            operate::history::history(&storage, user, &mut out).await?;
        }
        Command::Restore { user, seq, reason } => {
            let (config, app) = start(environment, Reader::Person, exporting).await?;
            let user = operate::check::find(&app.graph, &user).await?;
            let wanted = operate::restore::Restore { tenant: config.tenant_id, user, seq, reason };
            operate::restore::restore(&app.storage, &config.targets, wanted, &mut out).await?;
        }
        Command::Forget { user, yes } => {
            let (config, app) = start(environment, Reader::Person, exporting).await?;
            let user = operate::check::find(&app.graph, &user).await?;
            operate::forget::forget(&app.storage, config.tenant_id, user, yes, &mut out).await?;
        }
        Command::Doctor { user, json } => {
            let diagnosis = match AppConfig::read(environment) {
                Err(problems) => Diagnosis::of_problems(&problems),
                Ok(config) => doctor::run_checks(&app::doctor_context(config), user.as_deref()).await,
            };
            println!("{}", if json { serde_json::to_string_pretty(&diagnosis.0)? } else { diagnosis.to_string() });
            if !diagnosis.is_healthy() {
                return Ok(ExitCode::from(NEEDS_SOMEBODY));
            }
        }
        Command::Probe { user, wait } => {
            let (_, app) = start(environment, Reader::Person, exporting).await?;
            let user = operate::check::find(&app.graph, &user).await?;
            let wait = Duration::from_secs(wait);
            if !operate::probe::probe(&app.graph, &app.storage, user, wait, stop_on_signal()?, &mut out).await? {
                return Ok(ExitCode::from(NEEDS_SOMEBODY));
            }
        }
        Command::Subscribe => {
            let (_, app) = start(environment, Reader::Person, exporting).await?;
            println!("{}", app.subscribe.keep().await?);
        }
        Command::Unsubscribe { id } => {
            let (_, app) = start(environment, Reader::Person, exporting).await?;
            println!("{}", app.subscribe.end(id).await?);
        }
        Command::Sweep { first } => {
            let (_, app) = start(environment, Reader::Person, exporting).await?;
            let stop = stop_on_signal()?;
            if !first {
                let report = operate::sweep::sweep(&app.sweep, stop).await?;
                app.watch.after_sweep(&report, Timestamp::now()).await;
                println!("{report}");
                return Ok(ExitCode::SUCCESS);
            }
            let no_more = CancellationToken::new();
            let helping = app.pump.help(&no_more, &stop);
            let filled =
                operate::sweep::first(&app.sweep, &app.storage, helping, no_more.clone(), stop.clone()).await?;
            app.watch.after_sweep(&filled.report, Timestamp::now()).await;
            println!("{filled}");
        }
        Command::Status { json } => {
            let (_, app) = start(environment, Reader::Person, exporting).await?;
            if !operate::status::status(&app.watch, json, &mut out).await? {
                return Ok(ExitCode::from(NEEDS_SOMEBODY));
            }
        }
        Command::Audit(Audit::Verify { user }) => {
            let report = operate::audit::verify(&storage_alone(environment)?, user, &mut out).await?;
            if !report.findings.is_empty() {
                return Ok(ExitCode::from(NEEDS_SOMEBODY));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Who reads what the program prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// A log collector: everything on stdout.
    Collector,
    /// A person, who asked for an answer: that on stdout, and on stderr only what is wrong.
    Person,
}

async fn start(environment: &Environment, reader: Reader, exporting: &mut Exporting) -> Result<(AppConfig, App)> {
    let config = AppConfig::read(environment)?;
    let otlp = Otlp::read(environment, "photorelay", env!("CARGO_PKG_VERSION"))?;
    *exporting = match (reader, &config.log_filter) {
        (Reader::Collector, filter) => {
            telemetry::init(config.log_format, &filter.clone().unwrap_or_default(), otlp, std::io::stdout)?
        }
        (Reader::Person, filter) => {
            let filter = filter.clone().unwrap_or_else(LogFilter::warnings);
            telemetry::init(config.log_format, &filter, otlp, std::io::stderr)?
        }
    };
    let app = App::build(&config).await?;
    Ok((config, app))
}

/// The storage, and whom an object id or a user principal name stands for. An object id needs no Graph.
async fn storage_and_user(
    environment: &Environment,
    user: &str,
    exporting: &mut Exporting,
) -> Result<(Storage, UserId)> {
    if let Ok(user) = user.parse() {
        return Ok((storage_alone(environment)?, user));
    }
    let (_, app) = start(environment, Reader::Person, exporting).await?;
    let user = operate::check::find(&app.graph, user).await?;
    Ok((app.storage, user))
}

fn storage_alone(environment: &Environment) -> Result<Storage> {
    let (storage, authority) = config::read_storage(environment)?;
    open_storage(&storage, &authority)
}

async fn listen(address: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// A token that is cancelled by Ctrl-C or SIGTERM.
fn stop_on_signal() -> Result<CancellationToken> {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let mut terminate = terminate_signal()?;
    #[expect(clippy::disallowed_methods, reason = "waits for a signal for as long as the process lives")]
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = &mut terminate => {}
        }
        tracing::info!("stopping: what is under way is finished first");
        asked.cancel();
    });
    Ok(stop)
}

#[cfg(unix)]
fn terminate_signal() -> Result<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(Box::pin(async move {
        terminate.recv().await;
    }))
}

#[cfg(not(unix))]
fn terminate_signal() -> Result<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>> {
    Ok(Box::pin(std::future::pending()))
}
