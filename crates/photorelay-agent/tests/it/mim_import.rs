//! From a photo that changed in Microsoft Graph to an object in MIM's connector space: the agent's feed, read by the
//! scripts of `infra/mim/` in every version of the management agent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use photorelay_core::contract::Verdict;
use photorelay_core::id::{Digest, UserId};
use psma_sim::{AttributeValue, Import, ManagementAgent, PsmaVersion, RunReport};
use testkit::world::{World, fixture, guid};

use crate::agent_policy::{self, approvals, operator};
use crate::mim_agent::{agent, feed, settle, world};
use crate::mim_feed::{Feed, identity, user};

pub(crate) fn importer(version: PsmaVersion, feed: &Path) -> ManagementAgent {
    let mut scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/mim");
    if version == PsmaVersion::V5_5 {
        // It hands over no settings: the scripts read the feed that they lie in.
        let copies = feed.join("scripts");
        fs::create_dir_all(&copies).unwrap();
        for script in ["schema.ps1", "import.ps1", "export.ps1", "password.ps1"] {
            fs::copy(scripts.join(script), copies.join(script)).unwrap();
        }
        scripts = copies;
    }
    let mut agent = ManagementAgent::new(version, &scripts).with("Feed", feed.to_str().unwrap());
    agent.refresh_schema().unwrap().unwrap();
    agent
}

/// Photo and checksum of each object.
pub(crate) fn space(agent: &ManagementAgent) -> BTreeMap<String, Option<(Vec<u8>, String)>> {
    let shown = |object: &psma_sim::ConnectorObject| {
        let photo = object.attributes.get("EXOPhoto").map(|photo| match photo {
            AttributeValue::Binary(bytes) => bytes.clone(),
            AttributeValue::Text(_) => panic!("a photo is binary"),
        });
        photo.map(|photo| match object.attributes.get("EXOPhotoChecksum") {
            Some(AttributeValue::Text(checksum)) => (photo, checksum.clone()),
            other => panic!("{other:?}"),
        })
    };
    agent.connector_space().iter().map(|(dn, object)| (dn.to_owned(), shown(object))).collect()
}

pub(crate) fn clean(agent: &mut ManagementAgent, import: Import) -> RunReport {
    let report = agent.run(import).unwrap();
    assert!(report.is_clean() && report.has_no_hidden_mistake(), "{report:?}");
    report
}

async fn rendition(world: &World, user: UserId) -> (Vec<u8>, String) {
    let digest = world.trail(user).await.pop().unwrap().entry.renditions[0].sha256.to_string();
    let name = feed(world).join("photos").join(&digest[..2]).join(format!("{digest}.jpg"));
    (fs::read(name).unwrap(), digest)
}

#[tokio::test]
async fn a_photo_that_changed_in_graph_is_all_that_a_delta_import_brings() {
    let world = world(5).await;
    for at in 0..4 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    settle(&world).await;
    let mut importers: Vec<_> = PsmaVersion::ALL.into_iter().map(|version| importer(version, &feed(&world))).collect();
    for importer in &mut importers {
        assert_eq!(clean(importer, Import::full().paged(3)).adds, 4);
    }
    let changed = world.user(2);
    world.sim.tenant().set_photo(guid(changed), &fixture("astronaut-648.jpg")).unwrap();
    settle(&world).await;
    let expected = rendition(&world, changed).await;
    assert_eq!(Digest::of(&expected.0).to_string(), expected.1);
    for importer in &mut importers {
        let report = clean(importer, Import::delta().paged(3));
        assert_eq!((report.adds, report.updates, report.deletes), (0, 1, 0));
        assert_eq!(space(importer)[&changed.to_string()].as_ref(), Some(&expected));
    }
    world.end().await;
}

#[tokio::test]
async fn a_removal_is_imported_after_its_approval_and_a_lost_feed_deletes_nothing() {
    let mut world = agent_policy::world(3, Default::default()).await;
    world.agent = agent(&world);
    for at in 0..3 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    settle(&world).await;
    let mut importer = importer(PsmaVersion::V6_1, &feed(&world));
    clean(&mut importer, Import::full().paged(2));
    let gone = world.user(0);
    world.sim.tenant().remove_photo(guid(gone)).unwrap();
    settle(&world).await;
    assert_eq!(clean(&mut importer, Import::delta()).pages, [0], "it waits");
    approvals(&world).decide(gone, Verdict::Approved, &operator()).await.unwrap();
    settle(&world).await;
    assert_eq!(clean(&mut importer, Import::delta()).updates, 1);
    assert_eq!(space(&importer)[&gone.to_string()], None, "the object stays, without photo and checksum");

    let before = space(&importer);
    for lost in ["photos", "segments", "manifests", "current"] {
        let path = feed(&world).join(lost);
        let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        for import in [Import::full().paged(2), Import::delta()] {
            let report = importer.run(import).unwrap();
            assert_eq!((report.deletes, report.has_no_hidden_mistake()), (0, true), "{lost}: {report:?}");
            assert_eq!(space(&importer), before, "{lost}");
        }
    }
    // Elsewhere than on Unix, a file that is open cannot be deleted.
    world.agent = world.agent_builder().build();
    fs::remove_dir_all(feed(&world)).unwrap();
    world.agent = agent(&world);
    world.agent.once().await.unwrap();
    let report = importer.run(Import::delta()).unwrap();
    assert!(report.exception().is_some_and(|message| message.contains("Run a full import")), "{report:?}");
    assert_eq!(clean(&mut importer, Import::full()).deletes, 0);
    assert_eq!(space(&importer), before, "filled again from the trail");
    world.end().await;
}

/// Small numbers from a seed: the same history in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(sides)) as u32
    }
}

#[tokio::test]
async fn after_any_history_the_connector_space_is_the_feed_in_every_version() {
    for (seed, version) in PsmaVersion::ALL.into_iter().enumerate() {
        let (feed, mut dice) = (Feed::new(), Dice(seed as u64 + 1));
        let mut importer = importer(version, feed.dir.path());
        let mut shown: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
        for step in 0..60_u32 {
            let at = dice.roll(12);
            let photo = format!("photo {step}").into_bytes();
            match dice.roll(6) {
                0..3 => {
                    feed.show(user(at), &identity(at), Some(&photo)).await;
                    shown.insert(user(at).to_string(), Some(photo));
                }
                3 => {
                    feed.show(user(at), &identity(at), None).await;
                    shown.insert(user(at).to_string(), None);
                }
                4 => {
                    feed.store.remove(user(at)).unwrap();
                    shown.remove(&user(at).to_string());
                }
                _ => {
                    feed.publish();
                    let size = 1 + dice.roll(5) as usize;
                    let stopped = Import::delta().paged(size).stopped_after(dice.roll(3) as usize);
                    assert_eq!(importer.run(stopped).unwrap().errors, []);
                    let mut report = importer.run(Import::delta().paged(size)).unwrap();
                    if report.exception().is_some() {
                        report = importer.run(Import::full().paged(size)).unwrap();
                    }
                    // A feed that never had anybody is refused as a whole.
                    assert!(report.is_clean() || shown.is_empty(), "{version:?} {report:?}");
                    let found: BTreeMap<_, _> =
                        space(&importer).into_iter().map(|(dn, shown)| (dn, shown.map(|(photo, _)| photo))).collect();
                    assert_eq!(found, shown, "{version:?} step {step}");
                }
            }
        }
    }
}
