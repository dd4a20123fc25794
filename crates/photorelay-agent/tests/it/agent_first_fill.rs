//! A first fill can be undone: what was written where there was none is cleared again, as often as confirmed.

use photorelay_agent::policy::WritePolicy;
use photorelay_core::contract::{ApprovalReason, Outcome, Verdict};
use serde_json::Value;
use testkit::answers::assert_documented;
use testkit::process::text;
use testkit::samba::Samba;
use testkit::world::{Store, World, guid};

use crate::agent_policy::*;
use crate::directory;

/// So many users whose first photo was written, into places that showed none.
async fn filled(users: usize) -> World {
    let world = world(users, WritePolicy::default()).await;
    for at in 0..users {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    world.settle().await;
    world
}

fn shown(world: &World, users: usize) -> usize {
    (0..users).filter(|at| world.written(world.user(*at)).is_some()).count()
}

#[tokio::test]
async fn a_first_fill_is_cleared_again_once_its_number_is_confirmed_and_stays_so() {
    let world = filled(5).await;
    let dry = command(&world, &["undo", "--all", "--dry-run"]).await;
    assert!(dry.contains("would clear") && dry.contains("put back 0, clear 5, leave 0"), "{dry}");
    for unconfirmed in [&["undo", "--all", "--yes"][..], &["undo", "--all", "--yes", "--clear", "4"]] {
        let refused = run(&world, unconfirmed).await;
        let why = text(&refused.stderr);
        assert!(!refused.status.success() && why.contains("5 photos would be cleared"), "{why}");
    }
    let unasked = run(&world, &["undo", "--all", "--clear", "5"]).await;
    assert!(text(&unasked.stderr).contains("confirm with --yes"), "{}", text(&unasked.stderr));
    assert_eq!(shown(&world, 5), 5, "nothing is cleared before it is confirmed");

    command(&world, &["undo", "--all", "--yes", "--clear", "5", "--reason", "the wrong domain"]).await;
    assert_eq!(shown(&world, 5), 0);
    for at in 0..5 {
        look_again(&world, world.user(at)).await;
    }
    assert_eq!(shown(&world, 5), 0, "no agent writes the same photos again");
    let held = approvals(&world).pending(None).await.unwrap();
    assert_eq!((held.len(), held[0].held.held_for), (5, ApprovalReason::Cleared));
    assert_eq!(held[0].decision.as_ref().unwrap().reason.as_deref(), Some("the wrong domain"));

    // The decision stands until the user changes the photo, or an operator decides otherwise.
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    approvals(&world).decide(world.user(1), Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert!(world.shows_newest(world.user(0)).await && world.shows_newest(world.user(1)).await);
    assert_eq!(shown(&world, 5), 2);
    let outcomes: Vec<_> = world.receipts(world.user(1), 1).await.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Written, Outcome::Written], "each write has its receipt");
    world.end().await;
}

#[tokio::test]
async fn undo_within_the_deletion_threshold_uses_up_the_days_removals() {
    let world = filled(5).await;
    for at in 0..3 {
        command(&world, &["undo", &world.user(at).to_string(), "--yes"]).await;
    }
    assert_eq!(shown(&world, 5), 2);
    let id = world.user(3).to_string();
    let left = command(&world, &["undo", &id, "--yes"]).await;
    assert!(left.contains("deletion threshold is reached"), "{left}");
    assert_eq!(shown(&world, 5), 2);
    command(&world, &["undo", &id, "--yes", "--clear", "1"]).await;
    assert_eq!(shown(&world, 5), 1);
    world.end().await;
}

#[tokio::test]
async fn a_request_to_undo_is_carried_out_by_the_agent_if_its_entry_is_still_the_newest() {
    let world = filled(2).await;
    let (user, changed) = (world.user(0), world.user(1));
    approvals(&world).request_undo(user, 1, &operator()).await.unwrap();
    world.sim.tenant().change_photo(guid(changed)).unwrap();
    world.settle().await;
    approvals(&world).request_undo(changed, 1, &operator()).await.unwrap();
    world.settle().await;
    assert_eq!(world.written(user), None);
    assert!(world.shows_newest(changed).await, "the operator saw an entry that is not the newest any more");
    let notes = photorelay_core::receipts::notes_of(&*world.storage().blobs, user).await.unwrap();
    let undone = notes.last().unwrap().undone.clone().unwrap();
    assert_eq!((undone.by.as_str(), undone.reason.as_deref()), ("ada", Some("ticket 4711")));
    world.end().await;
}

#[tokio::test]
async fn no_number_of_requests_clears_more_than_the_deletion_threshold() {
    let world = filled(8).await;
    for at in 0..8 {
        approvals(&world).request_undo(world.user(at), 1, &operator()).await.unwrap();
    }
    world.settle().await;
    assert_eq!(shown(&world, 8), 5);
    world.end().await;
}

#[tokio::test]
async fn a_first_fill_of_a_directory_is_cleared_again() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let (one, other) = (samba.add("Filled One").await, samba.add("Filled Other").await);
    let (first, second) = (one.is(&world, 0, &one.anchor()), other.is(&world, 1, &other.anchor()));
    for user in [first, second] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;
    assert!(samba.photo(&one).await.is_some() && samba.photo(&other).await.is_some());
    let target = samba.variables(&format!("{}:636", samba.address));
    let undone = testkit::process::agent_command(&world, &target, &["undo", "--all", "--yes"]).await;
    assert!(undone.status.success(), "{}{}", text(&undone.stdout), text(&undone.stderr));
    assert!(text(&undone.stdout).contains("put back 0, clear 2, leave 0"), "{}", text(&undone.stdout));
    for user in [first, second] {
        look_again(&world, user).await;
    }
    assert!(samba.photo(&one).await.is_none() && samba.photo(&other).await.is_none());
    world.end().await;
}

#[tokio::test]
async fn undo_answers_as_json_once_it_is_done() {
    let world = filled(3).await;
    let answer = async |arguments: &[&str]| {
        let done = run(&world, &[&["undo", "--all", "--json"], arguments].concat()).await;
        assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));
        assert_documented("photorelay-agent undo", &done.stdout)
    };
    let outcomes = |answer: &Value| -> Vec<String> {
        let people = answer["people"].as_array().unwrap().iter();
        people.map(|person| person["outcome"].as_str().unwrap().to_owned()).collect()
    };
    let dry = answer(&["--dry-run"]).await;
    assert_eq!((&dry["survey"]["clear"], outcomes(&dry)), (&3.into(), vec!["wouldClear".to_owned(); 3]));
    let unasked = run(&world, &["undo", "--all", "--json"]).await;
    assert_eq!((unasked.status.code(), text(&unasked.stdout).as_str()), (Some(1), ""));
    assert!(text(&unasked.stderr).contains("put back 0, clear 3"), "{}", text(&unasked.stderr));
    let done = answer(&["--yes"]).await;
    assert_eq!((shown(&world, 3), outcomes(&done)), (0, vec!["cleared".to_owned(); 3]));
    let again = answer(&["--yes"]).await;
    assert_eq!(outcomes(&again), ["left", "left", "left"]);
    assert_eq!(again["people"][0]["reason"], "the target shows no photo already");
    world.end().await;
}
