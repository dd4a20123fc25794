//! `undo` puts back what a target showed before the agent replaced it.

use photorelay_agent::policy::{ForeignPolicy, WritePolicy};
use photorelay_agent::writeback::{ClearingLimit, UndoOutcome};
use photorelay_core::contract::Verdict;
use photorelay_core::id::Digest;
use photorelay_core::names::{self, Container};
use photorelay_core::undo::UndoStep;
use testkit::world::{fixture, guid};

use crate::agent_policy::*;

#[tokio::test]
async fn undo_puts_a_foreign_value_back_and_nobody_overwrites_it_again_unasked() {
    let overwrite = WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() };
    let world = world(1, overwrite.clone()).await;
    let user = world.user(0);
    put(&world, user, b"from the badge office");
    for _ in 0..2 {
        world.change(user).await;
    }
    let ours = world.written(user).unwrap();
    let value = Digest::of(b"from the badge office");
    assert_eq!(
        reconciler(&world, true).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap(),
        UndoOutcome::Would(UndoStep::PutBack(value))
    );
    assert_eq!(world.written(user), Some(ours), "a dry run puts nothing back");

    assert_eq!(
        reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap(),
        UndoOutcome::Undone(UndoStep::PutBack(value))
    );
    look_again(&world, user).await;
    assert_eq!(world.written(user).as_deref(), Some(b"from the badge office".as_slice()));
    let again = reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
    assert!(matches!(again, UndoOutcome::Left(_)), "{again:?}");

    // The decision can be changed.
    assert_eq!(approvals(&world).pending(None).await.unwrap()[0].verdict, Some(Verdict::Rejected));
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn undo_finds_a_value_that_was_replaced_after_the_entry_had_its_receipt() {
    let world = world(1, WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() }).await;
    let user = world.user(0);
    world.change(user).await;
    put(&world, user, b"from the badge office");
    look_again(&world, user).await;
    assert!(world.shows_newest(user).await, "a value of somebody else is overwritten, and no receipt is left again");
    let value = Digest::of(b"from the badge office");
    assert_eq!(
        reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap(),
        UndoOutcome::Undone(UndoStep::PutBack(value))
    );
    assert_eq!(world.written(user).as_deref(), Some(b"from the badge office".as_slice()));
    world.end().await;
}

#[tokio::test]
async fn undo_puts_back_what_a_removal_took_away() {
    let world = world(1, CLEAR).await;
    let user = person_without_photo(&world, 0).await;
    assert_eq!(world.written(user), None);
    let undone = reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
    assert!(matches!(undone, UndoOutcome::Undone(UndoStep::PutBack(_))), "{undone:?}");
    look_again(&world, user).await;
    assert!(world.written(user).is_some());
    // The next photo is shown like any other.
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn undo_leaves_what_somebody_else_wrote_since() {
    let world = world(1, WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() }).await;
    let user = world.user(0);
    put(&world, user, b"the first");
    world.change(user).await;
    put(&world, user, b"the second");
    let undone = reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
    assert!(matches!(undone, UndoOutcome::Left(_)), "{undone:?}");
    assert_eq!(world.written(user).as_deref(), Some(b"the second".as_slice()));
    assert_eq!(reconciler(&world, false).users_to_undo().await.unwrap().into_iter().collect::<Vec<_>>(), [user]);
    world.end().await;
}

#[tokio::test]
async fn undo_puts_back_what_was_replaced_and_not_what_was_only_held() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    put(&world, user, b"held and gone");
    world.settle().await;
    let held = b"held and gone".as_slice();
    assert_eq!(kept(&world, user, held).await.as_deref(), Some(held), "an operator sees what would make way");
    put(&world, user, b"held and replaced");
    look_again(&world, user).await;
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    let value = Digest::of(b"held and replaced");
    let undone = reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
    assert_eq!(undone, UndoOutcome::Undone(UndoStep::PutBack(value)));
    world.end().await;
}

#[tokio::test]
async fn undo_never_puts_back_a_photo_that_the_user_had_deleted() {
    let world = world(1, WritePolicy::default()).await;
    // The removal waits, and its value is backed up for the operator to see.
    let user = person_without_photo(&world, 0).await;
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    let second = Digest::of(&world.written(user).unwrap());
    let undone = reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
    assert_eq!(undone, UndoOutcome::Undone(UndoStep::Clear(second)), "before photorelay there was no photo");
    look_again(&world, user).await;
    assert_eq!(world.written(user), None);
    world.end().await;
}

#[tokio::test]
async fn each_undo_and_each_write_after_it_is_recorded() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    world.change(user).await;
    for _ in 0..2 {
        reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
        approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
        world.settle().await;
        assert!(world.shows_newest(user).await);
    }
    let notes = photorelay_core::receipts::notes_of(&*world.storage().blobs, user).await.unwrap();
    assert_eq!(notes.iter().filter(|note| note.undone.is_some()).count(), 2);
    assert_eq!(world.receipts(user, 1).await.len(), 3);
    world.end().await;
}

#[tokio::test]
async fn a_photo_that_was_cleared_can_be_approved_even_if_the_agent_died_before_it_listed_it() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    world.change(user).await;
    reconciler(&world, false).undo(user, &operator(), ClearingLimit::Threshold).await.unwrap();
    world.storage().blobs.delete(Container::Agents, &names::held(user, 1, "ad")).await.unwrap();
    look_again(&world, user).await;
    assert_eq!(world.written(user), None);
    let held = approvals(&world).pending(None).await.unwrap();
    assert_eq!((held.len(), held[0].verdict), (1, Some(Verdict::Rejected)));
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}
