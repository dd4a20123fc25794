//! The feed as the agent keeps it: from a photo that changed to what an importer finds, with approvals, successions and
//! losses, and the commands of an operator.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::mim::{FeedReader, FeedStore, LineState, MimConnector, PersonLine, Publication};
use photorelay_agent::policy::WritePolicy;
use photorelay_agent::publisher::FeedPublisher;
use photorelay_core::contract::Verdict;
use photorelay_core::id::UserId;
use testkit::agent::{AgentBuilder, TARGET};
use testkit::answers::assert_documented;
use testkit::process::{agent_command, text};
use testkit::world::{Setup, World, fixture, guid};

use crate::agent_policy::{self, approvals, look_again, operator};
use crate::agent_work::daily;
use crate::mim_feed::settings;

pub(crate) fn feed(world: &World) -> PathBuf {
    world.dir().join("feed")
}

/// An agent whose target is the feed, as `photorelay-agent` builds it.
pub(crate) fn agent(world: &World) -> Agent {
    let settings = settings(&feed(world));
    let connector = MimConnector::new(Arc::new(FeedStore::open(settings.clone()).unwrap()));
    let store = Arc::new(FeedStore::open(settings.clone()).unwrap());
    let publisher = FeedPublisher::new(world.storage(), store, TARGET, settings.publish_every);
    AgentBuilder::new(world.storage(), world.tenant_id(), connector)
        .build()
        .with_full_reconciliation(Some(daily()))
        .with_publisher(Some(publisher))
}

pub(crate) async fn world(users: usize) -> World {
    let sim = graph_sim::SimConfig { users, ..Default::default() };
    let mut world = World::with(Setup { sim, ..Setup::default() }).await;
    world.agent = agent(&world);
    world
}

pub(crate) async fn settle(world: &World) {
    world.settle().await;
    world.agent.once().await.unwrap();
}

fn lines(world: &World) -> Vec<PersonLine> {
    let mut lines = Vec::new();
    let reader = FeedReader::open(&feed(world)).unwrap().unwrap();
    let read = reader.for_each(|line| {
        lines.push(line);
        Ok(())
    });
    read.unwrap();
    lines
}

fn line(world: &World, user: UserId) -> Option<PersonLine> {
    lines(world).into_iter().find(|line| line.user == user)
}

/// Whether the feed shows just what the newest entry's rendition is.
async fn shows_newest(world: &World, user: UserId) -> bool {
    let newest = world.trail(user).await.pop().unwrap();
    let shown = line(world, user).and_then(|line| line.photo).map(|photo| photo.digest);
    shown == newest.entry.renditions.first().map(|rendition| rendition.sha256)
}

#[tokio::test]
async fn a_changed_photo_is_in_the_feed_with_the_digest_of_the_trail() {
    let world = world(3).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    settle(&world).await;
    assert!(shows_newest(&world, user).await);
    assert_eq!(lines(&world).len(), 1, "nobody else changed");
    let rendition = world.trail(user).await.pop().unwrap().entry.renditions[0].sha256;
    assert_eq!(line(&world, user).unwrap().photo.unwrap().checksum, rendition.to_string());
    world.end().await;
}

#[tokio::test]
async fn nothing_is_published_before_a_full_reconciliation_has_finished() {
    let world = world(2).await;
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    world.settle().await;
    let store = Arc::new(FeedStore::open(settings(&feed(&world))).unwrap());
    let publisher = FeedPublisher::new(world.storage(), store, TARGET, Duration::from_secs(1));
    assert_eq!(publisher.publish(false).await.unwrap(), Publication::Filling);
    settle(&world).await;
    assert_eq!(publisher.publish(false).await.unwrap(), Publication::Unchanged, "the agent has published it");
    assert_eq!(lines(&world).len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_removal_reaches_importers_only_after_an_operator_approved_it() {
    let mut world = agent_policy::world(1, WritePolicy::default()).await;
    world.agent = agent(&world);
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    settle(&world).await;
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    settle(&world).await;
    assert_eq!(line(&world, user).unwrap().state, LineState::Photo);
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    settle(&world).await;
    assert_eq!(line(&world, user).unwrap().state, LineState::NoPhoto);
    world.end().await;
}

#[tokio::test]
async fn a_new_object_id_of_the_same_person_replaces_the_old_one_in_the_feed() {
    let world = world(2).await;
    let (earlier, later) = (world.user(0), world.user(1));
    world.sim.tenant().set_photo(guid(earlier), &fixture("astronaut-648.jpg")).unwrap();
    settle(&world).await;
    crate::agent_succession::comes_back(&world, earlier, later);
    world.sim.tenant().set_photo(guid(later), &fixture("cat-648.jpg")).unwrap();
    settle(&world).await;
    assert_eq!(line(&world, earlier).unwrap().state, LineState::Gone);
    assert!(shows_newest(&world, later).await);
    look_again(&world, earlier).await;
    settle(&world).await;
    assert!(shows_newest(&world, later).await, "the old photo stays gone");
    world.end().await;
}

#[tokio::test]
async fn a_lost_feed_is_filled_again_from_the_trail_before_it_is_published() {
    let mut world = world(12).await;
    for at in 0..12 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    settle(&world).await;
    let epoch = FeedReader::open(&feed(&world)).unwrap().unwrap().head.epoch;
    // Elsewhere than on Unix, a file that is open cannot be deleted.
    world.agent = world.agent_builder().build();
    fs::remove_dir_all(feed(&world)).unwrap();
    world.agent = agent(&world);
    world.agent.once().await.unwrap();
    let reader = FeedReader::open(&feed(&world)).unwrap().unwrap();
    assert_ne!(reader.head.epoch, epoch);
    let report = reader.verify().unwrap();
    assert_eq!((report.people, report.photos, report.damaged.len()), (12, 12, 0));
    world.end().await;
}

#[tokio::test]
async fn a_feed_that_lost_nine_of_ten_people_is_not_published_and_raises_one_alert() {
    let mut world = world(40).await;
    for at in 0..40 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    settle(&world).await;
    let state = rusqlite::Connection::open(feed(&world).join("state/feed.sqlite")).unwrap();
    state.execute("DELETE FROM people WHERE user_id NOT IN (SELECT user_id FROM people LIMIT 4)", []).unwrap();
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    settle(&world).await;
    assert_eq!(lines(&world).len(), 40, "importers keep the last publication");
    let status = world.app.watch.status(Timestamp::now()).await.unwrap();
    let alerts: Vec<_> = status.alerts.iter().filter(|alert| alert.alert == "feed_withheld").collect();
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].text.contains("40 to"), "{}", alerts[0].text);

    world.agent.full_reconciliation(daily()).run(&Default::default()).await.unwrap();
    world.agent = agent(&world);
    world.agent.once().await.unwrap();
    assert!(shows_newest(&world, world.user(0)).await, "filled again, it is published by itself");
    let status = world.app.watch.status(Timestamp::now()).await.unwrap();
    assert!(status.alerts.iter().all(|alert| alert.alert != "feed_withheld"));
    world.end().await;
}

#[tokio::test]
async fn the_commands_of_the_feed_say_what_is_published_and_what_a_change_of_settings_needs() {
    let world = world(3).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    settle(&world).await;
    let mim = [("PHOTORELAY_MIM_PATH", feed(&world).display().to_string())];
    let ran = async |arguments: &[&str], more: &[(&'static str, String)]| {
        let target = [&mim[..], more].concat();
        let done = agent_command(&world, &target, arguments).await;
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, status) = ran(&["mim", "status"], &[]).await;
    assert!(code == Some(0) && status.contains("people         1, 1 with a photo"), "{status}");
    let (code, doctor) = ran(&["doctor"], &[]).await;
    assert!(code == Some(0) && doctor.contains("1 person, 1 with a photo"), "{doctor}");
    let (_, drift) = ran(&["drift"], &[]).await;
    assert!(drift.contains("0 differ"), "{drift}");

    let md5 = [("PHOTORELAY_MIM_CHECKSUM", "md5".to_owned())];
    let (code, refused) = ran(&["once"], &md5).await;
    assert!(code != Some(0) && refused.contains("mim rebuild"), "{refused}");
    assert!(ran(&["mim", "rebuild"], &md5).await.1.contains("with 1 person: run"));
    assert!(ran(&["mim", "publish"], &md5).await.1.contains("1 person, 1 with a photo"));
    let photo = line(&world, user).unwrap().photo.unwrap();
    let name = photo.digest.to_string();
    let file = feed(&world).join("photos").join(&name[..2]).join(format!("{name}.jpg"));
    let (_, hashes) = ran(&["mim", "hash", file.to_str().unwrap()], &[]).await;
    assert!(hashes.contains(&photo.checksum) && hashes.contains(&name), "{hashes}");

    // One who is not in it, or cannot be removed, holds up no other.
    let state = rusqlite::Connection::open(feed(&world).join("state/feed.sqlite")).unwrap();
    let [other, kept] = [1, 2].map(|at| world.user(at).to_string());
    let columns = "key, anchor, sid, sam_account_name, domain, photo, bytes, checksum, sequence, prefix";
    let copy = format!(
        "INSERT INTO people (user_id, {columns}) SELECT '{kept}', {} FROM people;
         CREATE TRIGGER kept BEFORE DELETE ON people WHEN OLD.user_id = '{kept}' BEGIN SELECT RAISE(ABORT, 'it is kept'); END",
        columns.replace("key, anchor", "'k', 'a'")
    );
    state.execute_batch(&copy).unwrap();
    let (code, removed) = ran(&["mim", "remove", &kept, &other, &user.to_string()], &md5).await;
    assert!(code == Some(1) && removed.contains("1 user leaves the feed"), "{removed}");
    assert!(removed.contains(&format!("not in the feed: {other}")) && removed.contains("it is kept"), "{removed}");
    state.execute_batch(&format!("DROP TRIGGER kept; DELETE FROM people WHERE user_id = '{kept}'")).unwrap();
    assert!(ran(&["mim", "publish"], &md5).await.1.contains("0 people"));
    assert_eq!(line(&world, user).unwrap().state, LineState::Gone);
    world.end().await;
}

#[tokio::test]
async fn the_commands_of_the_feed_answer_as_json() {
    let world = world(2).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    settle(&world).await;
    let mim = vec![("PHOTORELAY_MIM_PATH", feed(&world).display().to_string())];
    let answer = async |arguments: &[&str]| {
        let done = agent_command(&world, &mim, &[&["mim"], arguments, &["--json"]].concat()).await;
        assert!(done.status.success(), "{arguments:?}: {}{}", text(&done.stdout), text(&done.stderr));
        assert_documented(&format!("photorelay-agent mim {}", arguments[0]), &done.stdout)
    };
    assert_eq!(answer(&["status"]).await["feed"]["people"], 1);
    assert!(answer(&["publish"]).await["published"].is_null(), "nothing has changed");
    let file = world.dir().join("people.ldif").display().to_string();
    let exported = answer(&["ldif", &file]).await;
    assert_eq!((&exported["written"], &exported["isDelta"]), (&1.into(), &false.into()));
    let name = line(&world, user).unwrap().photo.unwrap().digest.to_string();
    let photo = feed(&world).join("photos").join(&name[..2]).join(format!("{name}.jpg"));
    assert_eq!(answer(&["hash", photo.to_str().unwrap()]).await["sha256"], name);
    assert_eq!(answer(&["remove", &user.to_string()]).await["userId"], user.to_string());
    let gone = agent_command(&world, &mim, &["mim", "remove", &world.user(1).to_string(), "--json"]).await;
    assert_eq!((gone.status.code(), text(&gone.stdout).as_str()), (Some(1), ""));
    assert_eq!(answer(&["publish"]).await["published"]["people"], 0);
    assert_eq!(answer(&["rebuild"]).await["people"], 0);
    world.end().await;
}
