//! Moving from a management agent that imports photos already to the feed: what csexport wrote of its connector space is
//! compared and adopted, at the command line. The files here have the form that Microsoft documents for csexport.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use photorelay_agent::connectors::mim::{FeedReader, PersonLine};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::photo::{PhotoLimits, RenditionSpec, decode};
use psma_sim::{Import, PsmaVersion};
use serde_json::Value;
use testkit::answers::assert_documented;
use testkit::process::{agent_command, text};
use testkit::world::{World, fixture, guid};

use crate::mim_agent::{feed, settle, world};
use crate::mim_feed::line_of;
use crate::mim_import::{clean, importer, space};

/// What a hologram says of an object.
fn entry(key: &str, photo: Option<&[u8]>, checksum: &str) -> String {
    let mut attributes = format!("<attr name=\"EXOUserKey\" type=\"string\"><value>{key}</value></attr>");
    if let Some(photo) = photo {
        let encoded = STANDARD.encode(photo);
        let lines: Vec<_> = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy).collect();
        write!(
            attributes,
            "<attr name=\"EXOPhoto\" type=\"binary\" multivalued=\"false\">\r\n<value encoding=\"base64\">{}</value>\r\n\
             </attr>\r\n<attr name=\"EXOPhotoChecksum\" type=\"string\"><value>{checksum}</value></attr>\r\n",
            lines.join("\r\n")
        )
        .unwrap();
    }
    format!(
        "<entry dn=\"{key}\">\r\n<anchor encoding=\"base64\">EgAAAA==</anchor>\r\n\
         <primary-objectclass>EXOUser</primary-objectclass>\r\n\
         <objectclass><oc-value>EXOUser</oc-value></objectclass>\r\n{attributes}</entry>\r\n"
    )
}

/// An object of a connector space as csexport writes it.
fn object_of(key: &str, parts: &[(&str, &str)]) -> String {
    let mut object = format!("<cs-object cs-dn=\"{key}\" id=\"{{68C3525F-1235-41EE-BD97-431BE85A0ACA}}\">\r\n");
    for (part, content) in parts {
        write!(object, "<{part}>\r\n{content}</{part}>\r\n").unwrap();
    }
    object + "<connector>1</connector>\r\n</cs-object>\r\n"
}

fn object(key: &str, photo: Option<&[u8]>, checksum: &str) -> String {
    object_of(key, &[("synchronized-hologram", &entry(key, photo, checksum))])
}

fn csexport(objects: &[String]) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<cs-objects>\r\n{}</cs-objects>\r\n", objects.concat())
}

/// The picture in other bytes: what another program made of it.
fn made_elsewhere(photo: &[u8]) -> Vec<u8> {
    let spec = RenditionSpec { name: "old".to_owned(), side: 240, max_bytes: 60_000 };
    decode(photo, &PhotoLimits::default()).unwrap().render(&spec).unwrap().bytes.to_vec()
}

/// Users with these photos in a published feed.
async fn published(photos: &[&str]) -> World {
    let world = world(photos.len() + 1).await;
    for (at, photo) in photos.iter().enumerate() {
        world.sim.tenant().set_photo(guid(world.user(at)), &fixture(photo)).unwrap();
    }
    settle(&world).await;
    world
}

fn file(world: &World, text: impl AsRef<[u8]>) -> PathBuf {
    let file = world.dir().join("exo.xml");
    fs::write(&file, text).unwrap();
    file
}

/// Exit code, stdout and stderr.
async fn mim(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let target = vec![("PHOTORELAY_MIM_PATH", feed(world).display().to_string())];
    let done = agent_command(world, &target, &[&["mim"], arguments].concat()).await;
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

async fn plan(world: &World, file: &Path) -> Value {
    let (code, answer, error) = mim(world, &["plan", file.to_str().unwrap(), "--json"]).await;
    let plan = assert_documented("photorelay-agent mim plan", answer.as_bytes());
    let changes = plan["updates"] != 0 || plan["deletes"] != 0;
    assert_eq!(code, Some(if changes { 2 } else { 0 }), "{answer}{error}");
    plan
}

fn line(world: &World, user: UserId) -> PersonLine {
    line_of(&FeedReader::open(&feed(world)).unwrap().unwrap(), user)
}

#[tokio::test]
async fn what_mim_has_stays_published_for_the_same_picture_until_the_picture_changes() {
    let world = published(&["astronaut-648.jpg", "cat-648.jpg"]).await;
    let [astronaut, cat] = [0, 1].map(|at| world.user(at));
    let old = made_elsewhere(&fixture("astronaut-648.jpg"));
    let other = made_elsewhere(&fixture("coffee-648.jpg"));
    let exported = csexport(&[
        // Keys are compared without case.
        object(&astronaut.to_string().to_uppercase(), Some(&old), "5AE0C1C8A5260BC7B6648F6FBD115C35"),
        object(&cat.to_string(), Some(&other), "00"),
        object("someone-else", Some(&other), "01"),
        object("without-photo", None, ""),
    ]);
    let exo = file(&world, exported);
    let before = plan(&world, &exo).await;
    for (member, count) in [("objects", 4), ("people", 2), ("adds", 0), ("updates", 2), ("newPhotos", 2)] {
        assert_eq!(before[member], count, "{member}: {before}");
    }
    assert_eq!((&before["deletes"], &before["deletesWithPhoto"]), (&2.into(), &1.into()));

    let path = exo.to_str().unwrap();
    let (code, adopted, error) = mim(&world, &["adopt", path, "--json"]).await;
    assert_eq!(code, Some(0), "{error}");
    let adopted = assert_documented("photorelay-agent mim adopt", adopted.as_bytes());
    let counts = ["adopted", "alreadySame", "otherPicture", "undecided", "withoutPhoto", "notInFeed"];
    assert_eq!(counts.map(|count| adopted[count].as_u64().unwrap()), [1, 0, 1, 0, 0, 2], "{adopted}");
    settle(&world).await;
    let shown = line(&world, astronaut).photo.unwrap();
    assert_eq!((shown.digest, shown.checksum.as_str()), (Digest::of(&old), "5AE0C1C8A5260BC7B6648F6FBD115C35"));
    let mut importer = importer(PsmaVersion::V6_1, &feed(&world));
    clean(&mut importer, Import::full());
    let imported = space(&importer).remove(&astronaut.to_string()).unwrap().unwrap();
    assert!(imported == (old.clone(), shown.checksum), "the scripts import what MIM had");
    let after = plan(&world, &exo).await;
    assert_eq!((&after["unchanged"], &after["updates"]), (&1.into(), &1.into()));
    let (_, again, _) = mim(&world, &["adopt", path, "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["alreadySame"], 1);

    let mim_feed = vec![("PHOTORELAY_MIM_PATH", feed(&world).display().to_string())];
    let drift = agent_command(&world, &mim_feed, &["drift"]).await;
    assert!(text(&drift.stdout).contains("0 differ"), "for the agent, the feed shows the rendition");
    world.sim.tenant().set_photo(guid(astronaut), &fixture("coffee-648.jpg")).unwrap();
    settle(&world).await;
    let rendition = world.trail(astronaut).await.pop().unwrap().entry.renditions[0].sha256;
    assert_eq!(line(&world, astronaut).photo.unwrap().digest, rendition, "the picture has changed");
    world.end().await;
}

#[tokio::test]
async fn an_adopted_photo_that_is_lost_makes_way_for_the_rendition_and_goes_with_the_person() {
    let world = published(&["astronaut-648.jpg", "cat-648.jpg"]).await;
    let old = ["astronaut-648.jpg", "cat-648.jpg"].map(|photo| made_elsewhere(&fixture(photo)));
    let objects: Vec<_> = (0..2).map(|at| object(&world.user(at).to_string(), Some(&old[at]), "01")).collect();
    let exo = file(&world, csexport(&objects));
    assert_eq!(mim(&world, &["adopt", exo.to_str().unwrap()]).await.0, Some(0));
    settle(&world).await;
    let photo = |photo: &[u8]| {
        let name = Digest::of(photo).to_string();
        feed(&world).join("photos").join(&name[..2]).join(format!("{name}.jpg"))
    };
    fs::write(photo(&old[0]), b"half").unwrap();
    assert_eq!(mim(&world, &["status"]).await.0, Some(2), "it is damaged");
    crate::agent_policy::look_again(&world, world.user(0)).await;
    settle(&world).await;
    let rendition = world.trail(world.user(0)).await.pop().unwrap().entry.renditions[0].sha256;
    assert_eq!(line(&world, world.user(0)).photo.unwrap().digest, rendition);
    assert_eq!(line(&world, world.user(1)).photo.unwrap().digest, Digest::of(&old[1]), "the other stays");

    assert_eq!(mim(&world, &["remove", &world.user(1).to_string()]).await.0, Some(0));
    let state = rusqlite::Connection::open(feed(&world).join("state/feed.sqlite")).unwrap();
    let left: u32 = state.query_row("SELECT count(*) FROM adopted", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    world.end().await;
}

#[tokio::test]
async fn after_the_import_comparing_finds_nothing_and_before_it_each_object_that_differs() {
    let world = published(&["astronaut-648.jpg", "cat-648.jpg"]).await;
    let users = [0, 1].map(|at| world.user(at));
    let imported = users.map(|user| {
        let photo = line(&world, user).photo.unwrap();
        let name = photo.digest.to_string();
        let file = feed(&world).join("photos").join(&name[..2]).join(format!("{name}.jpg"));
        entry(&user.to_string(), Some(&fs::read(file).unwrap()), &photo.checksum)
    });
    let [first, second] = users.map(|user| user.to_string());
    // Staged and not synchronized yet: a new photo, and a deletion.
    let old = entry(&first, Some(b"old"), "0");
    let staged = [("synchronized-hologram", old.as_str()), ("pending-import-hologram", &imported[0])];
    let staged = object_of(&first, &staged);
    let deletion = "<delta operation=\"delete\" dn=\"gone\"/>";
    let gone = object_of("gone", &[("pending-import", deletion), ("synchronized-hologram", &old)]);
    let unchanged = object_of(&second, &[("synchronized-hologram", &imported[1])]);
    let exo = file(&world, csexport(&[staged, unchanged, gone]));
    let path = exo.to_str().unwrap();
    let (code, said, error) = mim(&world, &["compare", path]).await;
    assert_eq!((code, said.as_str()), (Some(0), "2 objects in MIM, 2 people in the feed, 0 differ\n"), "{error}");

    let exo = file(&world, csexport(&[object(&users[0].to_string(), Some(b"old"), "0"), object("other", None, "")]));
    let (code, said, _) = mim(&world, &["compare", exo.to_str().unwrap(), "--json"]).await;
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&str> = lines.iter().filter_map(|line| line["import"].as_str()).collect();
    assert_eq!((code, steps.len(), lines.len()), (Some(2), 3, 4), "{said}");
    for step in ["add", "update", "delete"] {
        assert!(steps.contains(&step), "{said}");
    }
    let update = lines.iter().find(|line| line["import"] == "update").unwrap();
    assert_eq!(update["mim"]["sha256"], Digest::of(b"old").to_string());
    assert_eq!(update["userId"], users[0].to_string());
    assert!(!said.contains("other"), "a key may be a name: {said}");
    let (_, said, _) = mim(&world, &["compare", exo.to_str().unwrap(), "--names"]).await;
    assert!(said.contains("(other)") && said.contains("2 objects in MIM, 2 people in the feed, 3 differ"), "{said}");
    world.end().await;
}

#[tokio::test]
async fn without_a_file_everyone_in_the_feed_is_an_addition() {
    let world = published(&["astronaut-648.jpg"]).await;
    let (code, said, error) = mim(&world, &["plan"]).await;
    assert!(code == Some(0) && said.contains("adds       1") && said.contains("deletes    0"), "{said}{error}");
    world.end().await;
}

#[tokio::test]
async fn other_names_and_utf_16_are_read_too() {
    let world = published(&["astronaut-648.jpg"]).await;
    let old = made_elsewhere(&fixture("astronaut-648.jpg"));
    let object = object("CN=M\u{fc}ller &amp; S\u{f6}hne", Some(&old), "01");
    let object = object.replacen(
        "<value>CN=M\u{fc}ller &amp; S\u{f6}hne</value>",
        &format!("<value>{}</value>", world.user(0)),
        1,
    );
    let exported = csexport(&[object.replace("EXOPhoto\"", "Photo\"")]).replace("UTF-8", "UTF-16");
    let bytes = [0xfeff].into_iter().chain(exported.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let exo = file(&world, bytes);
    let path = exo.to_str().unwrap();
    let (_, _, error) = mim(&world, &["plan", path]).await;
    assert!(error.contains("--photo-attribute"), "{error}");
    let named = ["adopt", path, "--photo-attribute", "photo", "--key-attribute", "EXOUserKey", "--json"];
    let (code, adopted, error) = mim(&world, &named).await;
    assert!(code == Some(0) && adopted.contains("\"adopted\": 1"), "{adopted}{error}");
    let (_, adopted, _) = mim(&world, &["adopt", path, "--photo-attribute", "photo"]).await;
    assert!(adopted.contains("no object has a key of the feed"), "{adopted}");
    world.end().await;
}

#[tokio::test]
async fn whatever_is_no_csexport_is_refused_with_what_to_do_and_changes_nothing() {
    let world = published(&["astronaut-648.jpg"]).await;
    let current = fs::read(feed(&world).join("current")).unwrap();
    let old = made_elsewhere(&fixture("astronaut-648.jpg"));
    // Of a file that breaks later, the first could be adopted.
    let whole = csexport(&[object(&world.user(0).to_string(), Some(&old), "0"), object("other", Some(b"x"), "0")]);
    let long = "x".repeat(1025);
    let deep = format!("<cs-objects>{}", "<a>".repeat(100));
    let endless = format!("<cs-objects><cs-object cs-dn=\"{}", "x".repeat(17 << 20));
    let entity = whole.replace("<cs-objects>", "<!DOCTYPE x [<!ENTITY a \"b\">]><cs-objects>");
    for (text, expected) in [
        ("", "it is empty, or no XML"),
        ("PK\u{3}\u{4} this is a zip", "no XML"),
        ("<html><body>Sign in</body></html>", "its outermost element is not `cs-objects`"),
        (whole.rsplit_once("</cs-object>").unwrap().0, "ends in the middle"),
        (whole.rsplit_once('>').unwrap().0, "before end of input"),
        ("<cs-objects><cs-object></cs-objects>", "near byte"),
        (&whole.replace("cs-dn=\"other\"", &format!("cs-dn=\"{long}\"")), "object 2 has more than 1024 bytes"),
        (&whole.replace("<value>0</value>", &format!("<value>{long}</value>")), "more than 1024 bytes"),
        (&deep, "nested too deeply"),
        (&endless, "too long"),
        (&entity, "document type"),
        (&whole.replace("<value>0</value>", "<value>&nbsp;</value>"), "entity"),
    ] {
        let exo = file(&world, text);
        for command in ["plan", "adopt", "compare"] {
            let (code, said, error) = mim(&world, &[command, exo.to_str().unwrap()]).await;
            assert_eq!((code, said.as_str()), (Some(1), ""), "{error}");
            assert!(error.contains(expected) && error.contains("csexport \"<management agent>\""), "{error}");
        }
    }
    let (code, _, error) = mim(&world, &["adopt", "missing.xml"]).await;
    assert!(code == Some(1) && error.contains("missing.xml"), "{error}");

    let exo = file(&world, "");
    File::options().write(true).open(&exo).unwrap().set_len(2 << 30).unwrap();
    let (code, _, error) = mim(&world, &["adopt", exo.to_str().unwrap()]).await;
    assert!(code == Some(1) && error.contains("2048 MiB") && error.contains("--max-mib 2048"), "{error}");
    world.agent.once().await.unwrap();
    assert_eq!(fs::read(feed(&world).join("current")).unwrap(), current);
    world.end().await;
}

#[tokio::test]
async fn what_was_adopted_is_logged_and_taken_back_for_some_users_or_for_all() {
    let world = published(&["astronaut-648.jpg", "cat-648.jpg", "coffee-648.jpg"]).await;
    let photos = ["astronaut-648.jpg", "cat-648.jpg", "coffee-648.jpg"];
    let old = photos.map(|photo| made_elsewhere(&fixture(photo)));
    let users = [0, 1, 2].map(|at| world.user(at));
    let renditions = users.map(|user| line(&world, user).photo.unwrap());
    let objects: Vec<_> = (0..3).map(|at| object(&users[at].to_string(), Some(&old[at]), "01")).collect();
    let exo = file(&world, csexport(&objects));
    let settings =
        vec![("PHOTORELAY_MIM_PATH", feed(&world).display().to_string()), ("PHOTORELAY_LOG", "info".to_owned())];
    let done = agent_command(&world, &settings, &["mim", "adopt", exo.to_str().unwrap()]).await;
    let logged = text(&done.stderr);
    for (user, (old, rendition)) in users.iter().zip(old.iter().zip(&renditions)) {
        let expected = [user.to_string(), Digest::of(old).to_string(), rendition.digest.to_string()];
        assert!(logged.lines().any(|line| expected.iter().all(|text| line.contains(text))), "{logged}");
    }
    settle(&world).await;

    let [first, second, third] = users.map(|user| user.to_string());
    let unknown = world.user(3).to_string();
    let (code, said, error) = mim(&world, &["adopt", "--end", &first, &unknown]).await;
    assert!(code == Some(1) && said.contains("1 rendition is published"), "{said}{error}");
    assert!(error.contains(&format!("nothing is adopted for {unknown}")), "{error}");
    settle(&world).await;
    assert_eq!(line(&world, users[0]).photo.unwrap(), renditions[0]);
    assert_eq!(line(&world, users[1]).photo.unwrap().digest, Digest::of(&old[1]), "the others stay");

    let (code, said, error) = mim(&world, &["adopt", "--end", &second, "--json"]).await;
    let ended = assert_documented("photorelay-agent mim adopt --end", said.as_bytes());
    assert_eq!((code, &ended["ended"]), (Some(0), &1.into()), "{error}");
    let (_, said, _) = mim(&world, &["adopt", "--end", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["ended"], 1, "{third} is left");
    settle(&world).await;
    assert_eq!(users.map(|user| line(&world, user).photo.unwrap()), renditions);
    let (code, said, _) = mim(&world, &["adopt", "--end"]).await;
    assert!(code == Some(0) && said.contains("0 renditions are"), "{said}");
    let (code, _, error) = mim(&world, &["adopt", exo.to_str().unwrap(), "--end"]).await;
    assert!(code == Some(2) && error.contains("cannot be used with"), "{error}");
    world.end().await;
}
