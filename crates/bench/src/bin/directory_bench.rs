//! The way to a real directory: how long one change takes from Graph to Active Directory, and how many photos a first
//! fill writes in a second, compared with the same modifications without anything around them.
//!
//! Graph is simulated and answers at once, the store is embedded, the domain controller is real and empty but for the
//! people that this makes. Prints one JSON object.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use graph_sim::Sim;
use photorelay::app::App;
use photorelay::config::NotificationDelivery;
use photorelay_agent::connectors::ldap::{DEFAULT_TIMEOUT, LdapConnector, LdapSettings, SignIn};
use photorelay_agent::connectors::{Connector as _, EntryRef};
use photorelay_bench::{agent, app_settings, finish};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container};
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
const SIDE_BY_SIDE: usize = 8;
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

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    install_crypto_provider();
    let people = people(&cli).await?;
    let before = raw(&cli, &people).await?;

    let sim = Sim::start(graph_sim::SimConfig { users: cli.people, with_photo: 0.0, ..Default::default() }).await?;
    let users = synchronised(&sim, &people)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let public_url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
    let mut settings = app_settings(&sim, StorageSettings::Embedded { path: cli.dir.clone() })?;
    settings.notifications.delivery = Some(NotificationDelivery::Webhook(public_url));
    settings.capture.captures_per_day = 1_000;
    let app = App::build(&settings).await?;
    let agent = agent(&sim, &app.storage, LdapConnector::new(ldap_settings(&cli)));

    for user in &users {
        sim.tenant().change_photo(user.to_string().parse()?)?;
    }
    app.sweep.run(&photorelay::jobs::sweep::Run::default()).await?;
    app.pump.drain().await?;
    let began = Instant::now();
    agent.drain().await?;
    let filled = began.elapsed().as_secs_f64();
    let rate = cli.people as f64 / filled;
    // A domain controller does not stay as quick as it was: measured on both sides of the fill.
    let raw = (before + raw(&cli, &people).await?) / 2.0;

    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(app.clone().run(listener, stop.clone()));
    tasks.spawn(agent.run(stop.clone()));
    app.subscribe.sync().await?;
    let mut times = Vec::new();
    for user in users.iter().cycle().take(cli.changes) {
        times.push(one_change(&sim, &app, *user).await?);
    }
    stop.cancel();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{}",
        serde_json::json!({
            "people": cli.people, "raw_per_second": raw, "fill_per_second": rate, "share": rate / raw,
            "changes": cli.changes, "p50_ms": at(0.5), "p99_ms": at(0.99),
        })
    );
    finish(&sim).await
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

/// The same values in the same attribute by the same connection, and nothing else: no look-up, no reading back.
/// Every photo is removed before and after.
async fn raw(cli: &Cli, people: &[Person]) -> Result<f64> {
    let target = LdapConnector::new(ldap_settings(cli));
    let value = photo::decode(&photo::sample(1)?, &photo::PhotoLimits::default())?
        .render(&photo::RenditionSpec::thumbnail_photo())?
        .bytes;
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
        scope: Default::default(),
        timeout: DEFAULT_TIMEOUT,
    }
}
