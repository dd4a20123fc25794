//! The real servers that the tests talk to, each on loopback, with a folder of its own, stopped by process id.
//!
//! A new service is one more file here and one more line in `all`. A service that cannot be installed or started
//! fails the run; it is never skipped.

mod azurite;
mod samba;
mod sas;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::place::{self, Place};
use crate::process::{self, Known};

/// The run that `cargo xtask services` looks after; a test run has one of its own.
const BY_HAND: &str = "by-hand";
const TEST_RUN: &str = "test-";
const STARTUP: Duration = Duration::from_secs(60);

/// What a test reads to find a service.
pub(crate) type Variables = Vec<(String, String)>;

trait Service {
    fn name(&self) -> &'static str;

    /// Installs this version if it is not there yet.
    fn install(&self, place: &Place) -> Result<()>;

    /// The command that keeps the service in the foreground. With `tied`, it must end when its standard input ends.
    fn command(&self, place: &Place, folder: &Path, tied: bool) -> Result<Command>;

    /// `None` as long as the service does not answer requests. `log` is what it has printed up to now.
    fn ready(&self, place: &Place, log: &str) -> Result<Option<Variables>>;
}

fn all() -> [Box<dyn Service>; 2] {
    [Box::new(azurite::Azurite), Box::new(samba::Samba)]
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Action {
    /// Install and start them; prints the variables that tests read, fit for `eval "$(...)"`
    Start,
    /// Stop them
    Stop,
    /// Show which are running
    Status,
}

pub(crate) fn run(place: &Place, action: Action) -> Result<()> {
    for service in all() {
        let name = service.name();
        let folder = place.service(BY_HAND, name);
        let known = Known::read(&pid_file(&folder));
        match (action, known) {
            (Action::Start, Some(known)) => {
                eprintln!("{name}: already running, process {}", known.pid);
                print(&ready(service.as_ref(), place, &folder, &known)?);
            }
            (Action::Start, None) => {
                service.install(place)?;
                let mut child = start(service.as_ref(), place, &folder, false)?;
                let known = note(&mut child, &folder)?;
                let variables = ready(service.as_ref(), place, &folder, &known).inspect_err(|_| {
                    // The error itself is what the caller must see, whether or not this works.
                    let _ = known.stop();
                })?;
                eprintln!("{name}: started, process {}, log in {}", known.pid, log_file(&folder).display());
                print(&variables);
            }
            (Action::Stop, Some(known)) => {
                known.stop()?;
                place::remove(&folder)?;
                println!("{name}: stopped");
            }
            (Action::Status, Some(known)) => println!("{name}: running, process {}", known.pid),
            (Action::Stop | Action::Status, None) => println!("{name}: not running"),
        }
    }
    Ok(())
}

pub(crate) fn install(place: &Place) -> Result<()> {
    all().iter().try_for_each(|service| service.install(place))
}

/// The services of one test run. They end with this value, and with this process however it ends.
#[derive(Debug)]
pub(crate) struct Running {
    children: Vec<Child>,
    pub(crate) variables: Variables,
    folder: PathBuf,
}

impl Running {
    pub(crate) fn start(place: &Place) -> Result<Self> {
        forget_ended_runs(place)?;
        let run = format!("{TEST_RUN}{}", std::process::id());
        let mut running = Self { children: Vec::new(), variables: Vec::new(), folder: place.services(&run) };
        let mut started = Vec::new();
        for service in all() {
            let folder = place.service(&run, service.name());
            let child = start(service.as_ref(), place, &folder, true)?;
            running.children.push(child);
            let child = running.children.last_mut().context("a child was just pushed")?;
            started.push((note(child, &folder)?, folder, service));
        }
        for (known, folder, service) in started {
            running.variables.extend(ready(service.as_ref(), place, &folder, &known)?);
        }
        Ok(running)
    }

    /// Stops them and forgets their logs, which nobody needs after a success.
    pub(crate) fn discard(mut self) -> Result<()> {
        self.stop()?;
        place::remove(&self.folder)
    }

    fn stop(&mut self) -> Result<()> {
        for mut child in self.children.drain(..) {
            if let Some(known) = Known::of(child.id()) {
                known.stop()?;
            }
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
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
fn forget_ended_runs(place: &Place) -> Result<()> {
    let Ok(runs) = std::fs::read_dir(place.services("")) else { return Ok(()) };
    for run in runs {
        let run = run?;
        let name = run.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(TEST_RUN)?.parse().ok());
        if pid.is_some_and(|pid| Known::of(pid).is_none()) {
            place::remove(&run.path())?;
        }
    }
    Ok(())
}

fn start(service: &dyn Service, place: &Place, folder: &Path, tied: bool) -> Result<Child> {
    place::remove(folder)?;
    std::fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    let log = File::create(log_file(folder))?;
    let mut command = service.command(place, folder, tied)?;
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
fn note(child: &mut Child, folder: &Path) -> Result<Known> {
    let Some(known) = Known::of(child.id()) else {
        child.wait()?;
        bail!("it ended at once; its log says: {}", tail(folder));
    };
    known.write(&pid_file(folder))?;
    Ok(known)
}

fn ready(service: &dyn Service, place: &Place, folder: &Path, known: &Known) -> Result<Variables> {
    let name = service.name();
    let answer = process::wait_until(STARTUP, || {
        let log = std::fs::read_to_string(log_file(folder)).unwrap_or_default();
        match service.ready(place, &log)? {
            None if !known.runs() => bail!("{name} ended while starting; its log says: {}", tail(folder)),
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
fn print(variables: &Variables) {
    for (name, value) in variables {
        println!("export {name}='{value}'");
    }
}
