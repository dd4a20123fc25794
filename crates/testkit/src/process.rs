//! The real programs as child processes, which a test kills without notice and starts again.
//!
//! They end with the test. What they print is kept and shown when something does not happen in time.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

pub use crate::variables::{OPERATOR, PATIENCE, Variables, app, azure, embedded, service_variable, until};
use crate::world::World;
use graph_sim::{Fault, FaultRule, RequestPattern, RetryAfter, Sim};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A running program.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    printed: watch::Receiver<Vec<String>>,
    _readers: JoinSet<()>,
}

impl Program {
    /// `photorelay run` on a port that the system chooses.
    pub fn photorelay(sim: &Sim, storage: &Variables, more: &Variables) -> Self {
        Self::photorelay_command("run", sim, storage, more)
    }

    /// `photorelay serve` on this port, as the Functions host starts it.
    pub fn serve(sim: &Sim, storage: &Variables, port: u16) -> Self {
        Self::photorelay_command("serve", sim, storage, &vec![("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())])
    }

    /// `photorelay sweep`, which ends by itself.
    pub fn sweep(sim: &Sim, storage: &Variables) -> Self {
        Self::photorelay_command("sweep", sim, storage, &Variables::new())
    }

    fn photorelay_command(command: &'static str, sim: &Sim, storage: &Variables, more: &Variables) -> Self {
        let mut variables = app(sim);
        variables.extend_from_slice(storage);
        variables.extend_from_slice(more);
        Self::start("photorelay", &program("photorelay"), command, variables)
    }

    /// `photorelay-agent run` with the folder of the world as its target.
    pub fn agent(world: &World, storage: &Variables) -> Self {
        let folder = vec![("PHOTORELAY_FOLDER_PATH", world.dir().join("written").display().to_string())];
        Self::agent_of(world, storage, &folder)
    }

    /// `photorelay-agent run` with the target that these settings name.
    pub fn agent_of(world: &World, storage: &Variables, target: &Variables) -> Self {
        let mut variables = vec![
            ("PHOTORELAY_TENANT_ID", world.sim.tenant_id().to_string()),
            ("PHOTORELAY_AGENT_NAME", "agent-of-the-tests".to_owned()),
            ("PHOTORELAY_LEASE_SECONDS", "1".to_owned()),
        ];
        variables.extend_from_slice(storage);
        variables.extend_from_slice(target);
        Self::start("photorelay-agent", &program("photorelay-agent"), "run", variables)
    }

    /// `photorelay run` with these settings and no others.
    pub fn photorelay_with(variables: Vec<(String, String)>) -> Self {
        Self::start("photorelay", &program("photorelay"), "run", variables)
    }

    /// `photorelay-agent run` with these settings and no others.
    pub fn agent_with(variables: Vec<(String, String)>) -> Self {
        Self::start("photorelay-agent", &program("photorelay-agent"), "run", variables)
    }

    /// `photorelay console` with these settings and no others.
    pub fn console_with(variables: Variables) -> Self {
        Self::start("photorelay", &program("photorelay"), "console", variables)
    }

    fn start<N: AsRef<OsStr>>(name: &'static str, program: &Path, argument: &str, variables: Vec<(N, String)>) -> Self {
        let mut command = Command::new(program);
        command.arg(argument).env_clear().envs(variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let (lines, printed) = watch::channel(Vec::new());
        let mut readers = JoinSet::new();
        readers.spawn(keep(child.stdout.take().unwrap(), lines.clone()));
        readers.spawn(keep(child.stderr.take().unwrap(), lines));
        Self { name, child, printed, _readers: readers }
    }

    /// Where it answers HTTP, as soon as it does.
    pub async fn address(&self) -> SocketAddr {
        let mut printed = self.printed.clone();
        let started = printed.wait_for(|lines| lines.iter().any(|line| listening(line).is_some()));
        match tokio::time::timeout(PATIENCE, started).await {
            Ok(Ok(lines)) => lines.iter().find_map(|line| listening(line)).unwrap(),
            _ => panic!("{} does not answer HTTP; it printed:\n{}", self.name, self.log()),
        }
    }

    /// The first line that begins so, as soon as it is there.
    pub async fn prints(&self, beginning: &str) -> String {
        let mut printed = self.printed.clone();
        let said = printed.wait_for(|lines| lines.iter().any(|line| line.starts_with(beginning)));
        match tokio::time::timeout(PATIENCE, said).await {
            Ok(Ok(lines)) => lines.iter().find(|line| line.starts_with(beginning)).unwrap().clone(),
            _ => panic!("{} does not print {beginning:?}; it printed:\n{}", self.name, self.log()),
        }
    }

    /// SIGKILL: it gets no chance to tidy up.
    pub async fn kill(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "{} had ended by itself ({ended:?}); it printed:\n{}", self.name, self.log());
        self.child.kill().await.unwrap();
    }

    /// SIGKILL, unless it has ended already; whether it was running.
    pub async fn kill_if_running(&mut self) -> bool {
        let is_running = self.child.try_wait().unwrap().is_none();
        if is_running {
            self.child.kill().await.unwrap();
        }
        is_running
    }

    /// Resident memory in bytes, while it runs.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel counts it");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number of KiB") * 1024
    }

    /// Waits until it has ended by itself; whether it ended well.
    pub async fn ends(&mut self) -> bool {
        self.child.wait().await.is_ok_and(|status| status.success())
    }

    /// Waits until it has ended by itself; with which exit code.
    pub async fn ends_with(&mut self) -> Option<i32> {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.unwrap().code(),
            Err(_) => panic!("{} does not end; it printed:\n{}", self.name, self.log()),
        }
    }

    /// Waits until it has ended by itself and well.
    pub async fn ends_well(&mut self) {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) if status.as_ref().unwrap().success() => {}
            ended => panic!("{} does not end well ({ended:?}); it printed:\n{}", self.name, self.log()),
        }
    }

    /// Waits for something that this program makes happen.
    pub async fn brings(&self, what: &str, happened: impl Future<Output = ()>) {
        if tokio::time::timeout(PATIENCE, happened).await.is_err() {
            panic!("{what} does not happen; {} printed:\n{}", self.name, self.log());
        }
    }

    pub fn log(&self) -> String {
        self.printed.borrow().join("\n")
    }
}

/// The sweep's timer may fire during any test that runs a program. The sweep then fails before it sends a check: only the
/// test itself decides what happens to its users.
pub fn keep_sweeps_out(sim: &Sim) {
    let fault = Fault::Status { status: 500, code: "generalException".to_owned(), retry_after: RetryAfter::Absent };
    sim.add_fault(FaultRule::new(RequestPattern::new("GET", "/v1.0/users/delta"), fault));
}

/// What `photorelay-agent` answers an operator, on the embedded store of the world.
pub async fn agent_command(world: &World, target: &Variables, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("photorelay-agent"));
    command.args(arguments).env_clear().env("PHOTORELAY_TENANT_ID", world.sim.tenant_id().to_string());
    command.env("USER", OPERATOR).envs(embedded(world.dir())).envs(target.iter().map(|(name, value)| (name, value)));
    command.output().await.unwrap()
}

/// A program that cargo has built: tests are in `deps` below it, other programs beside it. Only the tests of its own
/// package have it built.
pub fn program(name: &str) -> PathBuf {
    let running = std::env::current_exe().unwrap();
    let folder = running.parent().expect("a program is in a folder");
    let folder = if folder.ends_with("deps") { folder.parent().expect("`deps` is in a folder") } else { folder };
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: run `cargo xtask test` or `cargo build -p {name}`", program.display());
    program
}

/// What a program printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn listening(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("photorelay runs standalone")?;
    rest.split_once("listen=")?.1.split_whitespace().next()?.parse().ok()
}

async fn keep(from: impl AsyncRead + Unpin, lines: watch::Sender<Vec<String>>) {
    let mut read = BufReader::new(from).lines();
    while let Ok(Some(line)) = read.next_line().await {
        lines.send_modify(|lines| lines.push(line));
    }
}
