//! What all parts of a running host share: the app, its process, the clients that call it, and the records that tests
//! read.

use std::time::Duration;

use anyhow::{Result, bail};
use reqwest::redirect;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::options::HostOptions;
use crate::package::PackagedApp;
use crate::worker::{WorkerProcess, WorkerState};

pub(crate) const HOST_VERSION: &str = "4.1052.200.0";

/// The host waits for a program that has not started four times as long as the start may take.
const START_LIMITS: u32 = 4;
/// The client must not give up before the function times out.
const CLIENT_GRACE: Duration = Duration::from_secs(60);

/// An invocation that has ended.
#[derive(Debug, Clone)]
pub struct InvocationRecord {
    pub id: Uuid,
    pub function: String,
    pub request: Value,
    /// Why it failed.
    pub error: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) app: PackagedApp,
    pub(crate) options: HostOptions,
    pub(crate) worker: WorkerProcess,
    /// Follows redirects, as the host does for invocations by envelope.
    pub(crate) client: reqwest::Client,
    /// Leaves redirects to the caller.
    pub(crate) proxy: reqwest::Client,
    pub(crate) invocations: watch::Sender<Vec<InvocationRecord>>,
    pub(crate) in_flight: watch::Sender<usize>,
    pub(crate) log: watch::Sender<Vec<String>>,
    /// Invocations that outlive their callers.
    pub(crate) requests: TaskTracker,
    /// Messages that are worked on.
    pub(crate) messages: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

impl Host {
    pub(crate) fn new(app: PackagedApp, options: HostOptions, port: u16) -> Result<Self> {
        let limit = options.function_timeout.unwrap_or(app.function_timeout) + CLIENT_GRACE;
        let user_agent = format!("Azure-Functions-Host/{HOST_VERSION}");
        Ok(Self {
            worker: WorkerProcess::new(port),
            client: reqwest::Client::builder().user_agent(user_agent).timeout(limit).build()?,
            proxy: reqwest::Client::builder().redirect(redirect::Policy::none()).build()?,
            invocations: watch::Sender::new(Vec::new()),
            in_flight: watch::Sender::new(0),
            log: watch::Sender::new(Vec::new()),
            requests: TaskTracker::new(),
            messages: TaskTracker::new(),
            stopping: CancellationToken::new(),
            app,
            options,
        })
    }

    pub(crate) fn function_timeout(&self) -> Duration {
        self.options.function_timeout.unwrap_or(self.app.function_timeout)
    }

    pub(crate) fn log(&self, line: String) {
        self.log.send_modify(|all| all.push(line));
    }

    /// Waits until the program has started; an error once the host has given it up.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut state = self.worker.state.subscribe();
        let settled = state.wait_for(|state| *state != WorkerState::Starting);
        match tokio::time::timeout(self.app.initialization_timeout * START_LIMITS, settled).await {
            Ok(Ok(state)) => match &*state {
                WorkerState::ShutDown(reason) => bail!("{reason}"),
                _ => Ok(()),
            },
            _ => bail!("Initializing HttpWorker timed out."),
        }
    }
}
