//! A thousand SIGKILLs: the function app, two agents and sweeps die at random while users change their photos and three
//! in ten calls to Graph fail. Then it is quiet, a last sweep runs to its end, and every promise is checked for every
//! user.
//!
//! What happens follows from the seed; when it happens is up to the machine. Prints one line of JSON. A campaign that
//! found a broken promise ends with exit code 1.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use fastrand::Rng;
use graph_sim::{Fault, FaultRule, PatternScope, RequestPattern, RetryAfter, SimSettings};
use photorelay_campaign::{Findings, inspect, stray_files};
use photorelay_core::audit;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, CHECKS_QUEUE, WRITEBACKS_QUEUE};
use serde_json::json;
use testkit::chaos::small_pictures;
use testkit::hosted;
use testkit::process::{Program, Variables, azure, embedded, until};
use testkit::samba::{Account, Samba};
use testkit::world::{Setup, Store, World, guid};
use url::Url;

#[derive(Parser)]
struct Cli {
    /// Where blobs and queues are, and what the agents write.
    #[arg(value_enum)]
    place: KillsPlace,
    #[arg(long, default_value_t = 1_000)]
    kills: u64,
    #[arg(long, default_value_t = 150)]
    users: usize,
    #[arg(long, default_value_t = 20_261_129)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KillsPlace {
    /// The embedded store and a folder.
    Embedded,
    /// Azurite and a folder.
    Azurite,
    /// The embedded store and a Samba domain controller.
    Samba,
}

/// Photos that change between two kills.
const CHANGES: std::ops::Range<usize> = 1..6;
/// How many sweeps run when nothing fails any more, and how long each one's checks and write-backs may take.
const SWEEPS: usize = 2;
const SETTLING: Duration = Duration::from_secs(120);
/// Milliseconds between two kills.
const PACE: std::ops::Range<u64> = 50..600;
/// Probabilities of the faults; together three in ten.
const FAULTS: [(Trouble, f64); 7] = [
    (Trouble::Throttled(RetryAfter::Seconds(1)), 0.05),
    (Trouble::Throttled(RetryAfter::Absent), 0.05),
    (Trouble::Status(500, "generalException"), 0.05),
    (Trouble::Status(503, "serviceNotAvailable"), 0.05),
    (Trouble::Status(504, "UnknownError"), 0.04),
    (Trouble::CutBody, 0.04),
    (Trouble::Latency, 0.02),
];

#[derive(Clone, Copy)]
enum Trouble {
    Throttled(RetryAfter),
    Status(u16, &'static str),
    CutBody,
    Latency,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let began = Instant::now();
    let mut campaign = Campaign::start(&cli).await;
    campaign.kill_and_change(cli.kills).await;
    let (findings, entries) = campaign.quieten().await;
    let requests = campaign.world.sim.requests().entries.len();
    let place = cli.place.to_possible_value();
    println!(
        "{}",
        json!({
            "campaign": "kills", "place": place.as_ref().map(|place| place.get_name()), "seed": cli.seed,
            "users": cli.users, "kills": campaign.kills, "changes": campaign.changes, "entries": entries,
            "graph_requests": requests, "findings": findings, "seconds": began.elapsed().as_secs(),
        })
    );
    if findings.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Campaign {
    world: World,
    users: Vec<UserId>,
    storage: Variables,
    domain: Option<Domain>,
    webhook: Url,
    function: Program,
    agents: Vec<Program>,
    sweep: Option<Program>,
    dice: Rng,
    kills: BTreeMap<&'static str, u64>,
    changes: u64,
    _pictures: tempfile::TempDir,
}

/// The domain controller, and each user's account in it.
struct Domain {
    samba: Samba,
    accounts: Vec<Account>,
}

impl Campaign {
    async fn start(cli: &Cli) -> Self {
        let pictures = small_pictures();
        let sim = graph_sim::SimConfig {
            seed: cli.seed,
            users: cli.users,
            photos: Some(pictures.path().to_owned()),
            ..graph_sim::SimConfig::default()
        };
        let store = if cli.place == KillsPlace::Azurite { Store::Azurite } else { Store::Embedded };
        let world = World::with(Setup { store, sim, subscribe: false, ..Setup::default() }).await;
        let domain = if cli.place == KillsPlace::Samba { Some(Domain::of(&world, cli.users).await) } else { None };
        let storage = match &world.azurite {
            Some(azurite) => azure(&azurite.blob, &azurite.queue),
            None => embedded(world.dir()),
        };
        let users = (0..cli.users).map(|at| world.user(at)).collect();
        let webhook = hosted::url();
        let function = function(&world, &storage, &webhook);
        function.brings("a subscription", until(|| async { world.sim.subscriptions().len() == 1 })).await;
        let agents = (0..2).map(|_| agent(&world, &storage, domain.as_ref())).collect();
        go_wrong(&world);
        Self {
            users,
            storage,
            domain,
            webhook,
            function,
            agents,
            sweep: None,
            dice: Rng::with_seed(cli.seed),
            kills: BTreeMap::new(),
            changes: 0,
            world,
            _pictures: pictures,
        }
    }

    async fn kill_and_change(&mut self, kills: u64) {
        while self.kills.values().sum::<u64>() < kills {
            for _ in 0..self.dice.usize(CHANGES) {
                let user = guid(self.users[self.dice.usize(..self.users.len())]);
                self.world.sim.tenant().change_photo(user).expect("the user exists");
                self.changes += 1;
            }
            if self.sweep.is_none() {
                self.sweep = Some(Program::sweep(&self.world.sim, &self.storage));
            }
            tokio::time::sleep(Duration::from_millis(self.dice.u64(PACE))).await;
            self.kill_one().await;
        }
    }

    async fn kill_one(&mut self) {
        let victim = match self.dice.u8(..10) {
            0..4 => {
                self.function.kill().await;
                self.function = function(&self.world, &self.storage, &self.webhook);
                "function"
            }
            4..8 => {
                let agent_program = self.dice.choice(&mut self.agents).expect("there are two");
                agent_program.kill().await;
                *agent_program = agent(&self.world, &self.storage, self.domain.as_ref());
                "agent"
            }
            _ => {
                let Some(mut sweep) = self.sweep.take() else { return };
                if !sweep.kill_if_running().await {
                    // It had ended by itself.
                    return;
                }
                "sweep"
            }
        };
        *self.kills.entry(victim).or_default() += 1;
    }

    /// Nothing fails any more, and sweeps run to their end. Returns what is found as soon as every promise holds, or after
    /// some minutes. Queues do not become empty: a check of a user for whom Graph failed waits for up to a day.
    async fn quieten(&mut self) -> (Findings, u64) {
        self.world.sim.clear_faults();
        self.world.sim.set(|settings| *settings = SimSettings::default());
        if let Some(mut sweep) = self.sweep.take() {
            sweep.kill_if_running().await;
        }
        self.function.brings("the rest of the notifications", self.world.sim.flush()).await;
        let mut found = (Findings::default(), 0);
        for _ in 0..SWEEPS {
            // A store that is busy may end a sweep; the next one goes on where it was.
            while !Program::sweep(&self.world.sim, &self.storage).ends().await {}
            let swept = Instant::now();
            loop {
                tokio::time::sleep(Duration::from_secs(2)).await;
                found = self.findings().await;
                if found.0.is_clean() || swept.elapsed() > SETTLING {
                    break;
                }
            }
        }
        self.function.kill().await;
        for agent in &mut self.agents {
            agent.kill().await;
        }
        found
    }

    async fn findings(&self) -> (Findings, u64) {
        let (mut findings, mut entries) = (Findings::default(), 0);
        for (at, user) in self.users.iter().enumerate() {
            let shown = match &self.domain {
                Some(domain) => domain.samba.photo(&domain.accounts[at]).await,
                None => self.world.written(*user),
            };
            let shown = shown.map(|bytes| Digest::of(&bytes));
            entries += inspect(&self.world, *user, shown, &mut findings).await;
        }
        findings.wrong += stray_files(&self.world, &self.users);
        for queue in [CHECKS_QUEUE, WRITEBACKS_QUEUE] {
            let poison = names::poison_queue(queue);
            findings.lost += self.world.storage().queues.count(&poison).await.unwrap_or_default();
        }
        let report = audit::verify_all(&*self.world.storage().blobs).await.expect("the trail can be read");
        findings.trail = report.findings.len() as u64;
        (findings, entries)
    }
}

impl Domain {
    /// Every user of the simulator is synchronised from an account of its own.
    async fn of(world: &World, users: usize) -> Self {
        let samba = Samba::shared().await;
        let accounts = samba.add_many(users).await;
        for (at, account) in accounts.iter().enumerate() {
            account.is(world, at, &account.anchor());
        }
        Self { samba, accounts }
    }
}

fn function(world: &World, storage: &Variables, webhook: &Url) -> Program {
    let port = webhook.port().expect("a chosen port");
    let more: Variables = vec![
        ("PHOTORELAY_LISTEN", format!("127.0.0.1:{port}")),
        ("PHOTORELAY_PUBLIC_URL", webhook.to_string()),
        ("PHOTORELAY_CAPTURES_PER_DAY", "100000".to_owned()),
    ];
    Program::photorelay(&world.sim, storage, &more)
}

fn agent(world: &World, storage: &Variables, domain: Option<&Domain>) -> Program {
    match domain {
        None => Program::agent(world, storage),
        Some(Domain { samba, .. }) => {
            Program::agent_of(world, storage, &samba.variables(&format!("{}:636", samba.address)))
        }
    }
}

fn go_wrong(world: &World) {
    world.sim.set(|settings| {
        settings.delay_ms = [0, 2_000];
        settings.loss = 0.2;
        settings.duplicates = 0.2;
        settings.reorder = true;
        settings.items_per_post = [1, 4];
    });
    for (trouble, probability) in FAULTS {
        let requests = RequestPattern { method: None, path: "/v1.0/*".to_owned(), scope: PatternScope::Any };
        let (requests, fault) = match trouble {
            Trouble::Throttled(retry_after) => (requests, Fault::Throttled { retry_after }),
            Trouble::Status(status, code) => {
                (requests, Fault::Status { status, code: code.to_owned(), retry_after: RetryAfter::Absent })
            }
            Trouble::CutBody => (requests.within(PatternScope::Requests), Fault::CutBody),
            Trouble::Latency => (requests, Fault::Latency { ms: 150 }),
        };
        world.sim.add_fault(FaultRule::new(requests, fault).probability(probability));
    }
}
