//! What operators change in a person's trail, at the command line: history, restore, forget.

use std::sync::Arc;

use graph_sim::NotificationMode;
use photorelay::jobs::sweep::Run;
use photorelay::operate::forget::{Forget, forget};
use photorelay_core::contract::{self, CaptureStatus, EntryKind, FetchPolicy, V1OrV2};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::rights::{Grant, ScopedBlobs};
use photorelay_core::storage::Storage;
use photorelay_core::store::{Metadata, list_all};
use photorelay_core::target::Targets;
use photorelay_core::vault;
use testkit::on_every_store;
use testkit::process::{OPERATOR, text};
use testkit::world::{Store, World, guid};

use crate::commands::photorelay;

on_every_store!(an_earlier_photo_is_put_back_and_stays_until_the_person_changes_it,);

/// Runs a command that has to succeed, and gives what it printed.
async fn succeeds(world: &World, arguments: &[&str]) -> String {
    let output = photorelay(world, arguments, &[]).await;
    assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that has to fail, and gives the reason.
async fn fails(world: &World, arguments: &[&str]) -> String {
    let output = photorelay(world, arguments, &[]).await;
    assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

/// Has the person captured and written with so many photos, one after another.
async fn with_photos(world: &World, user: UserId, photos: usize) {
    for _ in 0..photos {
        world.change(user).await;
    }
    assert_eq!(world.trail(user).await.len(), photos);
}

async fn kinds(world: &World, user: UserId) -> Vec<EntryKind> {
    world.trail(user).await.iter().map(|committed| committed.entry.kind).collect()
}

async fn photos_of(world: &World, user: UserId) -> usize {
    list_all(&*world.storage().blobs, Container::Photos, &names::person_prefix(user)).await.unwrap().len()
}

async fn an_earlier_photo_is_put_back_and_stays_until_the_person_changes_it(store: Store) {
    let world = World::on(store).await;
    let user = world.user(0);
    let id = user.to_string();
    with_photos(&world, user, 2).await;
    let first = world.trail(user).await.remove(0).entry;

    let told = succeeds(&world, &["restore", &id, "1", "--reason", "ticket 4711"]).await;
    assert!(told.contains("restored as entry 3, announced to ad"), "{told}");
    world.settle().await;
    let restored = world.trail(user).await.pop().unwrap().entry;
    assert_eq!(
        (restored.kind, restored.photo, restored.renditions),
        (EntryKind::Restored, first.photo, first.renditions)
    );
    assert_eq!((restored.by.as_deref(), restored.reason.as_deref()), (Some(OPERATOR), Some("ticket 4711")));
    assert!(world.shows_newest(user).await);

    // Neither a look at the ETag, nor one at the bytes, nor the sweep undoes it.
    for look in [FetchPolicy::IfChanged, FetchPolicy::Always] {
        world.check(&[user], look).await;
        world.settle().await;
    }
    world.app.sweep.run(&Run::default()).await.unwrap();
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 3);
    assert!(world.shows_newest(user).await);

    let history = succeeds(&world, &["history", &id]).await;
    let lines: Vec<&str> = history.lines().collect();
    for (words, line) in [("captured", 1), ("notification", 1), ("ad: written on", 2)] {
        assert!(lines[line].contains(words), "{words:?} is missing in line {line} of\n{history}");
    }
    let restored = lines.iter().position(|line| line.contains("restored")).unwrap();
    assert!(lines[restored].contains("operator") && lines[restored + 1].contains("ticket 4711"), "{history}");
    assert!(lines[restored + 2].contains("ad: written"), "{history}");
    assert!(lines.last().unwrap().starts_with("head  at entry 3"), "{history}");

    world.change(user).await;
    assert_eq!(
        kinds(&world, user).await,
        [EntryKind::Captured, EntryKind::Captured, EntryKind::Restored, EntryKind::Captured]
    );
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn a_photo_put_back_after_its_removal_is_not_removed_again_because_graph_still_shows_none() {
    let world = World::with(testkit::world::Setup {
        edit: |config| config.capture.hold = std::time::Duration::ZERO,
        ..Default::default()
    })
    .await;
    let user = world.user(0);
    with_photos(&world, user, 1).await;
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert_eq!(kinds(&world, user).await, [EntryKind::Captured, EntryKind::Removed]);

    succeeds(&world, &["restore", &user.to_string(), "1"]).await;
    for _ in 0..2 {
        world.check(&[user], FetchPolicy::Always).await;
        world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
    }
    assert_eq!(kinds(&world, user).await, [EntryKind::Captured, EntryKind::Removed, EntryKind::Restored]);

    // What Graph shows later, and then no longer, counts as for everybody.
    world.change(user).await;
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert_eq!(kinds(&world, user).await[3..], [EntryKind::Captured, EntryKind::Removed]);
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn nothing_is_restored_that_is_not_there_whole() {
    let world = World::start().await;
    let user = world.user(0);
    let id = user.to_string();
    with_photos(&world, user, 2).await;
    assert!(fails(&world, &["restore", &id, "7"]).await.contains("no entry 7"));
    assert!(fails(&world, &["restore", &id, "1", "--reason", "two\nlines"]).await.contains("one line"));
    let photo = world.trail(user).await[0].entry.photo.clone().unwrap();
    let blob = names::photo(user, photo.sha256);
    let blobs = &*world.storage().blobs;
    let bytes = vault::read_verified(blobs, &blob, photo.sha256, 1 << 22).await.unwrap();
    blobs.delete(Container::Photos, &blob).await.unwrap();
    assert!(fails(&world, &["restore", &id, "1"]).await.contains("does not exist"));
    vault::store_photo(blobs, user, photo.sha256, "image/jpeg", bytes).await.unwrap();
    assert_eq!(world.trail(user).await.len(), 2);
    world.end().await;
}

#[tokio::test]
async fn a_forgotten_person_has_no_photos_and_gets_none_whatever_happens() {
    let world = World::start().await;
    let (user, other) = (world.user(0), world.user(1));
    let id = user.to_string();
    with_photos(&world, user, 2).await;
    with_photos(&world, other, 1).await;
    let others = photos_of(&world, other).await;

    let asked = fails(&world, &["forget", &id]).await;
    assert!(asked.contains("--yes") && asked.contains("4 blobs"), "{asked}");
    assert_eq!((photos_of(&world, user).await, world.trail(user).await.len()), (4, 2));

    let told = succeeds(&world, &["forget", &id, "--yes"]).await;
    assert!(
        told.contains("forgotten as entry 3") && told.contains("deleted 4 blobs") && told.contains("left    0 blobs"),
        "{told}"
    );
    assert_eq!((photos_of(&world, user).await, photos_of(&world, other).await), (0, others));
    assert_eq!(world.head(user).await.unwrap().capture_status, CaptureStatus::Forgotten);

    // A new photo, a look at everything, a lost head: nothing is captured, and nothing of it is asked for.
    world.change(user).await;
    world.storage().blobs.delete(Container::State, &names::head(user)).await.unwrap();
    world.check(&[user], FetchPolicy::Always).await;
    world.settle().await;
    assert_eq!(kinds(&world, user).await, [EntryKind::Captured, EntryKind::Captured, EntryKind::Forgotten]);
    assert_eq!(photos_of(&world, user).await, 0);

    assert!(fails(&world, &["restore", &id, "1"]).await.contains("cannot be restored"));
    let again = succeeds(&world, &["forget", &id, "--yes"]).await;
    assert!(again.contains("forgotten as entry 3") && again.contains("deleted 0 blobs"), "{again}");
    let verified = succeeds(&world, &["audit", "verify"]).await;
    assert!(verified.contains("the trail is intact"), "{verified}");
    world.settle().await;
    assert_eq!(world.written(user), None, "the folder held a copy");
    world.end().await;
}

#[tokio::test]
async fn what_may_not_be_deleted_is_named_and_the_targets_are_asked_all_the_same() {
    const GRANTS: &[Grant] = &[
        Grant::write(Container::Audit, ""),
        Grant::write(Container::State, ""),
        Grant::write(Container::Photos, ""),
        Grant::read(Container::Receipts, ""),
    ];
    let world = World::start().await;
    let user = world.user(0);
    with_photos(&world, user, 1).await;
    let value = bytes::Bytes::from_static(b"the badge office's");
    let saved = names::kept_value(user, Digest::of(&value));
    world.storage().blobs.create(Container::Receipts, &saved, "image/jpeg", value).await.unwrap();
    let storage =
        Storage { blobs: Arc::new(ScopedBlobs::new(&world.storage().blobs, GRANTS)), ..world.storage().clone() };
    let signature = OperatorSignature { by: "ada".parse().unwrap(), reason: None };
    let wanted = Forget { tenant: Some(world.tenant_id()), user, signature };
    let forgotten = forget(&storage, &Targets::default(), wanted).await.unwrap();
    let (said, error) = (forgotten.to_string(), forgotten.complete().unwrap_err());
    assert!(error.to_string().contains("not all of it could be deleted"), "{error:#}");
    for text in ["DENIED", "left    1 blob ", &format!("receipts/{saved}"), "targets ad erase", "kept    the trail"] {
        assert!(said.contains(text), "{text:?} is missing in {said}");
    }
    assert_eq!(photos_of(&world, user).await, 0);
    world.settle().await;
    assert_eq!(world.written(user), None, "the folder held a copy");
    world.end().await;
}

#[tokio::test]
async fn somebody_whom_nobody_ever_looked_at_can_be_forgotten() {
    let world = World::start().await;
    world.sim.set(|settings| settings.notify = NotificationMode::Never);
    let user = world.user(0);
    succeeds(&world, &["forget", &user.to_string(), "--yes"]).await;
    world.app.sweep.run(&Run::default()).await.unwrap();
    world.check(&[user], FetchPolicy::Always).await;
    world.settle().await;
    assert_eq!(kinds(&world, user).await, [EntryKind::Forgotten]);
    world.end().await;
}

#[tokio::test]
async fn what_a_slow_worker_stored_after_the_person_was_forgotten_is_deleted_by_the_sweep() {
    let world = World::start().await;
    let user = world.user(0);
    with_photos(&world, user, 1).await;
    succeeds(&world, &["forget", &user.to_string(), "--yes"]).await;
    let late = bytes::Bytes::from_static(b"late");
    vault::store_photo(&*world.storage().blobs, user, Digest::of(&late), "image/jpeg", late).await.unwrap();
    let report = world.app.sweep.run(&Run::default()).await.unwrap();
    world.app.watch.after_sweep(&report, jiff::Timestamp::now()).await;
    assert_eq!(photos_of(&world, user).await, 0);
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn forget_says_which_entries_hold_a_fingerprint_that_it_cannot_erase() {
    let world = World::start().await;
    let user = world.user(0);
    with_photos(&world, user, 1).await;
    // As a program before version 2 of the entries wrote it.
    let mut entry = world.trail(user).await.remove(0).entry;
    entry.v = V1OrV2::V1;
    entry.photo.as_mut().unwrap().fingerprint = Some("f1.".to_owned());
    let blobs = &world.storage().blobs;
    let (name, bytes) = (names::audit_entry(user, 1), contract::to_bytes(&entry).into());
    blobs.put(Container::Audit, &name, "application/json", bytes, &Metadata::new()).await.unwrap();
    let told = succeeds(&world, &["forget", &user.to_string(), "--yes"]).await;
    assert!(told.contains("STAYS   entries 1 of the trail are of version 1"), "{told}");
    // The receipt names the entry as it was.
    world.settle().await;
}
