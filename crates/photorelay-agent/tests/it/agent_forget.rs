//! After `forget`, nothing in the storage and in the folder shows the person any more.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use photorelay::operate::forget::{Forget, forget};
use photorelay_agent::policy::WritePolicy;
use photorelay_core::contract::{EntryKind, Outcome, Verdict};
use photorelay_core::id::UserId;
use photorelay_core::names::Container;
use photorelay_core::photo::{Fingerprint, PhotoLimits, decode};
use photorelay_core::store::list_all;
use photorelay_core::target::Targets;
use testkit::world::{World, fixture, guid};

use crate::agent_policy::*;

pub(crate) async fn forgotten(world: &World, user: UserId) -> String {
    let wanted = Forget { tenant: Some(world.tenant_id()), user, signature: operator() };
    forget(world.storage(), &Targets::default(), wanted).await.unwrap().to_string()
}

/// Every file below this folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether these bytes are a picture, or hold one as a text of a JSON document.
fn shows_a_person(bytes: &[u8]) -> bool {
    if decode(&Bytes::copy_from_slice(bytes), &PhotoLimits::default()).is_ok() {
        return true;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match serde_json::from_str(text) {
        Ok(document) => texts(&document).iter().any(|text| text_shows_a_person(text)),
        Err(_) => text_shows_a_person(text),
    }
}

fn text_shows_a_person(text: &str) -> bool {
    let hex = |text: &str| -> Option<Vec<u8>> {
        let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
        pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
    };
    let encoded = [STANDARD.decode(text).ok(), URL_SAFE_NO_PAD.decode(text).ok(), hex(text)];
    let is_picture = |bytes: Vec<u8>| bytes.len() > 64 && shows_a_person(&bytes);
    text.parse::<Fingerprint>().is_ok() || encoded.into_iter().flatten().any(is_picture)
}

fn texts(value: &serde_json::Value) -> Vec<String> {
    match value {
        serde_json::Value::String(text) => vec![text.clone()],
        serde_json::Value::Array(values) => values.iter().flat_map(texts).collect(),
        serde_json::Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn after_forget_no_file_of_the_store_or_the_folder_shows_the_person() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    // A value of another writer is held, approved, and so kept beside the receipts; then two photos of ours follow.
    put(&world, user, &fixture("coffee-648.jpg"));
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    let pictures = |world: &World| {
        let files = files(world.dir()).into_iter();
        files.filter(|file| shows_a_person(&std::fs::read(file).unwrap())).collect::<Vec<_>>()
    };
    let mut likenesses = Vec::new();
    for container in [Container::Photos, Container::Receipts] {
        for blob in list_all(&*world.storage().blobs, container, "").await.unwrap() {
            if !blob.name.ends_with(".json") {
                let bytes = world.storage().blobs.get(container, &blob.name, 1 << 22).await.unwrap().unwrap();
                likenesses.push(bytes);
            }
        }
    }
    assert_eq!(likenesses.len(), 5, "two photos and renditions, and the value that was there before");
    assert_eq!(pictures(&world).len(), 6, "these and the file in the folder: {:#?}", pictures(&world));

    let told = forgotten(&world, user).await;
    assert!(told.contains("deleted 4 blobs") && told.contains("deleted 1 value "), "{told}");
    assert!(told.contains("left    0 blobs"), "{told}");
    world.settle().await;
    assert_eq!(pictures(&world), Vec::<PathBuf>::new());
    for file in files(world.dir()) {
        let bytes = std::fs::read(&file).unwrap();
        for likeness in &likenesses {
            let is_in = bytes.windows(likeness.len()).any(|window| window == &likeness[..]);
            assert!(!is_in, "{} holds a photo", file.display());
        }
    }
    assert_eq!(world.trail(user).await.last().unwrap().entry.kind, EntryKind::Forgotten);
    assert_eq!(world.receipt(user, 3).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

#[tokio::test]
async fn a_directory_keeps_what_its_policy_keeps_and_no_copy_is_made_of_it() {
    let samba = testkit::samba::Samba::shared().await;
    let world = crate::directory::world(testkit::world::Store::Embedded, &samba, false).await;
    let account = samba.add("Forgotten One").await;
    let user = account.is(&world, 0, &account.anchor());
    world.change(user).await;
    forgotten(&world, user).await;
    world.settle().await;
    assert!(samba.photo(&account).await.is_some(), "a removal waits for an operator");
    let left = list_all(&*world.storage().blobs, Container::Receipts, "").await.unwrap();
    assert!(left.iter().all(|blob| blob.name.ends_with(".json")), "{left:?}");
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert!(samba.photo(&account).await.is_none());
    let left = list_all(&*world.storage().blobs, Container::Receipts, "").await.unwrap();
    assert!(left.iter().all(|blob| blob.name.ends_with(".json")), "{left:?}");
    world.end().await;
}
