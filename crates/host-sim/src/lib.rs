//! A strict stand-in for the Azure Functions host, for programs that run under it as custom handlers.
//!
//! Written from what the host's source does. It starts a packaged app as the host would, and owns every surprise of
//! the host: envelopes that encode twice, answers that hang, processes that are killed. It uses none of our crates.

mod decode;
mod encode;
mod http;
mod invoke;
mod package;
mod queue;
mod schedule;
mod timer;
mod worker;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use url::Url;
use uuid::Uuid;

pub use worker::State;

const VERSION: &str = "4.1052.200.0";
const LEASE: Duration = Duration::from_secs(600);
const HTTP_LIMIT: Duration = Duration::from_secs(230);

/// What the stand-in does that the host does only sometimes.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// `DequeueCount` as a number in place of a string.
    pub numeric_dequeue_count: bool,
    pub null_schedule_status: bool,
    pub no_traceparent: bool,
    pub unknown_metadata: bool,
    /// Every message is delivered twice at the same time.
    pub deliver_twice: bool,
    /// An answer on which the host would hang is a failure at once.
    pub fail_fast: bool,
    /// A process that ends with 0 is started again, as newer hosts do.
    pub zero_restarts: bool,
}

#[derive(Debug, Clone)]
pub struct Options {
    /// The unpacked package.
    pub folder: PathBuf,
    pub listen: SocketAddr,
    /// App settings.
    pub environment: Vec<(String, String)>,
    /// With a SAS. Without it there are no queues.
    pub queue_service: Option<Url>,
    /// For functions that are not anonymous.
    pub key: String,
    /// How long a message is invisible while it is worked on: ten minutes, or less in a test.
    pub lease: Duration,
    /// In place of that of host.json.
    pub function_timeout: Option<Duration>,
    /// After this time the front end gives an HTTP caller up, whatever the function goes on to do.
    pub http_limit: Duration,
    /// Where the times of timers are remembered from one host to the next.
    pub state: Option<PathBuf>,
    pub faults: Faults,
}

impl Options {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            environment: Vec::new(),
            queue_service: None,
            key: Uuid::new_v4().to_string(),
            lease: LEASE,
            function_timeout: None,
            http_limit: HTTP_LIMIT,
            state: None,
            faults: Faults::default(),
        }
    }
}

/// An invocation that has ended.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub id: Uuid,
    pub function: String,
    pub request: Value,
    /// Why it failed.
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct Host {
    app: package::App,
    options: Options,
    worker: worker::Worker,
    client: reqwest::Client,
    proxy: reqwest::Client,
    invocations: watch::Sender<Vec<Invocation>>,
    in_flight: watch::Sender<usize>,
    said: watch::Sender<Vec<String>>,
    /// Invocations that outlive whoever asked for them.
    requests: TaskTracker,
}

/// A running host. Dropped, it kills the program without notice, as the host does.
#[derive(Debug)]
pub struct Running {
    host: Arc<Host>,
    pub url: Url,
    _tasks: JoinSet<()>,
}

impl Running {
    pub async fn start(options: Options) -> Result<Self> {
        let mut app = package::App::read(&options.folder, &options.environment)?;
        app.functions.retain(|function| {
            let disabled = format!("AzureWebJobs.{}.Disabled", function.name);
            !options.environment.iter().any(|(name, value)| *name == disabled && value == "true")
        });
        ensure!(!options.lease.is_zero(), "a lease lasts at least a second");
        let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let limit = options.function_timeout.unwrap_or(app.function_timeout) + Duration::from_secs(60);
        let listener = TcpListener::bind(options.listen).await?;
        let url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let host = Arc::new(Host {
            worker: worker::Worker::new(port),
            client: reqwest::Client::builder()
                .user_agent(format!("Azure-Functions-Host/{VERSION}"))
                .timeout(limit)
                .build()?,
            proxy: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?,
            invocations: watch::Sender::new(Vec::new()),
            in_flight: watch::Sender::new(0),
            said: watch::Sender::new(Vec::new()),
            requests: TaskTracker::new(),
            app,
            options,
        });
        let mut tasks = JoinSet::new();
        let supervised = Arc::clone(&host);
        tasks.spawn(async move {
            let (app, options) = (&supervised.app, &supervised.options);
            supervised.worker.supervise(app, &options.environment, options.faults.zero_restarts).await;
        });
        let router = axum::Router::new().fallback(http::serve).with_state(Arc::clone(&host));
        tasks.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        for function in host.app.functions.iter().filter(|function| function.kind() == "queueTrigger") {
            let (host, function) = (Arc::clone(&host), function.clone());
            tasks.spawn(async move {
                if let Err(error) = Arc::clone(&host).listen(function).await {
                    host.say(format!("{error:#}"));
                }
            });
        }
        for function in host.app.functions.iter().filter(|function| function.kind() == "timerTrigger") {
            let (host, function) = (Arc::clone(&host), function.clone());
            let timer = timer::Timer::new(&host, function)?;
            tasks.spawn(timer.run(host));
        }
        Ok(Self { host, url, _tasks: tasks })
    }

    /// How many invocations by envelope run at this moment.
    pub fn in_flight(&self) -> watch::Receiver<usize> {
        self.host.in_flight.subscribe()
    }

    /// Invocations so far, and those to come.
    pub fn invocations(&self) -> watch::Receiver<Vec<Invocation>> {
        self.host.invocations.subscribe()
    }

    pub fn state(&self) -> watch::Receiver<State> {
        self.host.worker.state.subscribe()
    }

    /// What the program printed: `out` or `err`, and the line.
    pub fn lines(&self) -> watch::Receiver<Vec<(&'static str, String)>> {
        self.host.worker.lines.subscribe()
    }

    /// What the host itself would log.
    pub fn said(&self) -> watch::Receiver<Vec<String>> {
        self.host.said.subscribe()
    }

    /// Kills the program without notice; it is started again.
    pub fn kill(&self) {
        self.host.worker.kill();
    }

    /// Runs a timer function as its schedule would.
    pub async fn run_timer(&self, name: &str, status: Option<Value>, past_due: bool) -> Result<Value> {
        let function = self.host.app.functions.iter().find(|function| function.name == name);
        let function = function.ok_or_else(|| anyhow::anyhow!("there is no function {name}"))?;
        let envelope = encode::timer(function, status, past_due, &self.host.options.faults);
        self.host.invoke_with_outputs(function, envelope).await
    }
}

impl Host {
    fn function_timeout(&self) -> Duration {
        self.options.function_timeout.unwrap_or(self.app.function_timeout)
    }

    fn say(&self, line: String) {
        self.said.send_modify(|all| all.push(line));
    }
}
