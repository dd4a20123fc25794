//! Notifications under load: `restarts` posts 2,000 a second for five minutes while what stores them goes down once a
//! minute, and then looks for every notification that was acknowledged; `steady` posts 50 a second for an hour and
//! watches the memory of both programs.
//!
//! An acknowledgement is one notification in a POST that was answered 202. Prints one line of JSON; a lost
//! acknowledgement, a rate that was missed or memory that grows ends it with exit code 1.

use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use fastrand::Rng;
use photorelay_campaign::post::Poster;
use photorelay_core::contract::{self, CheckMessage};
use photorelay_core::id::UserId;
use photorelay_core::names::{CHECKS_QUEUE, WRITEBACKS_QUEUE};
use photorelay_core::queue::MessageBody;
use photorelay_core::settings::StorageSettings;
use photorelay_core::storage::Storage;
use serde_json::json;
use tempfile::TempDir;
use testkit::azurite::Azurite;
use testkit::hosted;
use testkit::process::{Program, Variables, azure, embedded, until};
use testkit::world::{Setup, World, guid};
use tokio::task::JoinSet;
use url::Url;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    Restarts {
        #[arg(value_enum)]
        place: LoadStore,
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        #[arg(long, default_value_t = 60)]
        restart_every: u64,
    },
    Steady {
        #[arg(long, default_value_t = 3_600)]
        seconds: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LoadStore {
    /// The embedded store, whose process is killed and started again. One notification in a POST.
    Embedded,
    /// Azurite, which is stopped and started again beside the program. Twenty notifications in a POST.
    Azurite,
}

const RATE: u64 = 2_000;
/// Offered beyond the rate, because nothing is acknowledged while the store is down.
const OFFERED: u64 = 2_300;
const TICK: Duration = Duration::from_millis(20);
const STEADY_RATE: u64 = 50;
/// Memory that grows by less than this share and this much from the second third of the run to the last is flat.
const FLAT: (f64, u64) = (1.1, 4 << 20);

#[tokio::main]
async fn main() -> ExitCode {
    let (line, is_good) = match Cli::parse().load {
        Load::Restarts { place, seconds, restart_every } => restarts(place, seconds, restart_every).await,
        Load::Steady { seconds } => steady(seconds).await,
    };
    println!("{line}");
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The program that acknowledges, and the store behind it.
struct Served {
    webhook: Url,
    program: Program,
    folder: TempDir,
    azurite: Option<Azurite>,
}

impl Served {
    async fn start(world: &World, place: LoadStore) -> Self {
        let (webhook, folder) = (hosted::url(), TempDir::new().expect("a folder"));
        let azurite = match place {
            LoadStore::Embedded => None,
            LoadStore::Azurite => Some(Azurite::kept_in(folder.path(), [0, 0]).await),
        };
        let program = acknowledging(world, &Self::storage(&folder, azurite.as_ref()), &webhook);
        program.address().await;
        Self { webhook, program, folder, azurite }
    }

    fn storage(folder: &TempDir, azurite: Option<&Azurite>) -> Variables {
        match azurite {
            Some(azurite) => azure(&azurite.blob, &azurite.queue),
            None => embedded(folder.path()),
        }
    }

    async fn restart(&mut self, world: &World) {
        match self.azurite.take() {
            Some(azurite) => {
                let ports = [&azurite.blob, &azurite.queue].map(|url| url.port().expect("a chosen port"));
                azurite.stop().await;
                self.azurite = Some(Azurite::kept_in(self.folder.path(), ports).await);
            }
            None => {
                self.program.kill().await;
                self.program = acknowledging(world, &embedded(self.folder.path()), &self.webhook);
            }
        }
    }

    fn settings(&self) -> StorageSettings {
        match &self.azurite {
            Some(azurite) => azurite.settings(),
            None => StorageSettings::Embedded { path: self.folder.path().to_owned() },
        }
    }
}

async fn restarts(place: LoadStore, seconds: u64, restart_every: u64) -> (serde_json::Value, bool) {
    let world = World::with(Setup { subscribe: false, ..Setup::default() }).await;
    let mut served = Served::start(&world, place).await;
    let items = if place == LoadStore::Embedded { 1 } else { 20 };
    let poster = Arc::new(Poster::new(served.webhook.clone(), world.sim.tenant_id()));
    let mut posts: JoinSet<()> = JoinSet::new();
    let (began, mut restarts, mut offered) = (Instant::now(), 0, 0);
    let mut ticks = tokio::time::interval(TICK);
    while began.elapsed().as_secs() < seconds {
        ticks.tick().await;
        if began.elapsed().as_secs() >= (restarts + 1) * restart_every && restarts + 1 < seconds / restart_every {
            restarts += 1;
            served.restart(&world).await;
        }
        let due = (began.elapsed().as_secs_f64() * OFFERED as f64) as u64;
        while offered + items <= due && poster.in_flight() < 512 {
            let users: Vec<UserId> = (offered..offered + items).map(Poster::user).collect();
            offered += items;
            let poster = Arc::clone(&poster);
            posts.spawn(async move { poster.post(users).await });
        }
        // What could not be offered in time is not made up for.
        offered = offered.max(due.saturating_sub(items));
        while posts.try_join_next().is_some() {}
    }
    while posts.join_next().await.is_some() {}
    let took = began.elapsed().as_secs_f64();
    served.program.kill().await;
    let acknowledged = poster.acknowledged();
    let stored = stored(&served.settings()).await;
    let lost = acknowledged.iter().filter(|user| !stored.contains(user)).count();
    let rate = acknowledged.len() as f64 / took;
    let line = json!({
        "campaign": "load", "load": "restarts", "place": if place == LoadStore::Embedded { "embedded" } else { "azurite" },
        "seconds": took.round(), "restarts": restarts, "acknowledged": acknowledged.len(),
        "per_second": rate.round(), "refused_posts": poster.refused(), "lost": lost,
    });
    (line, lost == 0 && rate >= RATE as f64)
}

/// Every user of whom a check message is stored.
async fn stored(settings: &StorageSettings) -> HashSet<UserId> {
    let authority = Url::parse("https://login.microsoftonline.com").expect("a URL");
    let config = settings.resolve(&authority).expect("the settings are complete");
    let queues = Storage::open(&config).expect("the store opens").queues;
    let mut users = HashSet::new();
    loop {
        let received = queues.receive(CHECKS_QUEUE, 32, Duration::from_secs(600)).await.expect("the queue can be read");
        if received.is_empty() {
            return users;
        }
        for delivery in &received {
            let MessageBody::Bytes(body) = &delivery.body else { continue };
            users.extend(contract::parse::<CheckMessage>(body).expect("a check message").users);
            queues.delete(CHECKS_QUEUE, delivery).await.expect("the message can be deleted");
        }
    }
}

async fn steady(seconds: u64) -> (serde_json::Value, bool) {
    let sim = graph_sim::SimConfig { users: 500, ..graph_sim::SimConfig::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let (webhook, storage) = (hosted::url(), embedded(world.dir()));
    let function = function(&world, &storage, &webhook, &vec![]);
    function.address().await;
    let agent = Program::agent(&world, &storage);
    let poster = Arc::new(Poster::new(webhook, world.sim.tenant_id()));
    let mut dice = Rng::with_seed(1);
    let (mut function_memory, mut agent_memory) = (Vec::new(), Vec::new());
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / STEADY_RATE as u32);
    for tick in 0..seconds * STEADY_RATE {
        ticks.tick().await;
        let user = world.user(dice.usize(..500));
        if tick % STEADY_RATE == 0 {
            world.sim.tenant().change_photo(guid(user)).expect("the user exists");
        }
        poster.post(vec![user]).await;
        if tick % (10 * STEADY_RATE) == 0 {
            function_memory.push(function.resident());
            agent_memory.push(agent.resident());
        }
    }
    for queue in [CHECKS_QUEUE, WRITEBACKS_QUEUE] {
        let is_empty = || async { world.storage().queues.count(queue).await.expect("the queue is there") == 0 };
        function.brings("empty queues", until(is_empty)).await;
    }
    let is_flat = is_flat(&function_memory) && is_flat(&agent_memory);
    let mib = |samples: &[u64]| samples.iter().max().map_or(0, |bytes| bytes >> 20);
    let thirds = |samples: &[u64]| samples.chunks(samples.len().div_ceil(3).max(1)).map(mib).collect::<Vec<_>>();
    let line = json!({
        "campaign": "load", "load": "steady", "seconds": seconds, "acknowledged": poster.acknowledged_posts(),
        "refused_posts": poster.refused(), "function_peak_mib_by_third": thirds(&function_memory),
        "agent_peak_mib_by_third": thirds(&agent_memory), "flat": is_flat,
    });
    (line, is_flat && poster.refused() == 0)
}

fn is_flat(samples: &[u64]) -> bool {
    let mut peaks = samples.chunks(samples.len().div_ceil(3).max(1)).map(|third| third.iter().max().copied());
    let (_, Some(Some(middle)), Some(Some(last))) = (peaks.next(), peaks.next(), peaks.next()) else { return false };
    last <= middle + FLAT.1 || last as f64 <= middle as f64 * FLAT.0
}

/// `photorelay run` that stores check messages and handles none.
fn acknowledging(world: &World, storage: &Variables, webhook: &Url) -> Program {
    function(world, storage, webhook, &vec![("AzureWebJobs.propagate.Disabled", "true".to_owned())])
}

fn function(world: &World, storage: &Variables, webhook: &Url, more: &Variables) -> Program {
    let port = webhook.port().expect("a chosen port");
    let mut settings: Variables =
        vec![("PHOTORELAY_LISTEN", format!("127.0.0.1:{port}")), ("PHOTORELAY_CAPTURES_PER_DAY", "100000".to_owned())];
    settings.extend_from_slice(more);
    Program::photorelay(&world.sim, storage, &settings)
}
