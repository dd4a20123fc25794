//! The command line: what each command takes, and which function answers it.
//!
//! Every command ends in one call of the library: nothing is decided here but what is printed and how the process ends.

mod audit;
mod health;
mod services;
mod start;
mod subscription;
mod sweep;
mod trace;
mod user;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use photorelay_core::process::{CommandOutcome, Process};

/// Carries Microsoft 365 profile photos to on-premises directories, seconds after they change.
///
/// All settings come from the environment and from the file of --env-file; README.md lists them.
#[derive(Parser)]
#[command(version)]
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
    Run,
    /// Serve the Azure Functions host as its custom handler.
    Serve,
    /// Process one user now, through every step, and explain each of them.
    Check(user::CheckArgs),
    /// Write a user's current photo to a file, exactly as Graph returned it.
    Export(user::ExportArgs),
    /// List what happened with a user's photo in the order of time, by whom and why, and what each target showed last.
    History(user::HistoryArgs),
    /// Show the way of a user's newest photo from the notification to each target, with the time of each hop.
    Trace(trace::TraceArgs),
    /// Restore an earlier photo, by its number in `history`.
    Restore(user::RestoreArgs),
    /// Erase everything in which a user can be recognised, and stop capturing; the audit trail stays.
    Forget(user::ForgetArgs),
    /// Check everything that a photo depends on along its way; exits with 2 if something is wrong.
    Doctor(health::DoctorArgs),
    /// Change the photo of a test account, measure whether and when Graph notifies, and restore the photo.
    Probe(subscription::ProbeArgs),
    /// Create, renew or replace the Graph subscription as needed, and report what was found and done.
    Subscribe,
    /// Delete this deployment's subscriptions, so that Graph stops notifying.
    Unsubscribe(subscription::UnsubscribeArgs),
    /// Compare every user's photo with the recorded state, and queue a check for each user whose photo differs.
    Sweep(sweep::SweepArgs),
    /// Show the state of the deployment on one screen; exits with 2 if something needs to be fixed.
    Status(health::StatusArgs),
    /// Write one JSON file for a support case: versions, settings, doctor and status, without secrets or personal data.
    SupportBundle(health::SupportBundleArgs),
    /// Work with the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
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
            Command::Subscribe => subscription::subscribe(process).await,
            Command::Unsubscribe(args) => args.run(process).await,
            Command::Sweep(args) => args.run(process).await,
            Command::Status(args) => args.run(process).await,
            Command::SupportBundle(args) => args.run(process).await,
            Command::Audit(command) => command.run(process).await,
        }
    }
}
