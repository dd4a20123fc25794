//! Other programs: run them to their end, or find and stop one by its id.
//!
//! A process id alone is not proof: ids are used again. So a process is named by its id and the moment it started, and
//! nothing is ever stopped by its name.

use std::fmt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

const GRACE: Duration = Duration::from_secs(5);

/// Runs a command that reads nothing; its output goes where ours goes. An `Err` names the command that failed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    ensure!(status.success(), "`{}` ended with {status}", Shown(command));
    Ok(())
}

/// The same for a command that prepares something: its output goes to standard error, because our standard output may be
/// read with `eval`.
pub(crate) fn prepare(command: &mut Command) -> Result<()> {
    run(command.stdout(std::io::stderr()))
}

pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.stdin(Stdio::null()).status().with_context(|| format!("`{}` could not be started", Shown(command)))
}

/// What a command wrote to its standard output; its errors go where ours go.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{}` could not be started", Shown(command)))?;
    ensure!(output.status.success(), "`{}` ended with {}", Shown(command), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("`{}` did not answer in UTF-8", Shown(command)))
}

/// Whether a command exists and succeeds; nothing is printed.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// One running process, as it is kept in a pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackedProcess {
    pub(crate) pid: u32,
    started: String,
}

impl TrackedProcess {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        started(pid).map(|started| Self { pid, started })
    }

    /// The process that a pid file names, if exactly that one still runs.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        let process = Self { pid: pid.parse().ok()?, started: started.to_owned() };
        process.runs().then_some(process)
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        std::fs::write(file, format!("{} {}\n", self.pid, self.started))
            .with_context(|| format!("{} could not be written", file.display()))
    }

    pub(crate) fn runs(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.started)
    }

    /// Asks the process to end, waits, and kills it if it does not.
    pub(crate) fn stop(&self) -> Result<()> {
        for signal in ["TERM", "KILL"] {
            if self.runs() {
                // The shell's own kill exists where no kill program is installed.
                works(Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal]).arg(self.pid.to_string()));
            }
            if wait_until(GRACE, || Ok((!self.runs()).then_some(())))?.is_some() {
                return Ok(());
            }
        }
        bail!("process {} could not be stopped", self.pid)
    }
}

/// Polls until there is an answer; `None` when the time is over.
pub(crate) fn wait_until<T>(limit: Duration, mut poll: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = poll()? {
            return Ok(Some(answer));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        #[expect(clippy::disallowed_methods, reason = "no runtime here whose thread this could block")]
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// When a process started, in the system's own words; `None` when there is no such process or it has already ended.
fn started(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, so fields are counted after its end: state is the first of
        // them, the start time the twentieth (proc_pid_stat(5)).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ended = matches!(*fields.first()?, "Z" | "X");
        return (!ended).then(|| fields.get(19).map(|&field| field.to_owned())).flatten();
    }
    let mut ps = Command::new("ps");
    ps.args(["-o", "lstart=", "-p"]).arg(pid.to_string()).stdin(Stdio::null()).stderr(Stdio::null());
    let line = String::from_utf8(ps.output().ok()?.stdout).ok()?;
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// A command as a user would type it.
struct Shown<'a>(&'a Command);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.get_program().to_string_lossy())?;
        self.0.get_args().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}
