//! What the agent does by itself, and what waits for an operator: removals and foreign values.

use photorelay_agent::agent::Agent;
use photorelay_agent::policy::{ForeignPolicy, RemovalPolicy, WritePolicy};
use photorelay_agent::writeback::Reconciler;
use photorelay_core::approvals::Approvals;
use photorelay_core::contract::{ApprovalReason, EntryKind, Outcome, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, ReceiptName, WRITEBACKS_QUEUE};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::store::list_all;
use testkit::process::{Variables, agent_command};
use testkit::world::{Setup, World, fixture, guid};

pub(crate) const CLEAR: WritePolicy = WritePolicy {
    removal: RemovalPolicy::Clear,
    removals_per_day: None,
    foreign: ForeignPolicy::KeepForeign,
    pilot: None,
};

#[tokio::test]
async fn a_removal_waits_until_an_operator_approves_it() {
    let world = world(3, WritePolicy::default()).await;
    let user = person_without_photo(&world, 0).await;
    let shown = world.written(user).unwrap();

    let held = approvals(&world).pending(None).await.unwrap();
    assert_eq!((held.len(), held[0].held.user_id, held[0].held.seq, held[0].verdict), (1, user, 2, None));
    assert_eq!((held[0].held.held_for, held[0].held.value), (ApprovalReason::Removal, Digest::of(&shown)));
    assert!(world.receipt(user, 2).await.is_none(), "what is held has no receipt");

    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert_eq!(world.written(user), None);
    let receipt = world.receipt(user, 2).await.unwrap();
    assert_eq!((receipt.outcome, receipt.before, receipt.after), (Outcome::Written, Some(Digest::of(&shown)), None));
    assert_eq!(kept(&world, user, &shown).await, Some(shown), "what is cleared can be put back");
    assert!(approvals(&world).pending(None).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_rejected_removal_leaves_the_photo_and_a_later_one_is_asked_about_again() {
    let world = world(1, CLEAR.clone()).await;
    // The deletion threshold has no slot for it: it waits although removals are cleared.
    let world = with(world, WritePolicy { removals_per_day: Some(0), ..CLEAR });
    let user = person_without_photo(&world, 0).await;
    approvals(&world)
        .decide_all(Verdict::Rejected, &operator(), |user, error| panic!("{user}: {error}"))
        .await
        .unwrap();
    look_again(&world, user).await;
    assert!(world.written(user).is_some());
    assert_eq!(approvals(&world).pending(None).await.unwrap()[0].verdict, Some(Verdict::Rejected));

    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    assert!(approvals(&world).pending(None).await.unwrap().is_empty(), "a newer photo is shown: nothing is held");
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert_eq!(approvals(&world).pending(None).await.unwrap()[0].verdict, None);
    world.end().await;
}

#[tokio::test]
async fn the_brake_lets_a_days_removals_through_and_holds_the_rest_with_two_agents_as_with_one() {
    let world = world(8, CLEAR).await;
    for at in 0..8 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    world.settle().await;
    for at in 0..8 {
        world.sim.tenant().remove_photo(guid(world.user(at))).unwrap();
    }
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    // Every removal is announced twice, and both agents take what they can get.
    for at in 0..8 {
        look_again_at(&world, world.user(at)).await;
    }
    let other = agent(&world, CLEAR);
    let (one, two) = tokio::join!(world.agent.drain(), other.drain());
    one.and(two).unwrap();

    let shown = (0..8).filter(|at| world.written(world.user(*at)).is_some()).count();
    assert_eq!(shown, 5, "of eight people, three may lose their photo on one day");
    assert_eq!(approvals(&world).pending(None).await.unwrap().len(), 5);
    let slots = list_all(&*world.storage().blobs, Container::Agents, "brake/").await.unwrap();
    assert_eq!(slots.len(), 3, "no slot is spent twice: {slots:?}");

    // The next day has new slots, which do not decide what was held.
    for slot in slots {
        world.storage().blobs.delete(Container::Agents, &slot.name).await.unwrap();
    }
    for at in 0..8 {
        look_again(&world, world.user(at)).await;
    }
    assert_eq!(approvals(&world).pending(None).await.unwrap().len(), 5);

    approvals(&world)
        .decide_all(Verdict::Approved, &operator(), |user, error| panic!("{user}: {error}"))
        .await
        .unwrap();
    world.settle().await;
    assert!((0..8).all(|at| world.written(world.user(at)).is_none()));
    world.end().await;
}

#[tokio::test]
async fn a_removal_that_a_newer_photo_superseded_clears_nothing() {
    let world = world(1, WritePolicy::default()).await;
    let user = person_without_photo(&world, 0).await;
    // Approved, and before the agent gets to it the user has a photo again.
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.sim.tenant().set_photo(guid(user), &fixture("cat-648.jpg")).unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    assert_eq!(world.receipt(user, 2).await.unwrap().outcome, Outcome::Superseded);
    assert_eq!(world.receipt(user, 3).await.unwrap().outcome, Outcome::Written);
    world.end().await;
}

#[tokio::test]
async fn an_ignored_removal_is_neither_written_nor_held() {
    let world = world(1, WritePolicy { removal: RemovalPolicy::Ignore, ..WritePolicy::default() }).await;
    let user = person_without_photo(&world, 0).await;
    assert!(world.written(user).is_some());
    assert!(approvals(&world).pending(None).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_removal_never_takes_away_what_somebody_else_put_there_unasked() {
    let world = world(1, CLEAR).await;
    let user = world.user(0);
    world.change(user).await;
    put(&world, user, b"somebody else's");
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert_eq!(world.written(user).as_deref(), Some(b"somebody else's".as_slice()));
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    // Only this value may be removed.
    put(&world, user, b"yet another");
    world.settle().await;
    assert_eq!(world.written(user).as_deref(), Some(b"yet another".as_slice()));
    assert_eq!(approvals(&world).pending(None).await.unwrap()[0].verdict, None);
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert_eq!(world.written(user), None);
    assert_eq!(kept(&world, user, b"yet another").await.as_deref(), Some(b"yet another".as_slice()));
    world.end().await;
}

#[tokio::test]
async fn a_foreign_value_is_overwritten_only_after_an_operator_approves_and_is_kept() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    put(&world, user, b"from the badge office");
    world.change(user).await;
    assert_eq!(world.written(user).as_deref(), Some(b"from the badge office".as_slice()));
    let held = approvals(&world).pending(None).await.unwrap();
    assert_eq!((held.len(), held[0].held.held_for), (1, ApprovalReason::Foreign));

    // A newer photo waits for the same decision: one item, not two.
    world.change(user).await;
    let held = approvals(&world).pending(None).await.unwrap();
    assert_eq!((held.len(), held[0].held.seq), (1, 2));

    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    let kept = kept(&world, user, b"from the badge office").await;
    assert_eq!(kept.as_deref(), Some(b"from the badge office".as_slice()));
    assert!(approvals(&world).pending(None).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_rejected_foreign_value_is_kept_from_later_photos_too() {
    // Even where foreign values are overwritten: an operator's decision takes precedence.
    for foreign in [ForeignPolicy::KeepForeign, ForeignPolicy::Overwrite] {
        let world = world(1, WritePolicy::default()).await;
        let user = world.user(0);
        put(&world, user, b"as she wants it");
        world.change(user).await;
        approvals(&world).decide(user, Verdict::Rejected, &operator()).await.unwrap();
        let world = with(world, WritePolicy { foreign, ..WritePolicy::default() });
        world.change(user).await;
        assert_eq!(world.written(user).as_deref(), Some(b"as she wants it".as_slice()));
        world.end().await;
    }
}

#[tokio::test]
async fn where_only_empty_places_are_filled_a_foreign_value_stays_and_asks_nobody() {
    let world = world(2, WritePolicy { foreign: ForeignPolicy::OnlyIfEmpty, ..WritePolicy::default() }).await;
    let (has, empty) = (world.user(0), world.user(1));
    put(&world, has, b"was here first");
    for user in [has, empty] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;
    assert_eq!(world.written(has).as_deref(), Some(b"was here first".as_slice()));
    assert!(world.shows_newest(empty).await);
    assert!(approvals(&world).pending(None).await.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_value_that_we_wrote_is_never_foreign_even_if_no_receipt_says_so() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    for photo in ["astronaut-648.jpg", "cat-648.jpg"] {
        world.sim.tenant().set_photo(guid(user), &fixture(photo)).unwrap();
        world.settle().await;
    }
    // As if the agent had died right after its writes.
    for seq in [1, 2] {
        let receipt = names::receipt(user, seq, "ad");
        world.storage().blobs.delete(Container::Receipts, &receipt).await.unwrap();
    }
    world.sim.tenant().set_photo(guid(user), &fixture("coffee-648.jpg")).unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn a_pilot_leaves_everybody_else_alone() {
    let world = world(2, WritePolicy::default()).await;
    let (pilot, other) = (world.user(0), world.user(1));
    let list = Some(pilot.to_string().parse().unwrap());
    let world = with(world, WritePolicy { pilot: list, ..WritePolicy::default() });
    for user in [pilot, other] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;
    assert!(world.shows_newest(pilot).await);
    assert_eq!(world.written(other), None);
    assert!(world.receipt(other, 1).await.is_none());
    world.end().await;
}

#[tokio::test]
async fn a_dry_run_holds_nothing_and_spends_no_slot() {
    let world = world(1, CLEAR).await;
    let user = world.user(0);
    world.change(user).await;
    let left = async |world: &World| {
        let left = list_all(&*world.storage().blobs, Container::Agents, "").await.unwrap();
        left.into_iter().map(|blob| blob.name).collect::<Vec<_>>()
    };
    let before = left(&world).await;
    let mut world = world;
    world.agent = dry(&world, CLEAR);
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert!(world.written(user).is_some());
    let mut names = left(&world).await;
    names.retain(|name| !before.contains(name));
    let recorded = names::recorded_note(&ReceiptName::first(user, 2, "ad"));
    assert_eq!(names, [names::note(user, "ad"), recorded], "a note is all that a dry run leaves");
    world.end().await;
}

/// What `photorelay-agent` prints with these arguments, ending well.
pub(crate) async fn command(world: &World, arguments: &[&str]) -> String {
    let output = run(world, arguments).await;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    printed
}

pub(crate) async fn run(world: &World, arguments: &[&str]) -> std::process::Output {
    agent_command(world, &folder(world), arguments).await
}

/// The settings of the agent that writes to the world's folder.
pub(crate) fn folder(world: &World) -> Variables {
    vec![("PHOTORELAY_FOLDER_PATH", world.dir().join("written").display().to_string())]
}

/// A world in which a photo that is not found twice counts as removed.
pub(crate) async fn world(users: usize, policy: WritePolicy) -> World {
    let sim = graph_sim::SimConfig { users, with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut photorelay::config::AppConfig| config.capture.hold = std::time::Duration::ZERO;
    let world = World::with(Setup { sim, edit, ..Setup::default() }).await;
    with(world, policy)
}

pub(crate) fn with(mut world: World, policy: WritePolicy) -> World {
    world.agent = agent(&world, policy);
    world
}

pub(crate) fn agent(world: &World, policy: WritePolicy) -> Agent {
    world.agent_builder().policy(policy).build()
}

pub(crate) fn dry(world: &World, policy: WritePolicy) -> Agent {
    world.agent_builder().policy(policy).dry_run(true).build()
}

pub(crate) fn reconciler(world: &World, dry_run: bool) -> Reconciler {
    world.agent_builder().dry_run(dry_run).reconciler()
}

/// Who decides in the tests.
pub(crate) fn operator() -> OperatorSignature {
    OperatorSignature { by: "ada".parse().unwrap(), reason: Some("ticket 4711".parse().unwrap()) }
}

pub(crate) fn approvals(world: &World) -> Approvals {
    Approvals::new(world.storage().clone(), "ad".to_owned(), WRITEBACKS_QUEUE.to_owned())
}

/// A user whose photo was written and then removed, with the removal in the trail.
pub(crate) async fn person_without_photo(world: &World, at: usize) -> UserId {
    let user = world.user(at);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert_eq!(world.trail(user).await.last().map(|newest| newest.entry.kind), Some(EntryKind::Removed));
    user
}

/// Puts a value of another writer into the target.
pub(crate) fn put(world: &World, user: UserId, value: &[u8]) {
    let account = world.sim.tenant().user(guid(user)).unwrap().on_premises_sam_account_name.unwrap().to_lowercase();
    std::fs::write(world.dir().join("written").join(format!("{account}.jpg")), value).unwrap();
}

pub(crate) async fn kept(world: &World, user: UserId, value: &[u8]) -> Option<Vec<u8>> {
    let name = names::kept_value(user, Digest::of(value));
    world.storage().blobs.get(Container::Receipts, &name, 1 << 20).await.unwrap().map(|bytes| bytes.to_vec())
}

/// The newest entry is announced once more.
pub(crate) async fn look_again_at(world: &World, user: UserId) {
    let newest = world.trail(user).await.pop().unwrap();
    let targets = photorelay_core::target::Targets::default();
    photorelay::jobs::announce::announce(&*world.storage().queues, &targets, &newest).await.unwrap();
}

pub(crate) async fn look_again(world: &World, user: UserId) {
    look_again_at(world, user).await;
    world.settle().await;
}
