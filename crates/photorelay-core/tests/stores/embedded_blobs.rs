//! Behaviour of blobs in a folder: readable files, several processes, a full disk, leftovers of killed processes.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use photorelay_core::names::Container;
use photorelay_core::store::embedded::EmbeddedBlobs;
use photorelay_core::store::{BlobStore, Creation, Listing, Metadata, StoreError, list_all};

const LIMIT: u64 = 1 << 20;

async fn open(folder: &Path) -> EmbeddedBlobs {
    let blobs = EmbeddedBlobs::open(folder).unwrap();
    for container in Container::ALL {
        blobs.ensure_container(container).await.unwrap();
    }
    blobs
}

fn content() -> Bytes {
    Bytes::from_static(b"content")
}

fn etag(etag: &str) -> Metadata {
    Metadata::from([("etag".to_owned(), etag.to_owned())])
}

async fn metadata_of_all(blobs: &EmbeddedBlobs) -> Vec<Metadata> {
    let listing = Listing { with_metadata: true, ..Listing::of("") };
    blobs.list(Container::State, listing).await.unwrap().blobs.into_iter().map(|blob| blob.metadata).collect()
}

#[tokio::test]
async fn blobs_are_plain_readable_files() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path()).await;
    blobs.create(Container::Audit, "some-user/00000001.json", "application/json", content()).await.unwrap();
    blobs.create(Container::Photos, "some-user/5e88", "image/jpeg", content()).await.unwrap();
    assert_eq!(fs::read(folder.path().join("audit/some-user/00000001.json")).unwrap(), b"content");
    assert_eq!(fs::read(folder.path().join("photos/some-user/5e88.blob")).unwrap(), b"content");
    assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0, "nothing is left half-written");
}

#[tokio::test]
async fn a_foreign_file_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path()).await;
    fs::create_dir(folder.path().join("audit/some-user")).unwrap();
    fs::write(folder.path().join("audit/some-user/inserted by hand.json"), "x").unwrap();
    let listed = list_all(&blobs, Container::Audit, "").await.unwrap();
    assert_eq!(listed[0].name, "some-user/inserted by hand.json");
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path()).await;
    blobs.put(Container::State, "users/x.json", "application/json", content(), &etag("1")).await.unwrap();
    drop(blobs);
    let blobs = EmbeddedBlobs::open(folder.path()).unwrap();
    assert_eq!(blobs.get(Container::State, "users/x.json", LIMIT).await.unwrap().unwrap(), content());
    assert_eq!(metadata_of_all(&blobs).await, [etag("1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_folder_agree_on_who_created() {
    let folder = tempfile::tempdir().unwrap();
    let stores = [open(folder.path()).await, EmbeddedBlobs::open(folder.path()).unwrap()];
    for round in 0..20 {
        let name = format!("person-{round}/00000001.json");
        let race = (0..8).map(|writer| {
            let (blobs, name) = (stores[writer % 2].clone(), name.clone());
            async move { blobs.create(Container::Audit, &name, "application/json", content()).await.unwrap() }
        });
        let created = futures::future::join_all(race).await;
        assert_eq!(created.iter().filter(|creation| **creation == Creation::Created).count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_puts_never_show_metadata_of_other_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path()).await;
    for round in 0..50 {
        let race = (0..4).map(|writer| {
            let blobs = blobs.clone();
            async move {
                let mine = format!("{round}-{writer}");
                let bytes = Bytes::from(mine.clone());
                blobs.put(Container::State, "head.json", "application/json", bytes, &etag(&mine)).await.unwrap();
            }
        });
        futures::future::join_all(race).await;
        let bytes = blobs.get(Container::State, "head.json", LIMIT).await.unwrap().unwrap();
        let metadata = metadata_of_all(&blobs).await.remove(0);
        let shown = metadata.get("etag").map(|etag| Bytes::from(etag.clone()));
        assert!(shown.is_none() || shown.as_ref() == Some(&bytes), "{shown:?} is shown for {bytes:?}");
    }
}

#[tokio::test]
async fn metadata_of_a_put_that_was_cut_short_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = open(folder.path()).await;
    blobs.put(Container::State, "head.json", "application/json", content(), &etag("old")).await.unwrap();
    assert_eq!(metadata_of_all(&blobs).await, [etag("old")]);
    // The leftovers of a process killed after writing the bytes and before the metadata.
    fs::write(folder.path().join("state/new"), "CONTENT").unwrap();
    fs::rename(folder.path().join("state/new"), folder.path().join("state/head.json")).unwrap();
    assert_eq!(metadata_of_all(&blobs).await, [Metadata::new()]);
    fs::write(folder.path().join(".metadata/state/head.json.json"), "{torn").unwrap();
    assert_eq!(metadata_of_all(&blobs).await, [Metadata::new()]);
}

#[tokio::test]
async fn what_the_killed_left_is_removed_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).await;
    let (old, fresh) = (folder.path().join(".tmp/old"), folder.path().join(".tmp/fresh"));
    for file in [&old, &fresh] {
        fs::write(file, "half").unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    EmbeddedBlobs::open(folder.path()).unwrap();
    assert!(!old.exists() && fresh.exists());
}

#[tokio::test]
async fn a_container_that_was_not_made_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = EmbeddedBlobs::open(folder.path()).unwrap();
    let outcomes = [
        blobs.create(Container::Audit, "a/b.json", "x/y", content()).await.map(drop),
        blobs.put(Container::Audit, "b.json", "x/y", content(), &Metadata::new()).await,
        blobs.get(Container::Audit, "a/b.json", LIMIT).await.map(drop),
        blobs.list(Container::Audit, Listing::of("")).await.map(drop),
        blobs.list(Container::Audit, Listing::of("a/")).await.map(drop),
        blobs.delete(Container::Audit, "a/b.json").await,
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Missing { .. })), "{outcome:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
}

/// The operating system limits the size of files that this process can write, so the write fails half-way as it does on
/// a full disk. The limit applies to a whole process, so this test runs itself again as a limited one.
#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "the variable marks the limited process")]
fn a_full_disk_is_reported_and_leaves_nothing_behind() {
    const LIMITED: &str = "PHOTORELAY_TEST_LIMITED_FOLDER";
    if let Some(folder) = std::env::var_os(LIMITED) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(on_a_full_disk(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new("sh")
        // 16 blocks of 512 or 1,024 bytes. Without the trap the signal would end the process.
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg("embedded_blobs::a_full_disk_is_reported_and_leaves_nothing_behind")
        .env(LIMITED, folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

#[cfg(unix)]
async fn on_a_full_disk(folder: &Path) {
    let blobs = open(folder).await;
    let small = || Bytes::from(vec![1; 1_000]);
    let large = || Bytes::from(vec![2; 100_000]);
    blobs.put(Container::State, "head.json", "x/y", small(), &etag("1")).await.unwrap();
    let outcomes = [
        blobs.create(Container::Photos, "large", "x/y", large()).await.map(drop),
        blobs.put(Container::State, "head.json", "x/y", large(), &etag("2")).await,
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Full { .. })), "{outcome:?}");
    }
    assert_eq!(blobs.get(Container::Photos, "large", LIMIT).await.unwrap(), None);
    assert_eq!(blobs.get(Container::State, "head.json", LIMIT).await.unwrap().unwrap(), small());
    assert_eq!(metadata_of_all(&blobs).await, [etag("1")]);
    assert_eq!(fs::read_dir(folder.join(".tmp")).unwrap().count(), 0);
    assert_eq!(blobs.create(Container::Photos, "large", "x/y", small()).await.unwrap(), Creation::Created);
}
