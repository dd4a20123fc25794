//! A host from its start to its end, and what tests see of it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::encode;
use crate::host::{Host, InvocationRecord};
use crate::options::HostOptions;
use crate::package::PackagedApp;
use crate::triggers::http;
use crate::triggers::timer::TimerListener;
use crate::worker::WorkerState;

/// A running host. Dropping it kills the program without notice, as the host does.
#[derive(Debug)]
pub struct RunningHost {
    host: Arc<Host>,
    pub url: Url,
    _tasks: JoinSet<()>,
}

impl RunningHost {
    pub async fn start(options: HostOptions) -> Result<Self> {
        let mut app = PackagedApp::read(&options.folder, &options.environment)?;
        app.functions.retain(|function| {
            let disabled = format!("AzureWebJobs.{}.Disabled", function.name);
            !options.environment.iter().any(|(name, value)| *name == disabled && value == "true")
        });
        ensure!(!options.lease.is_zero(), "a lease lasts at least a second");
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let listener = TcpListener::bind(options.listen).await?;
        Self::serve(app, options, listener, port)
    }

    /// Not async, so that the server is compiled here once, and not again in each program that starts a host.
    fn serve(app: PackagedApp, options: HostOptions, listener: TcpListener, port: u16) -> Result<Self> {
        let url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let host = Arc::new(Host::new(app, options, port)?);
        let mut tasks = JoinSet::new();
        let supervised = Arc::clone(&host);
        tasks.spawn(async move {
            let (app, options) = (&supervised.app, &supervised.options);
            supervised.worker.supervise(app, &options.environment, options.faults.zero_ends).await;
        });
        let router = axum::Router::new().fallback(http::serve).with_state(Arc::clone(&host));
        tasks.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        listen(&host, &mut tasks)?;
        Ok(Self { host, url, _tasks: tasks })
    }

    /// How many invocations by envelope run at this moment.
    pub fn in_flight(&self) -> watch::Receiver<usize> {
        self.host.in_flight.subscribe()
    }

    /// Invocations so far, and those to come.
    pub fn invocations(&self) -> watch::Receiver<Vec<InvocationRecord>> {
        self.host.invocations.subscribe()
    }

    pub fn state(&self) -> watch::Receiver<WorkerState> {
        self.host.worker.state.subscribe()
    }

    /// What the program printed: `out` or `err`, and the line.
    pub fn lines(&self) -> watch::Receiver<Vec<(&'static str, String)>> {
        self.host.worker.lines.subscribe()
    }

    /// What the host itself would log.
    pub fn log(&self) -> watch::Receiver<Vec<String>> {
        self.host.log.subscribe()
    }

    /// Kills the program without notice; it is started again.
    pub fn kill(&self) {
        self.host.worker.kill();
    }

    /// Ends as the host does that is to stop: it receives no more messages, waits for those in flight, but not for long,
    /// and kills the program.
    pub async fn stop(self) {
        self.host.stopping.cancel();
        self.host.messages.close();
        if tokio::time::timeout(self.host.options.stop_limit, self.host.messages.wait()).await.is_err() {
            self.host.log("messages in flight are given up".to_owned());
        }
        self.host.worker.shut_down("the host was stopped".to_owned());
    }

    /// Runs a timer function as its schedule would.
    pub async fn run_timer(&self, name: &str, status: Option<Value>, past_due: bool) -> Result<Value> {
        let function = self.host.app.functions.iter().find(|function| function.name == name);
        let function = function.ok_or_else(|| anyhow::anyhow!("there is no function {name}"))?;
        let envelope = encode::timer(function, status, past_due, &self.host.options.faults);
        self.host.invoke_with_outputs(function, envelope).await
    }
}

/// Starts a listener for each queue and each timer.
fn listen(host: &Arc<Host>, tasks: &mut JoinSet<()>) -> Result<()> {
    for function in &host.app.functions {
        let (host, function) = (Arc::clone(host), function.clone());
        match function.kind() {
            "queueTrigger" => {
                tasks.spawn(async move {
                    if let Err(error) = Arc::clone(&host).listen(function).await {
                        host.worker.shut_down(format!("{error:#}"));
                    }
                });
            }
            "timerTrigger" => {
                let timer = TimerListener::new(&host, function)?;
                tasks.spawn(timer.run(host));
            }
            _ => {}
        }
    }
    Ok(())
}
