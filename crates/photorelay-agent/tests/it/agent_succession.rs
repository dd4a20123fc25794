//! A person who leaves the synchronisation and comes back with a new object ID is the same object in the target: the new
//! user takes it over, and the old one never writes again. And who owns a file of a folder, and since when.

use jiff::{SignedDuration, Timestamp};
use photorelay::jobs::sweep::Run;
use photorelay::operate::forget::{Forget, forget};
use photorelay::operate::history::history;
use photorelay_agent::operate::drift::{DriftFix, drift};
use photorelay_agent::policy::{ForeignPolicy, WritePolicy};
use photorelay_core::contract::Outcome;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::WRITEBACKS_QUEUE;
use photorelay_core::target::Targets;
use testkit::process::{agent_command, text};
use testkit::world::{Store, World, fixture, guid};
use tokio_util::sync::CancellationToken;

use crate::agent_policy::{agent, approvals, look_again, operator, put, reconciler, world};
use crate::agent_work::daily;
use crate::directory;
use testkit::samba::Samba;

async fn reconcile(world: &World) {
    world.agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
}

async fn photo(world: &World, user: UserId, photo: &str) {
    world.sim.tenant().set_photo(guid(user), &fixture(photo)).unwrap();
    world.settle().await;
}

/// From now on the second user is what the first one was in the directory, and the first one is nobody there.
pub(crate) fn comes_back(world: &World, earlier: UserId, later: UserId) {
    let old = world.sim.tenant().user(guid(earlier)).unwrap();
    world
        .sim
        .tenant()
        .edit_user(guid(later), |person| {
            person.on_premises_immutable_id = old.on_premises_immutable_id.clone();
            person.on_premises_security_identifier = old.on_premises_security_identifier.clone();
            person.on_premises_sam_account_name = old.on_premises_sam_account_name.clone();
            person.on_premises_domain_name = old.on_premises_domain_name.clone();
        })
        .unwrap();
}

async fn told(world: &World, user: UserId) -> String {
    let mut printed = Vec::new();
    history(world.storage(), user, &mut printed).await.unwrap();
    String::from_utf8(printed).unwrap()
}

async fn alerts(world: &World) -> Vec<&'static str> {
    let status = world.app.watch.status(Timestamp::now()).await.unwrap();
    status.alerts.iter().map(|alert| alert.alert).filter(|alert| *alert == "two_users_one_object").collect()
}

#[tokio::test]
async fn a_new_object_id_of_the_same_person_takes_the_photo_over_and_the_old_one_never_writes_again() {
    let world = world(2, WritePolicy::default()).await;
    let (earlier, later) = (world.user(0), world.user(1));
    photo(&world, earlier, "astronaut-648.jpg").await;
    comes_back(&world, earlier, later);
    photo(&world, later, "cat-648.jpg").await;

    assert!(approvals(&world).pending(None).await.unwrap().is_empty(), "what we wrote is no foreign value");
    assert_eq!(world.receipt(later, 1).await.unwrap().outcome, Outcome::Written);
    assert!(world.shows_newest(later).await);
    for _ in 0..2 {
        reconcile(&world).await;
        look_again(&world, earlier).await;
        assert!(world.shows_newest(later).await, "the old photo stays gone");
    }
    let fix = DriftFix { queues: &*world.storage().queues, queue: WRITEBACKS_QUEUE };
    let drifted = drift(&reconciler(&world, true), Some(fix), &mut Vec::new()).await.unwrap();
    assert_eq!((drifted.differing, drifted.announced), (0, Some(0)));
    assert!(told(&world, later).await.contains(&format!("ad: succeeds {earlier}")), "{}", told(&world, later).await);
    assert!(told(&world, earlier).await.contains(&format!("ad: succeeded by {later}")));
    assert!(alerts(&world).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn two_living_users_with_one_anchor_are_refused_until_one_of_them_is_forgotten() {
    let world = world(2, WritePolicy::default()).await;
    let (one, other) = (world.user(0), world.user(1));
    photo(&world, one, "astronaut-648.jpg").await;
    comes_back(&world, one, other);
    photo(&world, other, "cat-648.jpg").await;
    assert!(world.shows_newest(other).await);
    // The earlier one goes on: it has not left.
    photo(&world, one, "coffee-648.jpg").await;
    reconcile(&world).await;
    for (user, seq) in [(one, 2), (other, 1)] {
        let receipt = world.receipt(user, seq).await.unwrap();
        assert_eq!(receipt.outcome, Outcome::Refused);
        assert!(receipt.reason.unwrap().contains("same anchor"));
    }
    assert!(!world.shows_newest(one).await, "neither is written any more");
    world.sim.tenant().change_photo(guid(other)).unwrap();
    world.settle().await;
    assert!(!world.shows_newest(other).await);
    assert_eq!(alerts(&world).await, ["two_users_one_object"]);

    let forgotten = Forget { tenant: Some(world.tenant_id()), user: one, signature: operator() };
    forget(world.storage(), &Targets::default(), forgotten).await.unwrap();
    world.settle().await;
    assert!(world.written(other).is_some(), "what is erased is not the photo of the user whose object it is now");
    reconcile(&world).await;
    assert!(world.shows_newest(other).await);
    assert!(alerts(&world).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn two_living_users_with_one_anchor_are_refused_though_neither_photo_changes_again() {
    let world = world(2, WritePolicy::default()).await;
    let (one, other) = (world.user(0), world.user(1));
    photo(&world, one, "astronaut-648.jpg").await;
    comes_back(&world, one, other);
    photo(&world, other, "cat-648.jpg").await;
    assert!(world.shows_newest(other).await);
    let listed_after = async |hours: i64| {
        let now = Timestamp::now() + SignedDuration::from_hours(hours);
        world.app.sweep.run(&Run { now, ..Run::default() }).await.unwrap();
        world.settle().await;
        // The list of users is read every ten minutes: another agent reads it now.
        let agent = agent(&world, WritePolicy::default());
        agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    };
    listed_after(1).await;
    assert!(alerts(&world).await.is_empty(), "the list may be behind");
    listed_after(26).await;
    for user in [one, other] {
        let reason = world.receipts(user, 1).await.pop().unwrap().reason;
        assert!(reason.is_some_and(|reason| reason.contains("same anchor")));
    }
    assert_eq!(alerts(&world).await, ["two_users_one_object"]);

    world.sim.tenant().edit_user(guid(one), |person| person.on_premises_sync_enabled = Some(false)).unwrap();
    listed_after(52).await;
    assert!(world.shows_newest(other).await);
    assert!(alerts(&world).await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn in_a_directory_each_pass_leaves_the_photo_of_the_new_object_id() {
    let samba = Samba::shared().await;
    let world = directory::world(Store::Embedded, &samba, false).await;
    let jane = samba.add("Jane").await;
    // The user who sorts later comes first, so that the pass ends with the old one.
    let mut ids = [0, 1];
    ids.sort_by_key(|at| std::cmp::Reverse(world.user(*at)));
    let earlier = jane.is(&world, ids[0], &jane.anchor());
    photo(&world, earlier, "astronaut-648.jpg").await;
    let later = jane.is(&world, ids[1], &jane.anchor());
    photo(&world, later, "cat-648.jpg").await;
    let wanted = world.trail(later).await[0].entry.renditions[0].sha256;
    for _ in 0..2 {
        assert_eq!(samba.photo(&jane).await.map(|photo| Digest::of(&photo)), Some(wanted));
        reconcile(&world).await;
    }
    assert_eq!(samba.photo(&jane).await.map(|photo| Digest::of(&photo)), Some(wanted));
    world.end().await;
}

#[tokio::test]
async fn who_is_not_synchronised_any_more_is_not_written_and_is_again_after_coming_back() {
    let policy = WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() };
    let world = world(2, policy.clone()).await;
    let user = world.user(0);
    photo(&world, user, "astronaut-648.jpg").await;
    let synchronised = async |is: bool| {
        let edit = |person: &mut graph_sim::SimUser| person.on_premises_sync_enabled = Some(is);
        world.sim.tenant().edit_user(guid(user), edit).unwrap();
        world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
        // The list of users is read every ten minutes: another agent reads it now.
        agent(&world, policy.clone()).full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
    };
    put(&world, user, b"put there after the user left");
    synchronised(false).await;
    assert_eq!(world.written(user).as_deref(), Some(b"put there after the user left".as_slice()));
    let drifted = drift(&reconciler(&world, true), None, &mut Vec::new()).await.unwrap();
    assert_eq!((drifted.differing, drifted.out_of_scope), (0, 1));
    synchronised(true).await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn a_dry_run_plan_drift_and_doctor_create_nothing_in_a_folder() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    let folder = world.dir().join("another");
    let mut variables = vec![("PHOTORELAY_FOLDER_PATH", folder.display().to_string())];
    variables.push(("PHOTORELAY_DRY_RUN", "true".to_owned()));
    let id = user.to_string();
    for arguments in [&["plan", &id][..], &["drift"], &["doctor", &id], &["once"]] {
        let output = agent_command(&world, &variables, arguments).await;
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(!folder.exists(), "{arguments:?} created {}: {printed}", folder.display());
    }
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_trial_with_the_wrong_domain_does_not_take_the_file_of_the_right_user() {
    let world = world(2, WritePolicy::default()).await;
    let (wrong, right) = (world.user(0), world.user(1));
    let account = world.sim.tenant().user(guid(right)).unwrap().on_premises_sam_account_name.clone();
    world.sim.tenant().edit_user(guid(wrong), |person| person.on_premises_sam_account_name = account.clone()).unwrap();
    world.sim.tenant().change_photo(guid(wrong)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    reconciler(&world, true).plan(wrong).await.unwrap();
    world.agent_builder().dry_run(true).build().drain().await.unwrap();

    photo(&world, right, "cat-648.jpg").await;
    assert_eq!(world.receipt(right, 1).await.unwrap().outcome, Outcome::Written);
    // Now the file has an owner, whom no account name replaces.
    look_again(&world, wrong).await;
    assert_eq!(world.receipt(wrong, 1).await.unwrap().outcome, Outcome::Refused);
    assert!(world.shows_newest(right).await);
    world.end().await;
}
