//! Everything that runs in the demo: the simulator, the function app, the store, and the agent.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use graph_sim::Sim;
use photorelay::app::App;
use photorelay::console::Console;
use photorelay::jobs::notify::checks;
use photorelay_agent::agent::Agent;
use photorelay_core::contract::{CauseKind, FetchPolicy};
use photorelay_core::id::{TenantId, UserId};
use photorelay_core::names::{CHECKS_QUEUE, WRITEBACKS_QUEUE};
use photorelay_core::operator::OperatorName;
use photorelay_core::photo::{self, RenditionSpec};
use photorelay_core::storage::Storage;
use photorelay_core::trace::TraceContext;
use testkit::world::configuration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::target::DemoTarget;

/// Everything has to be written by then after the last change.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) storage: Storage,
    pub(crate) target: DemoTarget,
    app: App,

    dir: PathBuf,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl World {
    pub(crate) async fn start(dir: &Path, users: usize, in_directory: bool) -> Result<Self> {
        let sim = Sim::start(graph_sim::SimConfig { users, ..graph_sim::SimConfig::default() }).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let public_url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let mut config = configuration(&sim, dir, public_url);
        config.notifications.client_state = Some(format!("{:032x}", fastrand::u128(..)).into());
        // A few people who change their photos all the time are the point of a demo.
        config.capture.captures_per_day = u32::MAX;
        let app = App::build(&config).await?;
        let storage = app.storage.clone();
        let target = match in_directory {
            true => DemoTarget::directory(&sim).await?,
            false => DemoTarget::folder(&dir.join("written")),
        };
        let reconciler = target.reconciler(&storage, TenantId::from_uuid(sim.tenant_id()))?;
        let agent = Agent::new(storage.clone(), reconciler, WRITEBACKS_QUEUE.to_owned());

        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(agent.run(stop.clone()));
        let running = app.clone().run(listener, stop.clone());
        tasks.spawn(async move {
            if let Err(error) = running.await {
                eprintln!("demo: {error:#}");
            }
        });
        let world = Self { sim, storage, target, app, dir: dir.to_owned(), stop, tasks };
        world.until("the subscription is made", || !world.sim.subscriptions().is_empty()).await?;
        world.write_env_file()?;
        Ok(world)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.sim.shutdown().await;
        Ok(())
    }

    /// The settings with which the commands of both programs work on this run.
    pub(crate) fn env_file(&self) -> PathBuf {
        self.dir.join("demo.env")
    }

    fn write_env_file(&self) -> Result<()> {
        let (sim, path) = (&self.sim, fs::canonicalize(&self.dir)?);
        let mut lines = vec![
            format!("PHOTORELAY_TENANT_ID={}", sim.tenant_id()),
            format!("PHOTORELAY_CLIENT_ID={}", sim.client_id()),
            format!("PHOTORELAY_CLIENT_SECRET='{}'", sim.client_secret()),
            format!("PHOTORELAY_GRAPH_URL={}", sim.graph_url()),
            format!("PHOTORELAY_AUTHORITY_URL={}", sim.authority_url()),
            format!("PhotoStorage__path='{}'", path.display()),
        ];
        lines.extend(self.target.settings().into_iter().map(|(name, value)| format!("{name}='{value}'")));
        Ok(fs::write(self.env_file(), lines.join("\n") + "\n")?)
    }

    /// Answers the console until the demo ends, and returns its link.
    pub(crate) async fn open_console(&self) -> Result<String> {
        let operator: OperatorName = "demo".parse().map_err(anyhow::Error::msg)?;
        let console = Console::open(self.app.operator_access(), Some(operator), 0).await?;
        let (link, stop) = (console.link.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            if let Err(error) = console.serve(stop).await {
                eprintln!("demo: {error:#}");
            }
        });
        Ok(link)
    }

    pub(crate) fn names(&self) -> HashMap<UserId, String> {
        let users = self.sim.tenant().users();
        users.into_iter().map(|user| (UserId::from_uuid(user.id), user.display_name.clone())).collect()
    }

    /// Checks every user once, as an operator would order it; nothing announces photos that are already there.
    pub(crate) async fn first_look(&self) -> Result<()> {
        let users: Vec<UserId> = self.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
        let messages = checks(&users, CauseKind::Operator, FetchPolicy::IfChanged, &TraceContext::start());
        self.storage.queues.send(CHECKS_QUEUE, messages).await?;
        self.drained().await
    }

    pub(crate) fn change_any_photo(&self, random: &mut fastrand::Rng) -> Result<UserId> {
        let tenant = self.sim.tenant();
        let user = *random.choice(&tenant.user_ids()).context("the demo needs at least one person")?;
        tenant.change_photo(user)?;
        Ok(UserId::from_uuid(user))
    }

    /// SHA-256 of what the simulator shows for this person.
    pub(crate) fn shown(&self, user: UserId) -> Option<String> {
        let shown = self.sim.tenant().shown(user.to_string().parse().ok()?)?;
        shown.sha256()
    }

    /// People whose target does not show the thumbnail of what the simulator shows.
    pub(crate) async fn lost(&self) -> Result<usize> {
        let thumbnail = RenditionSpec::thumbnail_photo();
        let tenant = self.sim.tenant();
        let mut lost = 0;
        for user in tenant.users() {
            let Some(current) = tenant.photo(user.id) else { continue };
            let decoded = photo::decode_for(&current, &photo::PhotoLimits::default(), thumbnail.side)?;
            let expected = decoded.render(&thumbnail)?;
            lost += usize::from(self.target.shows(&user).await? != Some(expected.bytes.to_vec()));
        }
        Ok(lost)
    }

    /// Until both queues are empty.
    pub(crate) async fn drained(&self) -> Result<()> {
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
