//! The agent's command line: what each command takes, and which function answers it.
//!
//! Only `run`, `once`, `undo`, `forward` and some of `mim` write to a target; every other command works on a reconciler in
//! dry run, or on none.

mod approvals;
mod forward;
mod inspect;
mod mim;
mod mim_scripts;
mod mim_space;
mod photos;
mod preview;
mod service;
mod services;
mod shell;
mod start;
mod switch;
mod trace;
mod undo;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use photorelay_core::process::{CommandOutcome, Process};

/// With the commit, if it is known (build.rs).
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("COMMIT_SUFFIX"));

/// Keeps directories and folders up to date with the photos in photorelay's audit trail. Only `serve-photos` accepts
/// connections.
///
/// All settings come from the environment and from a file of settings; README.md and infra/agent/README.md list them.
#[derive(Parser)]
#[command(version = VERSION)]
pub(super) struct AgentCli {
    /// Read settings that the environment does not have from this file, as systemd reads an EnvironmentFile. Without this
    /// option, /etc/photorelay/agent.env (on Windows C:\ProgramData\photorelay\agent.env) is read if it is there and may be
    /// read.
    #[arg(long, global = true, value_name = "FILE")]
    env_file: Option<PathBuf>,
    #[command(subcommand)]
    command: AgentCommand,
}

/// Where infra/agent/README.md installs them.
const INSTALLED_SETTINGS: &str =
    if cfg!(windows) { "C:\\ProgramData\\photorelay\\agent.env" } else { "/etc/photorelay/agent.env" };

#[derive(Subcommand)]
enum AgentCommand {
    /// Process messages until stopped.
    #[command(after_help = "Example: photorelay-agent run")]
    Run,
    /// Process messages until none is waiting and reconcile every user if that is due, then exit.
    #[command(after_help = "Example: photorelay-agent once")]
    Once,
    /// Check everything that writing photos depends on; exits with 2 if something is wrong.
    #[command(after_help = "Example: photorelay-agent doctor ada@contoso.com")]
    Doctor(inspect::AgentDoctorArgs),
    /// Show what would be written for a user, and why.
    #[command(after_help = "Example: photorelay-agent plan ada@contoso.com")]
    Plan(inspect::PlanArgs),
    /// Show the way of a user's newest photo, with the time of each hop, and what the target shows now.
    #[command(after_help = "Example: photorelay-agent trace ada")]
    Trace(trace::AgentTraceArgs),
    /// Show what would be written for every user, before anything is; writes to no target.
    #[command(after_help = "Example: photorelay-agent preview --html preview")]
    Preview(preview::PreviewArgs),
    /// Compare the target with the audit trail for every user; exits with 2 if users differ.
    #[command(after_help = "Example: photorelay-agent drift --fix")]
    Drift(inspect::DriftArgs),
    /// List the changes that wait for approval.
    #[command(after_help = "Example: photorelay-agent held")]
    Held(approvals::HeldArgs),
    /// Approve held changes: the agents then apply them.
    #[command(after_help = "Example: photorelay-agent approve ada@contoso.com")]
    Approve(approvals::DecisionArgs),
    /// Reject held changes: the target stays as it is.
    #[command(after_help = "Example: photorelay-agent reject ada@contoso.com")]
    Reject(approvals::DecisionArgs),
    /// Put back what the target showed before the agent replaced it, and clear what it wrote where there was nothing.
    #[command(after_help = "Example: photorelay-agent undo --all --dry-run")]
    Undo(undo::UndoArgs),
    /// Stop every agent of this target; messages stay in the queue.
    #[command(after_help = "Example: photorelay-agent stop --reason \"ticket 4711\"")]
    Stop(switch::StopArgs),
    /// Let the agents of this target continue.
    #[command(after_help = "Example: photorelay-agent resume")]
    Resume,
    /// The feed for Microsoft Identity Manager.
    #[command(subcommand)]
    Mim(mim::MimCommand),
    /// Forward every change as a CloudEvent to a URL.
    #[command(after_help = "Example: photorelay-agent forward")]
    Forward,
    /// Serve photos over HTTP, read-only, for clients that fetch them by URL.
    #[command(after_help = "Example: photorelay-agent serve-photos")]
    ServePhotos,
    /// The agent as a service of Windows.
    #[command(subcommand)]
    Service(service::ServiceCommand),
    /// Print the completions of this command line for a shell.
    #[command(after_help = "Example: photorelay-agent completions bash > /etc/bash_completion.d/photorelay-agent")]
    Completions(shell::AgentCompletionsArgs),
    /// Write manual pages into a folder.
    #[command(hide = true)]
    Man(shell::AgentManArgs),
}

impl AgentCli {
    pub(super) async fn run(self, process: &mut Process) -> Result<CommandOutcome> {
        match &self.env_file {
            // It says in its log what is wrong with the file.
            _ if matches!(&self.command, AgentCommand::Service(service::ServiceCommand::Run(_))) => {}
            Some(file) => process.read_env_file(file)?,
            None => process.read_env_file_if_readable(Path::new(INSTALLED_SETTINGS))?,
        }
        match self.command {
            AgentCommand::Run => services::run(process).await,
            AgentCommand::Once => services::once(process).await,
            AgentCommand::Doctor(args) => args.run(process).await,
            AgentCommand::Plan(args) => args.run(process).await,
            AgentCommand::Trace(args) => args.run(process).await,
            AgentCommand::Preview(args) => args.run(process).await,
            AgentCommand::Drift(args) => args.run(process).await,
            AgentCommand::Held(args) => args.run(process).await,
            AgentCommand::Approve(selection) => selection.approve(process).await,
            AgentCommand::Reject(selection) => selection.reject(process).await,
            AgentCommand::Undo(args) => args.run(process).await,
            AgentCommand::Stop(args) => args.run(process).await,
            AgentCommand::Resume => switch::resume(process).await,
            AgentCommand::Mim(command) => command.run(process).await,
            AgentCommand::Forward => forward::run(process).await,
            AgentCommand::ServePhotos => photos::serve(process).await,
            AgentCommand::Service(command) => {
                let env_file = self.env_file.as_deref().unwrap_or(Path::new(INSTALLED_SETTINGS));
                command.run(process, env_file).await
            }
            AgentCommand::Completions(args) => args.run(AgentCli::command()),
            AgentCommand::Man(args) => args.run(AgentCli::command()),
        }
    }
}
