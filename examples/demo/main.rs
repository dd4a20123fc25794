//! The whole system on one machine, in one process: a simulated Microsoft Graph, the function app in standalone mode,
//! the embedded store, and the agent with a folder as its target.
//!
//! `cargo demo` changes a photo every few seconds and shows each change's way. `cargo demo -- --once` makes a number of
//! changes, waits until everything is written, and proves that nothing was lost by comparing the files with what the
//! simulator itself shows.

mod stages;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use graph_sim::Sim;
use photorelay::app::App;
use photorelay::config::{AppConfig, GraphSettings, NotificationDelivery};
use photorelay::jobs::notify::checks;
use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::writeback::{Reconciler, WritebackSettings};
use photorelay_core::audit;
use photorelay_core::contract::{CauseKind, FetchPolicy};
use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::{CHECKS_QUEUE, WRITEBACKS_QUEUE};
use photorelay_core::photo::{self, RenditionSpec};
use photorelay_core::process::install_crypto_provider;
use photorelay_core::settings::StorageSettings;
use photorelay_core::storage::Storage;
use photorelay_core::trace::TraceContext;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use url::Url;

use stages::{MadeChange, StageReached, StageRecorder, StageTable, latencies, percentile};

#[derive(Parser)]
struct Cli {
    /// Make a number of changes, wait until everything is written, and end.
    #[arg(long)]
    once: bool,
    /// Simulated people.
    #[arg(long, default_value_t = 12)]
    users: usize,
    /// Photo changes, with --once.
    #[arg(long, default_value_t = 40)]
    changes: usize,
    /// Where everything is kept; a new folder below target/demo by default.
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// What --once prints as its last line.
#[derive(Serialize)]
struct Summary {
    users: usize,
    changes: usize,
    /// Changes that were written, or covered by a later one of the same person that was.
    written: usize,
    /// People whose file is not what the simulator shows in the end.
    lost: usize,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// Between two changes, with --once: a burst, but not all at the same moment.
const BURST_PAUSE: Duration = Duration::from_millis(5);
/// Between two changes, without --once.
const CALM_PAUSE: Duration = Duration::from_secs(2);
/// With --once, everything has to be written by then after the last change.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<bool> {
    install_crypto_provider();
    let dir = match cli.dir {
        Some(dir) => dir,
        None => Path::new("target/demo").join(jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string()),
    };
    let (recorder, hops) = StageRecorder::channel();
    tracing_subscriber::registry().with(recorder).init();

    let world = World::start(&dir, cli.users).await?;
    let all_is_well = if cli.once { world.once(cli.changes, hops).await? } else { world.watch(hops).await? };
    world.stop().await?;
    eprintln!("photos:        {}", dir.join("photos").display());
    eprintln!("audit trail:   {}", dir.join("audit").display());
    eprintln!("written files: {}", dir.join("written").display());
    Ok(all_is_well)
}

/// Everything that runs.
struct World {
    sim: Sim,
    storage: Storage,
    written: PathBuf,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    async fn start(dir: &Path, users: usize) -> Result<Self> {
        let sim = Sim::start(graph_sim::SimConfig { users, ..graph_sim::SimConfig::default() }).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let public_url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let app = App::build(&configuration(&sim, dir, public_url)?).await?;
        let storage = app.storage.clone();

        let written = dir.join("written");
        let folder = FolderConnector::open(&written, "thumbnailPhoto", u64::from(u32::MAX))?;
        let settings = WritebackSettings {
            tenant: TenantId::from_uuid(sim.tenant_id()),
            target: "ad".to_owned(),
            agent: "demo".to_owned(),
            dry_run: false,
            certificate_expires_at: None,
        };
        let reconciler = Reconciler::new(&storage, Arc::new(folder), settings);
        let agent = Agent::new(storage.clone(), reconciler, WRITEBACKS_QUEUE.to_owned());

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(agent.run(stop.clone()));
        let running = app.run(listener, stop.clone());
        tasks.spawn(async move {
            if let Err(error) = running.await {
                eprintln!("demo: {error:#}");
            }
        });
        let world = Self { sim, storage, written, stop, tasks };
        world.until("the subscription is made", || !world.sim.subscriptions().is_empty()).await?;
        Ok(world)
    }

    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.sim.shutdown().await;
        Ok(())
    }

    /// Checks every user once, as an operator would order it; nothing announces photos that are already there.
    async fn first_look(&self) -> Result<()> {
        let users: Vec<UserId> = self.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
        let messages = checks(&users, CauseKind::Operator, FetchPolicy::IfChanged, &TraceContext::start());
        self.storage.queues.send(CHECKS_QUEUE, messages).await?;
        self.drained().await
    }

    /// Changes photos until it is interrupted, and shows the way of each.
    async fn watch(&self, mut hops: mpsc::UnboundedReceiver<StageReached>) -> Result<bool> {
        println!("{} people; Microsoft Graph is simulated at {}", self.sim.tenant().user_ids().len(), self.sim.url());
        println!("One photo changes every {} seconds. Ctrl-C ends the demo.\n", CALM_PAUSE.as_secs());
        println!("{}", StageTable::HEAD);
        self.first_look().await?;
        while hops.try_recv().is_ok() {}
        let mut ticks = tokio::time::interval(CALM_PAUSE);
        let mut table = StageTable::default();
        let mut random = fastrand::Rng::with_seed(1);
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    println!();
                    return Ok(true);
                }
                _ = ticks.tick() => table.changed(self.change_any_photo(&mut random)?),
                Some(hop) = hops.recv() => {
                    if let Some(row) = table.record(&hop) {
                        println!("{row}");
                    }
                }
            }
        }
    }

    /// Makes the changes, waits until all is written, and compares.
    async fn once(&self, changes: usize, mut hops: mpsc::UnboundedReceiver<StageReached>) -> Result<bool> {
        self.first_look().await?;
        while hops.try_recv().is_ok() {}
        let mut random = fastrand::Rng::with_seed(1);
        let mut made = Vec::with_capacity(changes);
        for _ in 0..changes {
            let user = self.change_any_photo(&mut random)?;
            made.push(MadeChange { user, photo: self.shown(user), at: Instant::now() });
            tokio::time::sleep(BURST_PAUSE).await;
        }
        self.sim.idle().await;
        self.drained().await?;

        let seen: Vec<StageReached> = std::iter::from_fn(|| hops.try_recv().ok()).collect();
        let latencies = latencies(&made, &seen);
        let lost = self.lost()?;
        let report = audit::verify_all(&*self.storage.blobs).await?;
        for finding in &report.findings {
            eprintln!("{finding}");
        }
        let summary = Summary {
            users: self.sim.tenant().user_ids().len(),
            changes,
            written: latencies.len(),
            lost,
            p50_ms: percentile(&latencies, 50),
            p99_ms: percentile(&latencies, 99),
        };
        println!("{}", serde_json::to_string(&summary)?);
        Ok(lost == 0 && report.is_clean())
    }

    fn change_any_photo(&self, random: &mut fastrand::Rng) -> Result<UserId> {
        let tenant = self.sim.tenant();
        let user = *random.choice(&tenant.user_ids()).context("the demo needs at least one person")?;
        tenant.change_photo(user)?;
        Ok(UserId::from_uuid(user))
    }

    /// SHA-256 of what the simulator shows for this person.
    fn shown(&self, user: UserId) -> Option<String> {
        let shown = self.sim.tenant().shown(user.to_string().parse().ok()?)?;
        shown.sha256()
    }

    /// People whose file is not the thumbnail of what the simulator shows.
    fn lost(&self) -> Result<usize> {
        let thumbnail = RenditionSpec::thumbnail_photo();
        let tenant = self.sim.tenant();
        let mut lost = 0;
        for user in tenant.users() {
            let Some(current) = tenant.photo(user.id) else { continue };
            let expected = photo::decode(&current, &photo::PhotoLimits::default())?.render(&thumbnail)?;
            let account = user.on_premises_sam_account_name.as_deref().unwrap_or_default().to_lowercase();
            let file = std::fs::read(self.written.join(format!("{account}.jpg"))).unwrap_or_default();
            lost += usize::from(file != expected.bytes);
        }
        Ok(lost)
    }

    /// Until both queues are empty.
    async fn drained(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let checks = self.storage.queues.count(CHECKS_QUEUE).await?;
            let writebacks = self.storage.queues.count(WRITEBACKS_QUEUE).await?;
            if checks + writebacks == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{checks} checks and {writebacks} write-backs are still waiting");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !holds() {
            ensure!(Instant::now() < deadline, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn configuration(sim: &Sim, dir: &Path, public_url: Url) -> Result<AppConfig> {
    let credential = CredentialConfig::ClientSecret {
        tenant_id: sim.tenant_id().to_string(),
        client_id: sim.client_id().to_string(),
        secret: sim.client_secret().into(),
    };
    let graph = GraphSettings {
        tenant_id: TenantId::from_uuid(sim.tenant_id()),
        credential,
        url: Url::parse(&sim.graph_url())?,
        authority_url: Url::parse(&sim.authority_url())?,
        identity_extra: Default::default(),
    };
    let mut config = AppConfig::with_defaults(
        graph,
        StorageSettings::Embedded { path: dir.to_owned() },
        format!("{:032x}", fastrand::u128(..)).into(),
    );
    config.notifications.delivery = Some(NotificationDelivery::Webhook(public_url));
    // A few people who change their photos all the time are the point of a demo.
    config.capture.captures_per_day = u32::MAX;
    Ok(config)
}
