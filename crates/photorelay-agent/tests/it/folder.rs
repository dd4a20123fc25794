//! The folder for badge systems and intranets: names from a template, and a manifest that importers read.

use photorelay_agent::connectors::folder::FolderConnector;
use photorelay_agent::connectors::{Connector as _, ConnectorError};
use photorelay_core::contract::Identity;
use photorelay_core::id::UserId;
use std::fs;
use uuid::Uuid;

use photorelay_core::contract::Outcome;
use photorelay_core::id::Digest;
use testkit::process::{Variables, agent_command, text};
use testkit::world::{Setup, World, guid};

use crate::agent_work::announced;

/// A world of users with these employee numbers, whose photos wait for an agent.
async fn world(employees: &[Option<&str>]) -> World {
    let sim = graph_sim::SimConfig { users: employees.len(), with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut photorelay::config::AppConfig| {
        config.graph.identity_extra = "employeeId".parse().unwrap();
    };
    let world = World::with(Setup { sim, edit, ..Setup::default() }).await;
    for (at, employee) in employees.iter().enumerate() {
        let employee = employee.map(str::to_owned);
        world.sim.tenant().edit_user(guid(world.user(at)), |user| user.employee_id = employee).unwrap();
    }
    let users: Vec<_> = (0..employees.len()).map(|at| world.user(at)).collect();
    announced(&world, &users).await;
    world
}

fn settings(world: &World) -> Variables {
    vec![
        ("PHOTORELAY_FOLDER_PATH", world.dir().join("badges").display().to_string()),
        ("PHOTORELAY_FOLDER_NAME", "{employeeId}".to_owned()),
        ("PHOTORELAY_FOLDER_MANIFEST", "true".to_owned()),
    ]
}

async fn once(world: &World, more: &[(&'static str, &str)]) {
    let mut settings = settings(world);
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let worked = agent_command(world, &settings, &["once"]).await;
    assert!(worked.status.success(), "{}", text(&worked.stderr));
}

fn manifest(world: &World) -> Vec<Vec<String>> {
    let text = fs::read(world.dir().join("badges/manifest.csv")).unwrap();
    assert!(text.starts_with(b"key,file,sha256,bytes,changed,state\r\n"), "{}", String::from_utf8_lossy(&text));
    let lines = csv::Reader::from_reader(&*text).into_records().map(Result::unwrap);
    lines.map(|line| line.iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn files_are_named_by_the_template_and_the_manifest_describes_them() {
    let world = world(&[Some("100042"), Some("-2+3")]).await;
    once(&world, &[("PHOTORELAY_DRY_RUN", "true")]).await;
    assert!(!world.dir().join("badges").exists(), "a dry run writes nothing");
    once(&world, &[]).await;
    let lines = manifest(&world);
    let keys: Vec<(&str, &str)> = lines.iter().map(|line| (line[0].as_str(), line[1].as_str())).collect();
    assert_eq!(keys, [("'-2+3", "'-2+3.jpg"), ("100042", "100042.jpg")], "no cell is a formula");
    let photo = fs::read(world.dir().join("badges/100042.jpg")).unwrap();
    let newest = world.trail(world.user(0)).await.pop().unwrap().entry.renditions[0].sha256;
    assert_eq!(Digest::of(&photo), newest);
    assert_eq!(lines[1][2..4], [newest.to_string(), photo.len().to_string()]);
    assert_eq!(lines[1][5], "present");

    fs::remove_file(world.dir().join("badges/-2+3.jpg")).unwrap();
    once(&world, &[]).await;
    let after = manifest(&world);
    assert_eq!(after[0][..4], ["'-2+3", "'-2+3.jpg", "", ""]);
    assert_eq!((after[0][5].as_str(), &after[1]), ("removed", &lines[1]));
    once(&world, &[]).await;
    assert_eq!(manifest(&world), after, "what has not changed stays as it is");
    world.end().await;
}

#[tokio::test]
async fn a_user_without_a_name_and_the_second_with_one_are_refused_in_a_sentence() {
    let world = world(&[Some("7"), Some("7"), None, Some("../7")]).await;
    once(&world, &[]).await;
    let mut reasons = Vec::new();
    for at in 0..4 {
        let receipt = world.receipt(world.user(at), 1).await.unwrap();
        reasons.push((receipt.outcome, receipt.reason.unwrap_or_default()));
    }
    let written = reasons.iter().filter(|(outcome, _)| *outcome == Outcome::Written).count();
    let refused = |part: &str| reasons.iter().filter(|(_, reason)| reason.contains(part)).count();
    assert_eq!((written, refused("another user has the same file name")), (1, 1), "{reasons:?}");
    assert_eq!((refused("PHOTORELAY_IDENTITY_EXTRA"), refused("cannot name a file")), (1, 1), "{reasons:?}");
    assert_eq!(manifest(&world).len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_folder_of_the_default_template_has_no_manifest_unless_it_is_asked_for() {
    let world = world(&[Some("7")]).await;
    let folder = [("PHOTORELAY_FOLDER_NAME", "{samAccountName}"), ("PHOTORELAY_FOLDER_MANIFEST", "false")];
    once(&world, &folder).await;
    let account = world.sim.tenant().user(guid(world.user(0))).unwrap().on_premises_sam_account_name.unwrap();
    let badges = world.dir().join("badges");
    assert!(badges.join(format!("{}.jpg", account.to_lowercase())).exists() && !badges.join("manifest.csv").exists());
    world.end().await;
}

#[tokio::test]
async fn a_user_who_loses_the_anchor_keeps_the_file_and_no_other_user_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let target = FolderConnector::open(folder.path(), "thumbnailPhoto", 1 << 20).unwrap();
    let person = Identity { sam_account_name: Some("ada".to_owned()), ..Identity::default() };
    let synchronised = Identity { anchor: Some("q83vEg==".to_owned()), ..person.clone() };
    let [ada, other] = [1, 2].map(|at| UserId::from_uuid(Uuid::from_u128(at)));
    let (entry, _) = target.find(ada, &synchronised).await.unwrap();
    target.claim(ada, &synchronised, &entry).await.unwrap();
    target.find(ada, &person).await.unwrap();
    assert!(matches!(target.find(other, &person).await, Err(ConnectorError::Refused(_))));
}
