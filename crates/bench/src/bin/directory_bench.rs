//! The way to a real directory: how long one change takes from Graph to Active Directory, and how many photos a first
//! fill writes in a second, by one connection and by four, both compared with the same modifications without anything
//! around them.
//!
//! Graph is simulated and answers at once, the store is embedded, the domain controller is real and empty but for the
//! people that this makes. Prints one JSON object.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Parser;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use graph_sim::Sim;
use photorelay::app::App;
use photorelay::config::NotificationDelivery;
use photorelay_agent::connectors::ldap::{DEFAULT_TIMEOUT, LdapConnector, LdapSettings, SignIn};
use photorelay_agent::connectors::{Connector as _, EntryRef};
use photorelay_bench::{agent, app_settings, finish};
use photorelay_core::hops::{self, TracedEntries};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, WRITEBACKS_QUEUE};
use photorelay_core::photo;
use photorelay_core::process::install_crypto_provider;
use photorelay_core::settings::StorageSettings;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

/// As many as the agent works on side by side.
const SIDE_BY_SIDE: usize = 32;
/// Half of the people are written by one connection, the others by so many.
const CONNECTIONS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Cli {
    #[arg(long)]
    url: String,
    #[arg(long)]
    ca_file: PathBuf,
    #[arg(long)]
    base: String,
    #[arg(long)]
    bind_as: String,
    #[arg(long)]
    password_file: PathBuf,
    #[arg(long)]
    admin: String,
    #[arg(long)]
    admin_password_file: PathBuf,
    /// Folder for the store.
    #[arg(long)]
    dir: PathBuf,
    /// People of the first fill.
    #[arg(long, default_value_t = 5_000)]
    people: usize,
    /// Single changes that are timed.
    #[arg(long, default_value_t = 100)]
    changes: usize,
}

struct Person {
    place: EntryRef,
    guid: Vec<u8>,
    sid: String,
    account: String,
}

/// A first fill, and the modifications alone before and after it, because a domain controller does not stay as quick as it
/// was.
#[derive(Debug, Clone, Copy)]
struct Fill {
    raw: f64,
    rate: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    install_crypto_provider();
    let people = people(&cli).await?;
    let sim = Sim::start(graph_sim::SimConfig { users: cli.people, with_photo: 0.0, ..Default::default() }).await?;
    let users = synchronised(&sim, &people)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let public_url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
    let mut settings = app_settings(&sim, StorageSettings::Embedded { path: cli.dir.clone() })?;
    settings.notifications.delivery = Some(NotificationDelivery::Webhook(public_url));
    settings.capture.captures_per_day = 1_000;
    let app = App::build(&settings).await?;

    let half = cli.people / 2;
    let one = fill(&cli, (&sim, &app), (&users[..half], &people[..half]), 1).await?;
    let four = fill(&cli, (&sim, &app), (&users[half..], &people[half..]), CONNECTIONS).await?;

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(app.clone().run(listener, stop.clone()));
    tasks.spawn(agent(&sim, &app.storage, target(&cli, 1)).run(stop.clone()));
    app.subscribe.sync().await?;
    quiet(&sim).await;
    let mut changes = Vec::new();
    let mut slowest = (0.0, String::new());
    for (at, user) in users.iter().cycle().take(cli.changes).enumerate() {
        let took = one_change(&sim, &app, *user).await?;
        if took > slowest.0 {
            slowest = (took, format!("change {at}: {}", way(&app, *user).await?));
        }
        changes.push(took);
    }
    stop.cancel();
    let alone = alone(&target(&cli, 1), &people[..cli.changes.min(half)]).await?;
    let fills = |fill: Fill| {
        serde_json::json!({
            "raw_per_second": fill.raw, "fill_per_second": fill.rate, "share": fill.rate / fill.raw,
        })
    };
    println!(
        "{}",
        serde_json::json!({
            "people": half, "one": fills(one), "four": fills(four), "changes": cli.changes,
            "p50_ms": share_of(&mut changes, 0.5), "p99_ms": share_of(&mut changes, 0.99), "slowest": slowest,
            "alone": {"p50_ms": share_of(&mut alone.clone(), 0.5), "p99_ms": share_of(&mut alone.clone(), 0.99)},
        })
    );
    finish(&sim).await
}

/// Waits for the sweep at the start, in which the simulator takes most of the processors.
async fn quiet(sim: &Sim) {
    let mut before = None;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = sim.requests().entries.len();
        if before.replace(now) == Some(now) {
            return;
        }
    }
}

/// How long each hop of the newest change took, in milliseconds.
async fn way(app: &App, user: UserId) -> Result<String> {
    let traced = hops::of_user(&*app.storage.blobs, user, TracedEntries::Newest, |_| Vec::new()).await?;
    let all = traced.iter().flat_map(|entry| entry.hops.iter().chain(entry.targets.iter().flat_map(|t| &t.hops)));
    let shown = all.map(|hop| format!("{:?} {:.0}", hop.kind, hop.after_ms.unwrap_or_default()));
    Ok(shown.collect::<Vec<_>>().join(", "))
}

/// The value below which this share of them is.
fn share_of(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}

/// The photos of these users are stored, and wait in the queue; then the agent brings them up as it does in operation.
async fn fill(
    cli: &Cli,
    (sim, app): (&Sim, &App),
    (users, people): (&[UserId], &[Person]),
    connections: usize,
) -> Result<Fill> {
    let before = raw(cli, people, connections).await?;
    for user in users {
        sim.tenant().change_photo(user.to_string().parse()?)?;
    }
    app.sweep.run(&photorelay::jobs::sweep::Run::default()).await?;
    app.pump.drain().await?;
    let agent = agent(sim, &app.storage, target(cli, connections));
    let stop = CancellationToken::new();
    let began = Instant::now();
    let filled = async {
        while app.storage.queues.count(WRITEBACKS_QUEUE).await? > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = began.elapsed().as_secs_f64();
        stop.cancel();
        anyhow::Ok(took)
    };
    let ((), took) = tokio::join!(agent.run(stop.clone()), filled);
    let rate = people.len() as f64 / took?;
    Ok(Fill { raw: (before + raw(cli, people, connections).await?) / 2.0, rate })
}

/// Milliseconds of one modification after the other, without anything around them.
async fn alone(target: &LdapConnector, people: &[Person]) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    for (at, person) in people.iter().enumerate() {
        let value = value(at as u64 + 2)?;
        let present = target.read(&person.place).await?;
        let began = Instant::now();
        target.replace(&person.place, present.as_ref(), Some(&value)).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

fn target(cli: &Cli, connections: usize) -> LdapConnector {
    LdapConnector::new(LdapSettings { connections, ..ldap_settings(cli) })
}

fn value(number: u64) -> Result<Bytes> {
    let photo = photo::decode(&photo::sample(number)?, &photo::PhotoLimits::default())?;
    Ok(photo.render(&photo::RenditionSpec::thumbnail_photo())?.bytes)
}

/// Milliseconds from the change in Graph until there is a receipt, which comes after the value was read back.
async fn one_change(sim: &Sim, app: &App, user: UserId) -> Result<f64> {
    let blobs = &app.storage.blobs;
    let next = photorelay_core::audit::sequence_numbers(&**blobs, user).await?.last().copied().unwrap_or_default() + 1;
    let receipt = names::receipt(user, next, "ad");
    let began = Instant::now();
    sim.tenant().change_photo(user.to_string().parse()?)?;
    while blobs.get(Container::Receipts, &receipt, 65_536).await?.is_none() {
        ensure!(began.elapsed() < PATIENCE, "a change of {user} does not arrive");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0)
}

/// The same values in the same attribute by as many connections, and nothing else: no look-up, no reading back.
/// Every photo is removed before and after.
async fn raw(cli: &Cli, people: &[Person], connections: usize) -> Result<f64> {
    let (target, value) = (target(cli, connections), value(1)?);
    clear(&target, people).await?;
    let began = Instant::now();
    let writes = stream::iter(people).map(|person| target.replace(&person.place, None, Some(&value)));
    writes.buffer_unordered(SIDE_BY_SIDE).try_for_each(|_| async { Ok(()) }).await?;
    let took = began.elapsed().as_secs_f64();
    clear(&target, people).await?;
    Ok(people.len() as f64 / took)
}

async fn clear(target: &LdapConnector, people: &[Person]) -> Result<()> {
    let clears = stream::iter(people).map(|person| async {
        let present = target.read(&person.place).await?;
        target.replace(&person.place, present.as_ref(), None).await
    });
    Ok(clears.buffer_unordered(SIDE_BY_SIDE).try_for_each(|_| async { Ok(()) }).await?)
}

async fn people(cli: &Cli) -> Result<Vec<Person>> {
    let mut ldif = String::new();
    for at in 0..cli.people {
        let (account, base) = (format!("bench{at:05}"), &cli.base);
        ldif += &format!(
            "dn: CN={account},{base}\nchangetype: add\nobjectClass: user\nuserAccountControl: 514\nsAMAccountName: {account}\n\n"
        );
    }
    let unit = format!("dn: {}\nchangetype: add\nobjectClass: organizationalUnit\n\n", cli.base);
    let mut modify = tool(cli, "ldapmodify");
    modify.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
    let mut modify = modify.spawn().context("ldapmodify does not start")?;
    let mut input = modify.stdin.take().context("ldapmodify reads nothing")?;
    input.write_all((unit + &ldif).as_bytes()).await?;
    drop(input);
    ensure!(modify.wait().await?.success(), "the people were not made");
    let mut search = tool(cli, "ldapsearch");
    search.args(["-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt", "-b", &cli.base, "(objectClass=user)"]);
    let output = search.args(["sAMAccountName", "objectGUID", "objectSid"]).output().await?;
    let found = String::from_utf8(output.stdout)?;
    let people: Option<Vec<Person>> =
        found.split("\n\n").filter(|entry| entry.contains("sAMAccountName")).map(person).collect();
    people.filter(|people| people.len() == cli.people).context("the people are not found again")
}

fn person(entry: &str) -> Option<Person> {
    let text = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let bytes = |name: &str| {
        let encoded = entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":: "));
        encoded.and_then(|encoded| STANDARD.decode(encoded).ok())
    };
    let sid = bytes("objectSid")?;
    let parts = sid.get(8..)?.chunks_exact(4).map(|part| Some(u32::from_le_bytes(part.try_into().ok()?).to_string()));
    let parts = parts.collect::<Option<Vec<_>>>()?.join("-");
    Some(Person {
        place: EntryRef(text("dn")?.to_owned()),
        guid: bytes("objectGUID")?,
        sid: format!("S-{}-{}-{parts}", sid.first()?, sid.get(7)?),
        account: text("sAMAccountName")?.to_owned(),
    })
}

/// The people of the simulator come from these accounts.
fn synchronised(sim: &Sim, people: &[Person]) -> Result<Vec<UserId>> {
    let users = sim.tenant().user_ids();
    for (user, person) in users.iter().zip(people) {
        sim.tenant().edit_user(*user, |user| {
            user.on_premises_immutable_id = Some(STANDARD.encode(&person.guid));
            user.on_premises_security_identifier = Some(person.sid.clone());
            user.on_premises_sam_account_name = Some(person.account.clone());
        })?;
    }
    Ok(users.into_iter().map(UserId::from_uuid).collect())
}

fn tool(cli: &Cli, name: &str) -> Command {
    let mut command = Command::new(name);
    command.args(["-x", "-H", &cli.url, "-D", &cli.admin]).arg("-y").arg(&cli.admin_password_file);
    command.env("LDAPTLS_CACERT", &cli.ca_file);
    command
}

fn ldap_settings(cli: &Cli) -> LdapSettings {
    LdapSettings {
        servers: cli.url.parse().into_iter().collect(),
        base: cli.base.clone(),
        sign_in: SignIn::Password { bind_as: cli.bind_as.clone(), file: cli.password_file.clone() },
        ca_file: Some(cli.ca_file.clone()),
        attribute: "thumbnailPhoto".to_owned(),
        anchor_attribute: None,
        require_external_id: false,
        scope: Default::default(),
        timeout: DEFAULT_TIMEOUT,
        connections: 1,
    }
}
