//! `service`: the agent as a service of Windows. Other systems have a service manager that starts `run` as it is, and the
//! command says so there.

#[cfg(windows)]
mod windows;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use photorelay_core::process::{CommandOutcome, Process};

#[derive(Subcommand)]
pub(super) enum ServiceCommand {
    /// Register the agent as a service of Windows that starts with the system. Settings come from the file of --env-file.
    #[command(
        after_help = "Example: photorelay-agent service install --env-file D:\\photorelay\\agent.env --logs D:\\photorelay\\logs"
    )]
    Install(ServiceInstallArgs),
    /// Stop the service and remove it; settings, feed and logs stay.
    #[command(after_help = "Example: photorelay-agent service uninstall")]
    Uninstall(ServiceNameArg),
    /// What the service manager of Windows starts; in a terminal, use `run`.
    #[command(after_help = "Example: photorelay-agent service run --logs D:\\photorelay\\logs")]
    Run(ServiceRunArgs),
}

/// Which service.
#[derive(Args)]
pub(super) struct ServiceNameArg {
    /// The service's name; a second agent needs another one.
    #[arg(long, default_value = "photorelay-agent")]
    name: String,
}

#[derive(Args)]
pub(super) struct ServiceInstallArgs {
    #[command(flatten)]
    service: ServiceNameArg,
    /// The account, such as `CONTOSO\photorelay$` for a group managed service account. Without it, the service has a
    /// virtual account of its own, `NT SERVICE\<name>`.
    #[arg(long)]
    account: Option<String>,
    /// The folder of the log files: one for each day, thirty of them.
    #[arg(long, value_name = "DIR")]
    logs: PathBuf,
}

#[derive(Args)]
pub(super) struct ServiceRunArgs {
    #[command(flatten)]
    service: ServiceNameArg,
    /// The folder of the log files.
    #[arg(long, value_name = "DIR")]
    logs: PathBuf,
}

/// Where the service finds its settings: whole, because it starts in a folder of the system.
fn absolute(env_file: &Path) -> Result<PathBuf> {
    ensure!(
        env_file.is_file(),
        "there is no file {}: name the file of the service's settings with --env-file",
        env_file.display()
    );
    Ok(std::path::absolute(env_file)?)
}

#[cfg(windows)]
impl ServiceCommand {
    pub(super) async fn run(self, process: &mut Process, env_file: &Path) -> Result<CommandOutcome> {
        match self {
            Self::Install(ServiceInstallArgs { service, account, logs }) => {
                windows::install(&service.name, account, &std::path::absolute(logs)?, &absolute(env_file)?)?;
            }
            Self::Uninstall(args) => windows::uninstall(&args.name)?,
            Self::Run(args) => windows::run(args.service.name, &args.logs, env_file, process).await?,
        }
        Ok(CommandOutcome::Success)
    }
}

#[cfg(not(windows))]
impl ServiceCommand {
    pub(super) async fn run(self, _process: &mut Process, env_file: &Path) -> Result<CommandOutcome> {
        if let Self::Install(_) = self {
            absolute(env_file)?;
        }
        anyhow::bail!(
            "this system has no services of Windows: install the unit photorelay-agent.service for systemd \
             (infra/agent/README.md), or have another supervisor start `photorelay-agent run`"
        )
    }
}
