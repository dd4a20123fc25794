//! The one handler process: started, restarted, given up after too many errors, and killed without notice.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;
use uuid::Uuid;

use crate::package::PackagedApp;

const PING: Duration = Duration::from_millis(25);
const STRIKES: u32 = 3;
const FORGIVEN_AFTER: Duration = Duration::from_secs(30 * 60);
const RESTART_ME: i32 = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerState {
    Starting,
    /// Answers requests; the number counts the starts.
    Ready(u32),
    /// The process ended with 0, and an older host does nothing about it.
    Exited,
    /// The host was stopped, or shut itself down.
    ShutDown(String),
}

#[derive(Debug)]
pub(crate) struct WorkerProcess {
    pub(crate) port: u16,
    pub(crate) state: watch::Sender<WorkerState>,
    /// Lines of stdout (`out`) and stderr (`err`).
    pub(crate) lines: watch::Sender<Vec<(&'static str, String)>>,
    kill: Notify,
}

enum WorkerExit {
    /// The process ended, with this code or by a signal.
    Ended(Option<i32>),
    Killed,
    NeverReady,
}

impl WorkerProcess {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            port,
            state: watch::Sender::new(WorkerState::Starting),
            lines: watch::Sender::new(Vec::new()),
            kill: Notify::new(),
        }
    }

    /// SIGKILL, and a new process: everything in flight is lost.
    pub(crate) fn kill(&self) {
        self.kill.notify_one();
    }

    /// SIGKILL, and no other process.
    pub(crate) fn shut_down(&self, why: String) {
        self.comes_to(WorkerState::ShutDown(why));
        self.kill();
    }

    /// False once the host has shut down.
    fn comes_to(&self, state: WorkerState) -> bool {
        self.state.send_if_modified(|now| {
            let is_running = !matches!(now, WorkerState::ShutDown(_));
            if is_running {
                *now = state;
            }
            is_running
        })
    }

    pub(crate) async fn supervise(&self, app: &PackagedApp, environment: &[(String, String)], zero_ends: bool) {
        let (mut strikes, mut last, mut starts) = (0, Instant::now(), 0);
        while self.comes_to(WorkerState::Starting) {
            starts += 1;
            let ended = match self.run(app, environment, starts).await {
                Ok(ended) => ended,
                Err(error) => {
                    self.comes_to(WorkerState::ShutDown(error.to_string()));
                    return;
                }
            };
            match ended {
                WorkerExit::Ended(Some(0)) if zero_ends => {
                    self.comes_to(WorkerState::Exited);
                    return;
                }
                WorkerExit::Killed | WorkerExit::Ended(Some(0 | RESTART_ME)) => {}
                WorkerExit::Ended(_) | WorkerExit::NeverReady => {
                    strikes = if last.elapsed() > FORGIVEN_AFTER { 1 } else { strikes + 1 };
                    last = Instant::now();
                    if strikes >= STRIKES {
                        let why = "Exceeded http worker restart retry count. Shutting down Functions Host".to_owned();
                        self.comes_to(WorkerState::ShutDown(why));
                        return;
                    }
                }
            }
        }
    }

    async fn run(&self, app: &PackagedApp, environment: &[(String, String)], starts: u32) -> Result<WorkerExit> {
        let id = Uuid::new_v4().to_string();
        let mut command = Command::new(&app.executable);
        command.args(&app.arguments).current_dir(&app.working_directory).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        for name in ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_HTTPWORKER_PORT"] {
            command.env(name, self.port.to_string());
        }
        for name in ["FUNCTIONS_CUSTOMHANDLER_WORKER_ID", "FUNCTIONS_HTTPWORKER_ID"] {
            command.env(name, &id);
        }
        command.env("FUNCTIONS_APP_ROOT_PATH", &app.root).env("FUNCTIONS_WORKER_RUNTIME", "custom");
        let mut child = command.spawn()?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let reading = async { tokio::join!(self.read("out", out), self.read("err", err)) };
        tokio::pin!(reading);
        let living = self.live(&mut child, app.initialization_timeout, starts);
        let ended = tokio::select! {
            ended = living => ended?,
            () = async { (&mut reading).await; std::future::pending().await } => unreachable!(),
        };
        // Dropped by SIGKILL; there is no SIGTERM before it.
        let _ = child.kill().await;
        Ok(ended)
    }

    async fn live(&self, child: &mut Child, limit: Duration, starts: u32) -> Result<WorkerExit> {
        tokio::select! {
            status = child.wait() => return Ok(WorkerExit::Ended(status?.code())),
            () = self.kill.notified() => return Ok(WorkerExit::Killed),
            ready = tokio::time::timeout(limit, self.answers()) => if ready.is_err() { return Ok(WorkerExit::NeverReady) },
        }
        if !self.comes_to(WorkerState::Ready(starts)) {
            return Ok(WorkerExit::Killed);
        }
        tokio::select! {
            status = child.wait() => Ok(WorkerExit::Ended(status?.code())),
            () = self.kill.notified() => Ok(WorkerExit::Killed),
        }
    }

    /// Any answer to `GET /` will do, whatever its status.
    async fn answers(&self) {
        let url = format!("http://127.0.0.1:{}/", self.port);
        while let Err(error) = reqwest::get(&url).await {
            if !error.is_connect() {
                return;
            }
            sleep(PING).await;
        }
    }

    async fn read(&self, name: &'static str, stream: Option<impl AsyncRead + Unpin>) {
        let Some(stream) = stream else { return };
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            self.lines.send_modify(|all| all.push((name, line)));
        }
    }
}
