//! The command line: what each command takes, and which function answers it.
//!
//! Every command ends in one call of the library: nothing is decided here but what is printed and how the process ends.

mod audit;
mod console;
mod health;
mod poison;
mod services;
mod shell;
mod start;
mod subscription;
mod sweep;
mod trace;
mod user;

use std::path::PathBuf;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use photorelay_core::process::{CommandOutcome, Process};

/// With the commit, if it is known (build.rs).
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("COMMIT_SUFFIX"));

/// Carries Microsoft 365 profile photos to on-premises directories, seconds after they change.
///
/// All settings come from the environment and from the file of --env-file; README.md lists them.
#[derive(Parser)]
#[command(version = VERSION)]
pub(super) struct Cli {
    /// Read settings that the environment does not have from this file, as systemd reads an EnvironmentFile.
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run standalone: webhook, workers and timers in one process.
    #[command(after_help = "Example: photorelay run --env-file /etc/photorelay/photorelay.env")]
    Run,
    /// Serve the Azure Functions host as its custom handler.
    #[command(after_help = "Example: photorelay serve")]
    Serve,
    /// Process one user now, through every step, and explain each of them.
    #[command(after_help = "Example: photorelay check ada@contoso.com")]
    Check(user::CheckArgs),
    /// Write a user's current photo to a file, exactly as Graph returned it.
    #[command(after_help = "Example: photorelay export ada@contoso.com ada.jpg")]
    Export(user::ExportArgs),
    /// List what happened with a user's photo in the order of time, by whom and why, and what each target showed last.
    #[command(after_help = "Example: photorelay history ada@contoso.com")]
    History(user::HistoryArgs),
    /// Show the way of a user's newest photo from the notification to each target, with the time of each hop.
    #[command(after_help = "Example: photorelay trace ada@contoso.com")]
    Trace(trace::TraceArgs),
    /// Restore an earlier photo, by its number in `history`.
    #[command(after_help = "Example: photorelay restore ada@contoso.com 3 --reason \"ticket 4711\"")]
    Restore(user::RestoreArgs),
    /// Erase everything in which a user can be recognised, and stop capturing; the audit trail stays.
    #[command(after_help = "Example: photorelay forget ada@contoso.com")]
    Forget(user::ForgetArgs),
    /// Check everything that a photo depends on along its way; exits with 2 if something is wrong.
    #[command(after_help = "Example: photorelay doctor ada@contoso.com")]
    Doctor(health::DoctorArgs),
    /// Change the photo of a test account, measure whether and when Graph notifies, and restore the photo.
    #[command(after_help = "Example: photorelay probe test-account@contoso.com --wait 600")]
    Probe(subscription::ProbeArgs),
    /// Create, renew or replace the Graph subscription as needed, and report what was found and done.
    #[command(after_help = "Example: photorelay subscribe")]
    Subscribe(subscription::SubscribeArgs),
    /// Delete this deployment's subscriptions, so that Graph stops notifying.
    #[command(after_help = "Example: photorelay unsubscribe")]
    Unsubscribe(subscription::UnsubscribeArgs),
    /// Compare every user's photo with the recorded state, and queue a check for each user whose photo differs.
    #[command(after_help = "Example: photorelay sweep --first")]
    Sweep(sweep::SweepArgs),
    /// Show the state of the deployment on one screen; exits with 2 if something needs to be fixed.
    #[command(after_help = "Example: photorelay status --json")]
    Status(health::StatusArgs),
    /// List the messages that could not be handled, with the reasons; exits with 2 if there are any.
    #[command(after_help = "Example: photorelay poison --clear")]
    Poison(poison::PoisonArgs),
    /// Write one JSON file for a support case: versions, settings, doctor and status, without secrets or personal data.
    #[command(after_help = "Example: photorelay support-bundle case-4711.json")]
    SupportBundle(health::SupportBundleArgs),
    /// Open a console in the browser: see what happens, find a person, verify the trail; act with --act.
    #[command(after_help = "Example: photorelay console --act")]
    Console(console::ConsoleArgs),
    /// Work with the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Print the completions of this command line for a shell.
    #[command(after_help = "Example: photorelay completions bash > /etc/bash_completion.d/photorelay")]
    Completions(shell::CompletionsArgs),
    /// Write manual pages into a folder.
    #[command(hide = true)]
    Man(shell::ManArgs),
}

impl Cli {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        if let Some(file) = &self.env_file {
            process.read_env_file(file)?;
        }
        match self.command {
            Command::Run => services::run(process).await,
            Command::Serve => services::serve(process).await,
            Command::Check(args) => args.run(process).await,
            Command::Export(args) => args.run(process).await,
            Command::History(args) => args.run(process).await,
            Command::Trace(args) => args.run(process).await,
            Command::Restore(args) => args.run(process).await,
            Command::Forget(args) => args.run(process).await,
            Command::Doctor(args) => args.run(process).await,
            Command::Probe(args) => args.run(process).await,
            Command::Subscribe(args) => args.run(process).await,
            Command::Unsubscribe(args) => args.run(process).await,
            Command::Sweep(args) => args.run(process).await,
            Command::Status(args) => args.run(process).await,
            Command::Poison(args) => args.run(process).await,
            Command::SupportBundle(args) => args.run(process).await,
            Command::Console(args) => args.run(process).await,
            Command::Audit(command) => command.run(process).await,
            Command::Completions(args) => args.run(Cli::command()),
            Command::Man(args) => args.run(Cli::command()),
        }
    }
}
