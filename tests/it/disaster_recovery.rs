//! What is rebuilt from what: a container or the queues are lost, and the next sweep and the agents restore what can be
//! restored, as docs/recovery.md says. Nothing is committed or written twice on the way.

use std::time::Duration;

use photorelay::operate::check::check;
use photorelay::operate::forget::{Forget, forget};
use photorelay_core::approvals::Approvals;
use photorelay_core::audit;
use photorelay_core::contract::{EntryKind, Outcome, Verdict};
use photorelay_core::names::{CHECKS_QUEUE, Container, WRITEBACKS_QUEUE, person_prefix};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::store::list_all;
use photorelay_core::target::Targets;
use testkit::on_every_store;
use testkit::world::{Store, World, fixture, guid};

use crate::sweep::{assert_agreement, settled, silent, sweep, sweep_in_hours};

on_every_store!(
    state_that_was_lost_is_rebuilt_from_the_trail_and_from_graph,
    messages_that_were_lost_are_sent_again_by_the_sweep,
    receipts_that_were_lost_are_written_again_and_no_target_is_touched,
    notes_and_approvals_that_were_lost_are_made_again_and_nothing_is_overwritten,
    photos_that_were_lost_are_named_and_keep_no_later_photo_back,
    a_trail_that_was_lost_ends_all_captures_until_an_operator_starts_anew,
);

/// Deletes every blob of a container; returns how many there were.
async fn lose(world: &World, container: Container) -> usize {
    let blobs = &*world.storage().blobs;
    let all = list_all(blobs, container, "").await.unwrap();
    for blob in &all {
        blobs.delete(container, &blob.name).await.unwrap();
    }
    all.len()
}

/// Takes every message out of a queue, as if the queue had been deleted; returns how many there were.
async fn lose_messages(world: &World, queue: &str) -> usize {
    let queues = &*world.storage().queues;
    let lost = queues.receive(queue, 32, Duration::from_secs(60)).await.unwrap();
    for message in &lost {
        queues.delete(queue, message).await.unwrap();
    }
    lost.len()
}

fn operator() -> OperatorSignature {
    OperatorSignature { by: "ada".parse().unwrap(), reason: None }
}

async fn lengths(world: &World, users: usize) -> Vec<usize> {
    let mut lengths = Vec::new();
    for at in 0..users {
        lengths.push(world.trail(world.user(at)).await.len());
    }
    lengths
}

async fn state_that_was_lost_is_rebuilt_from_the_trail_and_from_graph(store: Store) {
    let world = silent(store, 4).await;
    settled(&world).await;
    let forgotten = world.user(3);
    let wanted = Forget { tenant: Some(world.tenant_id()), user: forgotten, signature: operator() };
    forget(world.storage(), &Targets::default(), wanted).await.unwrap();
    world.settle().await;
    let before = list_all(&*world.storage().blobs, Container::State, "").await.unwrap().len();
    assert!(lose(&world, Container::State).await >= before);
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();

    settled(&world).await;
    assert_eq!(lengths(&world, 4).await, [2, 1, 1, 2], "only the change is a new entry");
    for at in 0..3 {
        let user = world.user(at);
        assert!(world.shows_newest(user).await && world.head(user).await.is_some(), "{user}");
    }
    assert_eq!(world.trail(forgotten).await[1].entry.kind, EntryKind::Forgotten);
    let photos = list_all(&*world.storage().blobs, Container::Photos, &person_prefix(forgotten)).await.unwrap();
    assert!(photos.is_empty(), "{photos:?}");
    world.end().await;
}

async fn messages_that_were_lost_are_sent_again_by_the_sweep(store: Store) {
    let world = silent(store, 3).await;
    settled(&world).await;
    // One change is lost before it is committed, the other before it is written.
    world.sim.tenant().change_photo(guid(world.user(1))).unwrap();
    sweep(&world).await;
    world.app.pump.drain().await.unwrap();
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    sweep(&world).await;
    assert!(lose_messages(&world, CHECKS_QUEUE).await > 0);
    assert_eq!(lose_messages(&world, WRITEBACKS_QUEUE).await, 1);

    sweep_in_hours(&world, 1).await;
    world.settle().await;
    settled(&world).await;
    assert_agreement(&world).await;
    assert_eq!(lengths(&world, 3).await, [2, 2, 1]);
    for (at, receipts) in [(0, 1), (1, 1), (2, 0)] {
        assert_eq!(world.receipts(world.user(at), 2).await.len(), receipts, "user {at} is written once");
    }
    world.end().await;
}

async fn receipts_that_were_lost_are_written_again_and_no_target_is_touched(store: Store) {
    let world = silent(store, 3).await;
    settled(&world).await;
    let shown: Vec<_> = (0..3).map(|at| world.written(world.user(at))).collect();
    assert_eq!(lose(&world, Container::Receipts).await, 3);
    // A photo that photorelay wrote is its own by the trail alone: the next one replaces it unasked.
    world.sim.tenant().change_photo(guid(world.user(2))).unwrap();

    sweep_in_hours(&world, 1).await;
    world.settle().await;
    settled(&world).await;
    for (at, before) in shown.iter().take(2).enumerate() {
        let user = world.user(at);
        assert_eq!(world.receipt(user, 1).await.map(|receipt| receipt.outcome), Some(Outcome::Unchanged), "{user}");
        assert_eq!(&world.written(user), before, "{user}");
    }
    assert_eq!(world.receipt(world.user(2), 2).await.map(|receipt| receipt.outcome), Some(Outcome::Written));
    assert_agreement(&world).await;
    assert_eq!(lengths(&world, 3).await, [1, 1, 2]);
    world.end().await;
}

async fn notes_and_approvals_that_were_lost_are_made_again_and_nothing_is_overwritten(store: Store) {
    let world = silent(store, 2).await;
    let user = world.user(0);
    // An administrator's picture stands where photorelay would write, and an operator wants it kept.
    let account = world.sim.tenant().user(guid(user)).unwrap().on_premises_sam_account_name.unwrap().to_lowercase();
    let theirs = fixture("cat-648.jpg");
    std::fs::write(world.dir().join("written").join(format!("{account}.jpg")), &theirs).unwrap();
    settled(&world).await;
    let approvals = Approvals::new(world.storage().clone(), "ad".to_owned(), WRITEBACKS_QUEUE.to_owned());
    approvals.decide(user, Verdict::Rejected, &operator()).await.unwrap();
    assert!(lose(&world, Container::Agents).await > 0);

    sweep_in_hours(&world, 1).await;
    world.settle().await;
    let pending = approvals.pending(None).await.unwrap();
    assert_eq!(pending.len(), 1, "{pending:#?}");
    assert_eq!((pending[0].held.user_id, pending[0].verdict), (user, None), "the decision has to be made again");
    assert_eq!(world.written(user), Some(theirs));
    assert!(world.shows_newest(world.user(1)).await);
    world.end().await;
}

async fn photos_that_were_lost_are_named_and_keep_no_later_photo_back(store: Store) {
    let world = silent(store, 2).await;
    settled(&world).await;
    let shown = world.written(world.user(0));
    assert!(lose(&world, Container::Photos).await > 0);

    settled(&world).await;
    assert_eq!(world.written(world.user(0)), shown, "what a target shows does not depend on the store");
    let report = audit::verify_all(&*world.storage().blobs).await.unwrap();
    for at in 0..2 {
        assert!(report.findings.iter().any(|finding| finding.user == Some(world.user(at))), "{:#?}", report.findings);
    }

    // An operator's check stores again what Graph still shows.
    check(&world.app.propagate, world.user(0), false, &mut Vec::new()).await.unwrap();
    assert_eq!(lengths(&world, 2).await, [1, 1]);
    let report = audit::verify_all(&*world.storage().blobs).await.unwrap();
    assert!(report.findings.iter().all(|finding| finding.user == Some(world.user(1))), "{:#?}", report.findings);

    for at in 0..2 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    settled(&world).await;
    assert_agreement(&world).await;
    assert_eq!(lengths(&world, 2).await, [2, 2]);
    // The trail names photos that are gone for good, so it is not clean.
    assert!(!audit::verify_all(&*world.storage().blobs).await.unwrap().is_clean());
}

async fn a_trail_that_was_lost_ends_all_captures_until_an_operator_starts_anew(store: Store) {
    let world = silent(store, 2).await;
    settled(&world).await;
    let shown: Vec<_> = (0..2).map(|at| world.written(world.user(at))).collect();
    assert_eq!(lengths(&world, 2).await, [1, 1]);
    lose(&world, Container::Audit).await;
    settled(&world).await;
    assert_eq!(lengths(&world, 2).await, [0, 0], "nothing is committed over what is missing");
    assert!(!audit::verify_all(&*world.storage().blobs).await.unwrap().is_clean());

    for container in [Container::State, Container::Receipts, Container::Agents] {
        lose(&world, container).await;
    }
    settled(&world).await;
    settled(&world).await;
    assert_eq!(lengths(&world, 2).await, [1, 1]);
    for (at, before) in shown.iter().enumerate() {
        assert_eq!(&world.written(world.user(at)), before, "a target that shows the photo already is not written");
        let receipt = world.receipt(world.user(at), 1).await.unwrap();
        assert_eq!(receipt.outcome, Outcome::Unchanged);
    }
    // The checks that could not be made were dead-lettered.
    world.end_with_leftovers().await;
}
