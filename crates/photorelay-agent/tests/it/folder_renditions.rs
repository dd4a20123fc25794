//! A folder with several renditions of each photo: they come and go together, by one decision.

use std::fs;
use std::path::PathBuf;

use photorelay_agent::agent::Agent;
use photorelay_agent::connectors::Connector as _;
use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::policy::{ForeignPolicy, RemovalPolicy, WritePolicy};
use photorelay_agent::writeback::{ClearingLimit, UndoOutcome};
use photorelay_core::contract::{Outcome, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::undo::UndoStep;
use testkit::agent::AgentBuilder;
use testkit::process::{Variables, agent_command, text};
use testkit::world::{Setup, World, fixture, guid};

use crate::agent_forget::forgotten;
use crate::agent_policy::{approvals, kept, look_again, operator};

fn connector(world: &World) -> FolderConnector {
    let folder = FolderConnector::open(&world.dir().join("written"), "thumbnailPhoto", 1024 * 1024).unwrap();
    folder.with_further(vec!["portrait".to_owned()]).with_manifest()
}

fn builder(world: &World, policy: WritePolicy) -> AgentBuilder {
    AgentBuilder::new(world.storage(), world.tenant_id(), connector(world)).policy(policy)
}

fn agent(world: &World, policy: WritePolicy) -> Agent {
    builder(world, policy).build()
}

/// Users without a photo, and an agent that writes two renditions.
async fn world(users: usize, policy: WritePolicy) -> World {
    let sim = graph_sim::SimConfig { users, with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut photorelay::config::AppConfig| {
        config.capture.hold = std::time::Duration::ZERO;
        config.capture.renditions =
            ["thumbnailPhoto:96:10240", "portrait:240:30720"].map(|spec| spec.parse().unwrap()).to_vec();
    };
    let mut world = World::with(Setup { sim, edit, ..Setup::default() }).await;
    world.agent = agent(&world, policy);
    world
}

fn set_photo(world: &World, user: UserId, photo: &str) {
    world.sim.tenant().set_photo(guid(user), &fixture(photo)).unwrap();
}

/// The user's two files.
fn paths(world: &World, user: UserId) -> [PathBuf; 2] {
    let account = world.sim.tenant().user(guid(user)).unwrap().on_premises_sam_account_name.unwrap();
    ["", "portrait/"].map(|folder| world.dir().join(format!("written/{folder}{}.jpg", account.to_lowercase())))
}

fn shown(world: &World, user: UserId) -> [Option<Digest>; 2] {
    paths(world, user).map(|path| fs::read(path).ok().map(|photo| Digest::of(&photo)))
}

/// What the newest entry has of both.
async fn wanted(world: &World, user: UserId) -> [Option<Digest>; 2] {
    let newest = world.trail(user).await.pop().unwrap().entry;
    let of = |name: &str| newest.renditions.iter().find(|facts| facts.name == name).map(|facts| facts.sha256);
    [of("thumbnailPhoto"), of("portrait")]
}

async fn manifest(world: &World) -> Vec<[String; 3]> {
    connector(world).settle().await.unwrap();
    let text = fs::read(world.dir().join("written/manifest.csv")).unwrap();
    let lines = csv::Reader::from_reader(&*text).into_records().map(Result::unwrap);
    lines.map(|line| [1, 2, 5].map(|column| line[column].to_owned())).collect()
}

#[tokio::test]
async fn every_rendition_of_a_photo_is_written_and_has_its_line_in_the_manifest() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    for photo in ["astronaut-648.jpg", "cat-648.jpg"] {
        set_photo(&world, user, photo);
        world.settle().await;
        let wanted = wanted(&world, user).await;
        assert!(wanted[1].is_some() && wanted[0] != wanted[1], "{wanted:?}");
        assert_eq!(shown(&world, user), wanted);
        let lines = manifest(&world).await;
        assert!(lines[1][0].starts_with("portrait/") && lines[1][0].ends_with(&lines[0][0]), "{lines:?}");
        let digests = wanted.map(|wanted| wanted.unwrap().to_string());
        assert_eq!([&lines[0][1..], &lines[1][1..]], [[&digests[0], "present"], [&digests[1], "present"]]);
    }
    let [_, portrait] = paths(&world, user);
    fs::remove_file(portrait).unwrap();
    assert_eq!(manifest(&world).await[1][2], "removed");
    let plan = builder(&world, WritePolicy::default()).reconciler().plan(user).await.unwrap().unwrap();
    assert_eq!(plan.state.as_str(), "different", "{plan}");
    look_again(&world, user).await;
    assert_eq!(shown(&world, user), wanted(&world, user).await, "what is missing beside a photo is written again");
    world.end().await;
}

#[tokio::test]
async fn a_removal_takes_every_rendition_with_one_deletion_slot() {
    let one_a_day = WritePolicy { removal: RemovalPolicy::Clear, removals_per_day: Some(1), ..WritePolicy::default() };
    let world = world(2, one_a_day).await;
    let users = [world.user(0), world.user(1)];
    for user in users {
        set_photo(&world, user, "astronaut-648.jpg");
    }
    world.settle().await;
    assert_eq!(manifest(&world).await.len(), 4);
    for user in users {
        world.sim.tenant().remove_photo(guid(user)).unwrap();
    }
    world.settle().await;
    let mut left = users.map(|user| shown(&world, user).iter().flatten().count());
    left.sort_unstable();
    assert_eq!(left, [0, 2], "one user lost both, the other none");
    let held = users.into_iter().find(|user| shown(&world, *user)[0].is_some()).unwrap();
    approvals(&world).decide(held, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert_eq!(shown(&world, held), [None, None]);
    assert_eq!(manifest(&world).await.iter().filter(|line| line[2] == "removed").count(), 4);
    world.end().await;
}

#[tokio::test]
async fn a_file_that_photorelay_did_not_write_keeps_its_place_beside_the_photo() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    let [photo, portrait] = paths(&world, user);
    fs::create_dir(portrait.parent().unwrap()).unwrap();
    fs::write(&portrait, b"from the badge office").unwrap();
    set_photo(&world, user, "astronaut-648.jpg");
    world.settle().await;
    let receipt = world.receipt(user, 1).await.unwrap();
    assert_eq!(receipt.outcome, Outcome::Refused);
    assert!(receipt.reason.unwrap().contains("rendition `portrait` is not of photorelay"));
    assert!(!photo.exists(), "all of it or nothing");
    assert_eq!(fs::read(&portrait).unwrap(), b"from the badge office");

    let overwrite = WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() };
    let mut world = world;
    world.agent = agent(&world, overwrite);
    look_again(&world, user).await;
    assert_eq!(shown(&world, user), wanted(&world, user).await);
    assert!(kept(&world, user, b"from the badge office").await.is_some(), "it is backed up");
    world.end().await;
}

#[tokio::test]
async fn undoing_and_forgetting_leave_no_rendition() {
    let world = world(2, WritePolicy::default()).await;
    let [undone, gone] = [world.user(0), world.user(1)];
    for user in [undone, gone] {
        set_photo(&world, user, "astronaut-648.jpg");
    }
    world.settle().await;
    let reconciler = builder(&world, WritePolicy::default()).reconciler();
    let undo = reconciler.undo(undone, &operator(), ClearingLimit::Confirmed).await.unwrap();
    assert!(matches!(undo, UndoOutcome::Undone(UndoStep::Clear(_))), "{undo:?}");
    assert_eq!(shown(&world, undone), [None, None]);
    look_again(&world, undone).await;
    assert_eq!(shown(&world, undone), [None, None], "an operator wanted it so");

    let [photo, _] = paths(&world, gone);
    fs::remove_file(photo).unwrap();
    forgotten(&world, gone).await;
    world.settle().await;
    assert_eq!(shown(&world, gone), [None, None], "also where only the photo had been deleted by hand");
    world.end().await;
}

#[tokio::test]
async fn the_setting_names_further_renditions_and_a_wrong_one_is_refused() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    let settings = |further: &str| -> Variables {
        vec![
            ("PHOTORELAY_FOLDER_PATH", world.dir().join("written").display().to_string()),
            ("PHOTORELAY_FOLDER_MORE_RENDITIONS", further.to_owned()),
        ]
    };
    for (further, problem) in [
        ("../x", "`../x` is no name of a rendition"),
        ("portrait,Portrait", "`Portrait` is written already"),
        ("thumbnailPhoto", "`thumbnailPhoto` is written already"),
    ] {
        let refused = agent_command(&world, &settings(further), &["once"]).await;
        assert!(text(&refused.stderr).contains(problem), "{}", text(&refused.stderr));
    }
    let once = agent_command(&world, &settings("portrait"), &["once"]).await;
    assert!(once.status.success(), "{}", text(&once.stderr));
    assert_eq!(shown(&world, user), wanted(&world, user).await);
    world.end().await;
}
