//! How the agent works as a whole: stopped and resumed, within its quota, while its target is down, and in a full
//! reconciliation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use photorelay_agent::agent::OnceError;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::connectors::{Connector, ConnectorError, EntryRef, Replacement};
use photorelay_agent::full_reconciliation::FullReconciliationSettings;
use photorelay_agent::quota::{QuotaLimits, WriteQuota};
use photorelay_agent::stop_switch;
use photorelay_core::consumer::DrainError;
use photorelay_core::contract::{self, Heartbeat, Identity, ReconciliationCursor, V1};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, WRITEBACKS_QUEUE};
use photorelay_core::target::Targets;
use testkit::agent::{AGENT, AgentBuilder, TARGET};
use testkit::process::{agent_command, until};
use testkit::world::{Setup, World, guid};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_stopped_agent_keeps_its_items_says_so_and_goes_on_by_itself() {
    let world = world(1).await;
    let user = world.user(0);
    stop_switch::stop(world.storage(), "ad", Some("a look at the merger first".to_owned())).await.unwrap();
    let stop = CancellationToken::new();
    let working = tokio_util::task::TaskTracker::new().spawn(world.agent.clone().run(stop.clone()));
    announced(&world, &[user]).await;
    patiently(until(async || heartbeat(&world).await.is_some_and(|beat| beat.paused.is_some()))).await;
    let paused = heartbeat(&world).await.unwrap().paused.unwrap();
    assert!(paused.contains("a look at the merger first") && paused.contains("resume"), "{paused}");
    assert_eq!(world.written(user), None);
    assert!(matches!(world.agent.once().await, Err(OnceError::Stopped(_))));
    assert_eq!(world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap(), 1);

    stop_switch::resume(world.storage(), "ad").await.unwrap();
    patiently(until(async || world.receipt(user, 1).await.is_some())).await;
    patiently(until(async || world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap() == 0)).await;
    stop.cancel();
    working.await.unwrap();
    let last = heartbeat(&world).await.unwrap();
    assert!(last.last_success_at.is_some() && last.oldest_unfinished_at.is_none() && last.paused.is_none(), "{last:?}");
    world.end().await;
}

#[tokio::test]
async fn a_target_that_is_down_burns_no_attempts_and_the_heartbeat_tells_of_it() {
    let world = world(1).await;
    let user = world.user(0);
    announced(&world, &[user]).await;
    // More often than an item that fails alone may be tried.
    let agent = broken(&world, 15).build();
    for _ in 0..15 {
        assert!(matches!(agent.once().await, Err(OnceError::Drain(DrainError::GivenBack { .. }))));
    }
    let beat = heartbeat(&world).await.unwrap();
    assert!(beat.oldest_unfinished_at.is_some() && beat.last_success_at.is_none(), "{beat:?}");
    assert!(beat.paused.is_some_and(|why| why.contains("out of order")));
    agent.once().await.unwrap();
    assert!(world.shows_newest(user).await);
    assert_eq!(heartbeat(&world).await.unwrap().oldest_unfinished_at, None);
    world.end().await;
}

#[tokio::test]
async fn a_day_has_no_more_writes_than_its_budget_whatever_is_restarted() {
    let (world, users) = announced_users(3).await;
    let limits = QuotaLimits { per_minute: None, per_day: Some(2) };
    let resumed = async || WriteQuota::resumed(world.storage(), limits, TARGET, AGENT).await.unwrap();
    for _ in 0..2 {
        let answer = world.agent_builder().quota(resumed().await).build().once().await;
        assert!(matches!(answer, Err(OnceError::Drain(DrainError::GivenBack { .. }))), "{answer:?}");
        let written = users.iter().filter(|user| world.written(**user).is_some()).count();
        assert_eq!(written, 2);
    }
    assert_eq!(world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap(), 1, "what is over the budget waits");
    world.agent.drain().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_killed_agent_has_counted_its_writes() {
    let (world, users) = announced_users(3).await;
    let limits = QuotaLimits { per_minute: None, per_day: Some(2) };
    for _ in 0..2 {
        let quota = WriteQuota::resumed(world.storage(), limits, TARGET, AGENT).await.unwrap();
        // Dropped without a last heartbeat.
        let answer = world.agent_builder().quota(quota).build().drain().await;
        assert!(matches!(answer, Err(DrainError::GivenBack { .. })), "{answer:?}");
        assert_eq!(users.iter().filter(|user| world.written(**user).is_some()).count(), 2);
    }
    world.agent.drain().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn an_agent_that_ends_does_not_wait_for_its_turn_to_write() {
    let (world, users) = announced_users(2).await;
    let limits = QuotaLimits { per_minute: Some(1), per_day: None };
    let slow = WriteQuota::new(world.storage(), limits, TARGET, AGENT);
    let (agent, stop) = (world.agent_builder().quota(slow).build(), CancellationToken::new());
    let first = async {
        until(async || users.iter().any(|user| world.written(*user).is_some())).await;
        stop.cancel();
    };
    // The second one's turn comes a minute after the first one's.
    let ended = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(agent.run(stop.clone()), first) });
    ended.await.expect("it waits for its turn");
    assert_eq!(world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap(), 1, "the item is still there");
    world.agent.drain().await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn a_pass_with_other_settings_counts_while_the_agent_that_made_it_lives() {
    let world = world(1).await;
    announced(&world, &[world.user(0)]).await;
    let stop = CancellationToken::new();
    let first = world.agent_builder().build();
    first.once().await.unwrap();
    first.full_reconciliation(daily()).run(&stop).await.unwrap();
    let other = |name: &str| {
        let agent = world.agent_builder().named(name).dry_run(true).build();
        agent.full_reconciliation(daily())
    };
    assert!(!other("agent-2").is_due().await.unwrap(), "another's settings are another's");
    assert!(other("agent-of-the-tests").is_due().await.unwrap(), "its own settings changed");
    let heartbeat = names::heartbeat(TARGET, AGENT);
    world.storage().blobs.delete(Container::Agents, &heartbeat).await.unwrap();
    assert!(other("agent-2").is_due().await.unwrap(), "the other agent is gone");
    world.end().await;
}

#[tokio::test]
async fn the_daily_pass_mends_what_no_message_tells_of() {
    let (world, users) = announced_users(3).await;
    world.agent.drain().await.unwrap();
    for user in &users {
        std::fs::remove_file(file(&world, *user)).unwrap();
    }
    let report = world.agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    assert_eq!((report.looked_at, report.failed), (3, 0));
    for user in users {
        assert!(world.shows_newest(user).await);
    }
    assert!(cursor(&world).await.finished_at.is_some());
    world.end().await;
}

#[tokio::test]
async fn lifting_a_dry_run_writes_with_the_next_once_and_until_then_status_says_dry_run() {
    let (world, users) = announced_users(2).await;
    let folder = ("PHOTORELAY_FOLDER_PATH", world.dir().join("written").display().to_string());
    let dry = vec![folder.clone(), ("PHOTORELAY_DRY_RUN", "true".to_owned())];
    assert!(agent_command(&world, &dry, &["once"]).await.status.success());
    let status = serde_json::to_value(world.app.watch.status(Timestamp::now()).await.unwrap()).unwrap();
    assert_eq!((&status["trail"]["held"], &status["trail"]["dryRun"]), (&0.into(), &2.into()), "{status}");
    assert_eq!(world.written(users[0]), None);

    assert!(agent_command(&world, &vec![folder], &["once"]).await.status.success());
    for user in users {
        assert!(world.shows_newest(user).await, "nothing announces what the dry run left out");
    }
    world.end().await;
}

#[tokio::test]
async fn a_pass_goes_on_where_the_last_one_ended() {
    let (world, mut users) = announced_users(3).await;
    world.agent.drain().await.unwrap();
    users.sort();
    // Down from its first person on: nobody counts as looked at.
    let down = broken(&world, u32::MAX).build();
    down.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap_err();
    let whole = world.agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    assert_eq!(whole.looked_at, 3);

    let unfinished = ReconciliationCursor { done_to: Some(users[1]), finished_at: None, ..cursor(&world).await };
    assert_eq!(unfinished.v, V1);
    let bytes = contract::to_bytes(&unfinished);
    let blobs = &world.storage().blobs;
    let name = names::reconciliation_cursor("ad");
    blobs.put(Container::Agents, &name, "application/json", bytes.into(), &Default::default()).await.unwrap();
    let rest = world.agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    assert_eq!(rest.looked_at, 1);
    world.end().await;
}

/// The photos of these users are in the trail and announced, and nothing is written yet.
pub(crate) async fn announced(world: &World, people: &[UserId]) {
    for user in people {
        world.sim.tenant().change_photo(guid(*user)).unwrap();
    }
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
}

async fn announced_users(count: usize) -> (World, Vec<UserId>) {
    let world = world(count).await;
    let users: Vec<UserId> = (0..count).map(|at| world.user(at)).collect();
    announced(&world, &users).await;
    (world, users)
}

pub(crate) async fn world(users: usize) -> World {
    let sim = graph_sim::SimConfig { users, with_photo: 0.0, ..Default::default() };
    World::with(Setup { sim, ..Setup::default() }).await
}

/// An agent whose target does not work the first times it is asked.
fn broken(world: &World, down: u32) -> AgentBuilder {
    let folder = FolderConnector::open(&world.dir().join("written"), "thumbnailPhoto", 1024 * 1024).unwrap();
    AgentBuilder::new(world.storage(), world.tenant_id(), Broken { folder, down: AtomicU32::new(down) })
}

pub(crate) fn daily() -> FullReconciliationSettings {
    let serving = Targets::default().all()[0].clone();
    FullReconciliationSettings { every: Duration::from_secs(24 * 3600), serving }
}

async fn heartbeat(world: &World) -> Option<Heartbeat> {
    let name = names::heartbeat(TARGET, AGENT);
    let bytes = world.storage().blobs.get(Container::Agents, &name, 65_536).await.unwrap()?;
    Some(contract::parse(&bytes).unwrap())
}

async fn cursor(world: &World) -> ReconciliationCursor {
    let bytes =
        world.storage().blobs.get(Container::Agents, &names::reconciliation_cursor("ad"), 65_536).await.unwrap();
    contract::parse(&bytes.unwrap()).unwrap()
}

pub(crate) fn file(world: &World, user: UserId) -> std::path::PathBuf {
    let shown = Digest::of(&world.written(user).unwrap());
    let files = std::fs::read_dir(world.dir().join("written")).unwrap().map(|file| file.unwrap().path());
    let mut photos = files.filter(|path| path.is_file());
    photos.find(|path| Digest::of(&std::fs::read(path).unwrap()) == shown).unwrap()
}

async fn patiently(happened: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), happened).await.expect("it does not happen");
}

/// A folder that cannot be used for a while.
#[derive(Debug)]
struct Broken {
    folder: FolderConnector,
    down: AtomicU32,
}

#[async_trait]
impl Connector for Broken {
    fn rendition(&self) -> &str {
        self.folder.rendition()
    }

    fn limit(&self) -> u64 {
        self.folder.limit()
    }

    fn server(&self) -> String {
        self.folder.server()
    }

    async fn find(&self, user: UserId, identity: &Identity) -> Result<(EntryRef, Option<Bytes>), ConnectorError> {
        let left = self.down.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(ConnectorError::Down("the folder is out of order".to_owned())),
            Err(_) => self.folder.find(user, identity).await,
        }
    }

    async fn read(&self, entry: &EntryRef) -> Result<Option<Bytes>, ConnectorError> {
        self.folder.read(entry).await
    }

    async fn replace(
        &self,
        entry: &EntryRef,
        read: Option<&Bytes>,
        new: Option<&Bytes>,
    ) -> Result<Replacement, ConnectorError> {
        self.folder.replace(entry, read, new).await
    }
}
