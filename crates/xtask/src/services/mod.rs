//! The real servers that the tests talk to, each on loopback, with a folder of its own, stopped by process id.
//!
//! A new service is one more file here and one more line in `all`. A service that cannot be installed or started
//! fails the run; it is never skipped.

mod azurite;
mod browser;
mod samba;
mod sas;
mod service;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

pub(crate) use service::ServiceVariables;

use crate::checkout::{self, Checkout};
use crate::process::{self, TrackedProcess};
use service::TestService;

/// The run that `cargo xtask services` manages; a test run has one of its own.
const BY_HAND: &str = "by-hand";
const TEST_RUN: &str = "test-";
const STARTUP: Duration = Duration::from_secs(60);

fn all() -> [Box<dyn TestService>; 3] {
    [Box::new(azurite::AzuriteService), Box::new(samba::SambaService), Box::new(browser::BrowserService)]
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ServicesCommand {
    /// Install and start them; prints the variables that tests read, fit for `eval "$(...)"`
    Start,
    /// Stop them
    Stop,
    /// Show which are running
    Status,
}

pub(crate) fn run(checkout: &Checkout, action: ServicesCommand) -> Result<()> {
    for service in all() {
        let name = service.name();
        let folder = checkout.service(BY_HAND, name);
        let process = TrackedProcess::read(&pid_file(&folder));
        match (action, process) {
            (ServicesCommand::Start, Some(process)) => {
                eprintln!("{name}: already running, process {}", process.pid);
                print(&ready(service.as_ref(), checkout, &folder, &process)?);
            }
            (ServicesCommand::Start, None) => {
                service.install(checkout)?;
                let mut child = start(service.as_ref(), checkout, &folder, false)?;
                let process = track(&mut child, &folder)?;
                let variables = ready(service.as_ref(), checkout, &folder, &process).inspect_err(|_| {
                    // The error itself is what the caller must see, whether or not this works.
                    let _ = process.stop();
                })?;
                eprintln!("{name}: started, process {}, log in {}", process.pid, log_file(&folder).display());
                print(&variables);
            }
            (ServicesCommand::Stop, Some(process)) => {
                process.stop()?;
                checkout::remove(&folder)?;
                println!("{name}: stopped");
            }
            (ServicesCommand::Status, Some(process)) => println!("{name}: running, process {}", process.pid),
            (ServicesCommand::Stop | ServicesCommand::Status, None) => println!("{name}: not running"),
        }
    }
    Ok(())
}

pub(crate) fn install(checkout: &Checkout) -> Result<()> {
    all().iter().try_for_each(|service| service.install(checkout))
}

/// The services of one test run. They end with this value, and with this process however it ends.
#[derive(Debug)]
pub(crate) struct RunningServices {
    children: Vec<Child>,
    pub(crate) variables: ServiceVariables,
    folder: PathBuf,
}

impl RunningServices {
    pub(crate) fn start(checkout: &Checkout) -> Result<Self> {
        remove_ended_runs(checkout)?;
        let run = format!("{TEST_RUN}{}", std::process::id());
        let mut running = Self { children: Vec::new(), variables: Vec::new(), folder: checkout.services(&run) };
        let mut started = Vec::new();
        for service in all() {
            let folder = checkout.service(&run, service.name());
            let child = start(service.as_ref(), checkout, &folder, true)?;
            running.children.push(child);
            let child = running.children.last_mut().context("a child was just pushed")?;
            started.push((track(child, &folder)?, folder, service));
        }
        for (process, folder, service) in started {
            running.variables.extend(ready(service.as_ref(), checkout, &folder, &process)?);
        }
        Ok(running)
    }

    pub(crate) fn variable(&self, name: &str) -> Result<&str> {
        let found = self.variables.iter().find(|(variable, _)| variable == name);
        found.map(|(_, value)| value.as_str()).with_context(|| format!("the services gave no {name}"))
    }

    /// Stops them and removes their logs, which are of no use after a success.
    pub(crate) fn discard(mut self) -> Result<()> {
        self.stop()?;
        checkout::remove(&self.folder)
    }

    fn stop(&mut self) -> Result<()> {
        for mut child in self.children.drain(..) {
            if let Some(process) = TrackedProcess::of(child.id()) {
                process.stop()?;
            }
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for RunningServices {
    fn drop(&mut self) {
        if self.children.is_empty() {
            return;
        }
        if let Err(error) = self.stop() {
            eprintln!("xtask: {error:#}");
        }
        eprintln!("what the services printed is in {}", self.folder.display());
    }
}

/// A run that failed or was killed leaves its logs until the next one.
fn remove_ended_runs(checkout: &Checkout) -> Result<()> {
    let Ok(runs) = std::fs::read_dir(checkout.services("")) else { return Ok(()) };
    for run in runs {
        let run = run?;
        let name = run.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(TEST_RUN)?.parse().ok());
        if pid.is_some_and(|pid| TrackedProcess::of(pid).is_none()) {
            checkout::remove(&run.path())?;
        }
    }
    Ok(())
}

fn start(service: &dyn TestService, checkout: &Checkout, folder: &Path, tied: bool) -> Result<Child> {
    checkout::remove(folder)?;
    std::fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    let log = File::create(log_file(folder))?;
    let mut command = service.command(checkout, folder, tied)?;
    command.current_dir(folder).stdout(log.try_clone()?).stderr(log);
    if tied {
        command.stdin(Stdio::piped());
    } else {
        // A group of its own, so that a Ctrl-C for a later command in the same terminal does not reach it.
        command.stdin(Stdio::null()).process_group(0);
    }
    command.spawn().with_context(|| format!("{} could not be started", service.name()))
}

/// Writes the pid file. A process that has ended by now never ran: its log says why.
fn track(child: &mut Child, folder: &Path) -> Result<TrackedProcess> {
    let Some(process) = TrackedProcess::of(child.id()) else {
        child.wait()?;
        bail!("it ended at once; its log says: {}", tail(folder));
    };
    process.write(&pid_file(folder))?;
    Ok(process)
}

fn ready(
    service: &dyn TestService,
    checkout: &Checkout,
    folder: &Path,
    process: &TrackedProcess,
) -> Result<ServiceVariables> {
    let name = service.name();
    let answer = process::wait_until(STARTUP, || {
        let log = std::fs::read_to_string(log_file(folder)).unwrap_or_default();
        match service.ready(checkout, &log)? {
            None if !process.runs() => bail!("{name} ended while starting; its log says: {}", tail(folder)),
            answer => Ok(answer),
        }
    })?;
    answer.with_context(|| format!("{name} did not answer within {STARTUP:?}; its log says: {}", tail(folder)))
}

fn tail(folder: &Path) -> String {
    let log = std::fs::read_to_string(log_file(folder)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(10)..].join(" | ")
}

fn pid_file(folder: &Path) -> PathBuf {
    folder.join("pid")
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The values are URLs and paths that we made; none of them holds a single quote.
fn print(variables: &ServiceVariables) {
    for (name, value) in variables {
        println!("export {name}='{value}'");
    }
}
