//! The page before an action says what will happen, and what was confirmed is what happens.

use jiff::Timestamp;
use photorelay_agent::policy::{ForeignPolicy, RemovalPolicy, WritePolicy};
use photorelay_core::approvals::Approvals;
use photorelay_core::contract::{DeletionSlot, Heartbeat, V1, Verdict};
use photorelay_core::documents;
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, WRITEBACKS_QUEUE};
use photorelay_core::operator::OperatorSignature;
use photorelay_core::{deletion_slots, receipts};
use reqwest::StatusCode;
use testkit::world::{Setup, World, fixture, guid};
use uuid::Uuid;

use super::visitor::OpenConsole;

fn expect(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
}

/// Puts a value of another writer into the target.
fn put(world: &World, user: UserId, value: &[u8]) {
    let account = world.sim.tenant().user(guid(user)).unwrap().on_premises_sam_account_name.unwrap().to_lowercase();
    let folder = world.dir().join("written");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{account}.jpg")), value).unwrap();
}

#[tokio::test]
async fn an_undo_says_that_it_will_clear_the_photo_and_does_just_that() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let (person, undo) = (format!("/people/{user}"), format!("/people/{user}/undo?target=ad"));
    expect(&visitor.page(&person).await, &[&format!("href=\"{undo}\""), "Undo in ad …"]);
    let shown = Digest::of(&world.written(user).unwrap());
    let page = visitor.page(&undo).await;
    expect(
        &page,
        &[
            &format!("src=\"/before/{user}/{shown}\" alt=\"the picture of entry 1\""),
            "<span class=\"face none\">cleared</span>",
            "The photo is cleared: ad had none before photorelay wrote there.",
            "1 person, in the target ad",
            "It passes, unless PHOTORELAY_REMOVALS_PER_DAY is set to less: it takes one of today&#39;s 3 deletion slots",
            "of which 0 are taken",
            "It needs none. It is recorded as rejected, and can be approved again",
            "until the user sets a new photo",
            "No agent of ad has ever reported",
            "A picture that another writer has put there since stays",
        ],
    );
    assert!(world.written(user).is_some(), "looking changes nothing");
    let answer = visitor.confirm(&undo, &[("reason", "ticket 4711")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    expect(&visitor.page(&person).await, &["An agent of ad is asked to clear the photo"]);
    world.settle().await;
    assert_eq!(world.written(user), None);
    let notes = receipts::notes_of(&*world.storage().blobs, user).await.unwrap();
    let undone = notes.last().unwrap().undone.clone().unwrap();
    assert_eq!((undone.by.as_str(), undone.reason.as_deref()), ("Ada Operator", Some("ticket 4711")));
    let again = visitor.page(&undo).await;
    expect(&again, &["<b>Nothing would be changed:</b> the target shows no photo already."]);
    assert!(!again.contains("<form method=\"post\""), "{again}");
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn an_undo_shows_the_picture_that_it_will_put_back() {
    let mut world = World::start().await;
    let policy = WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() };
    world.agent = world.agent_builder().policy(policy).build();
    let user = world.user(0);
    let earlier = fixture("astronaut-240.jpg");
    put(&world, user, &earlier);
    world.change(user).await;
    assert!(world.shows_newest(user).await);
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let undo = format!("/people/{user}/undo?target=ad");
    let picture = format!("/before/{user}/{}", Digest::of(&earlier));
    expect(
        &visitor.page(&undo).await,
        &[
            &format!("src=\"{picture}\" alt=\"a picture that photorelay did not write\""),
            "This picture is put back: ad showed it before photorelay wrote there.",
            "stays, also when the user sets a new photo, until that is approved",
        ],
    );
    assert_eq!(visitor.get(&picture).await.status(), StatusCode::OK);
    assert_eq!(visitor.confirm(&undo, &[]).await.status(), StatusCode::SEE_OTHER);
    world.settle().await;
    assert_eq!(world.written(user), Some(earlier));
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn undoing_a_removal_puts_the_own_photo_back_until_the_user_sets_another() {
    let edit = |config: &mut photorelay::config::AppConfig| config.capture.hold = std::time::Duration::ZERO;
    let mut world = World::with(Setup { edit, ..Setup::default() }).await;
    let policy = WritePolicy { removal: RemovalPolicy::Clear, ..WritePolicy::default() };
    world.agent = world.agent_builder().policy(policy).build();
    let user = world.user(0);
    world.change(user).await;
    let written = world.written(user).unwrap();
    world.sim.tenant().remove_photo(guid(user)).unwrap();
    world.settle().await;
    assert_eq!(world.written(user), None);
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let undo = format!("/people/{user}/undo?target=ad");
    let picture = format!("src=\"/before/{user}/{}\" alt=\"the picture of entry 1\"", Digest::of(&written));
    let says =
        ["This picture is put back: ad showed it before it was removed.", "stays until the user sets a new photo."];
    let page = visitor.page(&undo).await;
    expect(&page, &[&picture, "<span class=\"face none\">no picture</span>"]);
    expect(&page, &says);
    // The removal has a slot of today, and the undo of the same entry needs no other.
    expect(&page, &["This entry has one of today&#39;s deletion slots of ad already"]);
    assert_eq!(visitor.confirm(&undo, &[]).await.status(), StatusCode::SEE_OTHER);
    world.settle().await;
    assert_eq!(world.written(user), Some(written));
    world.change(user).await;
    assert!(world.shows_newest(user).await, "as it said");
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn what_has_changed_since_it_was_confirmed_is_asked_again() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    world.change(user).await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let (undo, restore) = (format!("/people/{user}/undo?target=ad"), format!("/people/{user}/restore?seq=1"));
    let [undone, restored] = [visitor.form_of(&undo).await, visitor.form_of(&restore).await];
    world.change(user).await;
    for (path, fields, says) in [
        (&undo, undone, "What undoing would do has changed since you looked"),
        (&restore, restored, "Entry 3 was made since you looked"),
    ] {
        let answer = visitor.send(path, &fields, &[]).await;
        assert_eq!(answer.headers()["location"].to_str().unwrap(), path);
        expect(&visitor.page(path).await, &[says]);
    }
    for path in [&undo, &restore] {
        let answer = visitor.post(path.split('?').next().unwrap(), &[("target", "ad"), ("seq", "1")]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "a form that confirms nothing");
    }
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 3, "nothing was restored");
    assert!(world.shows_newest(user).await, "nothing was undone");
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn an_undo_says_that_the_days_deletion_slots_are_taken() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    let today = deletion_slots::today().to_string();
    let take = async |slot: u32, user_id: UserId, target: &str| {
        let owner = (user_id, target.to_owned(), "one".to_owned());
        let slot_of =
            DeletionSlot { v: V1, user_id: owner.0, seq: 1, target: owner.1, agent: owner.2, at: Timestamp::now() };
        let name = names::deletion_slot(&today, slot, target);
        documents::replace(&*world.storage().blobs, Container::Agents, &name, &slot_of).await.unwrap();
    };
    for slot in 0..3 {
        take(slot, UserId::from_uuid(Uuid::from_u128(7)), "ad").await;
        take(slot, user, "feed").await;
    }
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let undo = format!("/people/{user}/undo?target=ad");
    expect(
        &visitor.page(&undo).await,
        &["It does not pass today, unless PHOTORELAY_REMOVALS_PER_DAY allows more: 3 of 3 deletion slots of ad"],
    );
    assert_eq!(visitor.confirm(&undo, &[]).await.status(), StatusCode::SEE_OTHER);
    world.settle().await;
    assert!(world.written(user).is_some(), "as it said");
    take(1, user, "ad").await;
    expect(&visitor.page(&undo).await, &["has one of today&#39;s deletion slots of ad already"]);
    console.close().await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn what_agents_reported_is_said_before_they_are_asked() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    world.change(user).await;
    let report = async |agent: &str, dry_run: bool, paused: Option<&str>| {
        let heartbeat = Heartbeat {
            v: V1,
            target: "ad".to_owned(),
            agent: agent.to_owned(),
            version: "0.1.0".to_owned(),
            started_at: Timestamp::now(),
            at: Timestamp::now(),
            last_success_at: None,
            oldest_unfinished_at: None,
            paused: paused.map(str::to_owned),
            refusing: None,
            withheld: None,
            dry_run,
            certificate_expires_at: None,
        };
        let name = names::heartbeat("ad", agent);
        documents::replace(&*world.storage().blobs, Container::Agents, &name, &heartbeat).await.unwrap();
    };
    report("one", true, None).await;
    report("two", false, Some("stopped by an operator")).await;
    let console = OpenConsole::reading(&world).await;
    let visitor = console.enter().await;
    for path in ["undo?target=ad", "restore?seq=1"] {
        let page = visitor.page(&format!("/people/{user}/{path}")).await;
        let says =
            ["The agent one of ad is in a dry run", "The agent two of ad writes nothing now: stopped by an operator"];
        expect(&page, &says);
        expect(&page, &["This console only reads"]);
        assert!(!page.contains("<form method=\"post\""), "{page}");
    }
    let unknown = visitor.get(&format!("/people/{user}/undo?target=nowhere")).await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let stranger = visitor.get(&format!("/people/{}/undo?target=ad", Uuid::from_u128(9))).await;
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
    console.close().await;
    world.end().await;
}

#[tokio::test]
async fn a_restore_says_what_each_target_does_with_the_photo() {
    let world = World::start().await;
    let user = world.user(0);
    world.change(user).await;
    world.change(user).await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let restore = format!("/people/{user}/restore?seq=1");
    let trail = world.trail(user).await;
    let rendition = |at: usize| trail[at].entry.renditions[0].sha256;
    let page = visitor.page(&restore).await;
    let then = format!("thumbnailPhoto-{}.jpg\" alt=\"the picture of entry 1\"", rendition(0));
    let now = format!("/before/{user}/{}\" alt=\"the picture of entry 2\"", rendition(1));
    expect(&page, &[&then, &now, "The agent replaces its own picture. It needs no approval.", "1 person, in 1 target"]);
    expect(&page, &["after entry 2", "It does not count: no photo is removed"]);
    let same = visitor.page(&format!("/people/{user}/restore?seq=2")).await;
    expect(&same, &["It shows this photo already: the agent writes nothing"]);
    expect(
        &visitor.page(&format!("/people/{user}/restore?seq=99")).await,
        &["Nothing would be changed", "no entry 99"],
    );

    // Another writer replaces it, which an agent finds.
    put(&world, user, &fixture("astronaut-240.jpg"));
    let newest = world.trail(user).await.pop().unwrap();
    let targets = photorelay_core::target::Targets::default();
    photorelay::jobs::announce::announce(&*world.storage().queues, &targets, &newest).await.unwrap();
    world.settle().await;
    expect(
        &visitor.page(&restore).await,
        &["No receipt says that photorelay wrote what is there: the photo waits for approval, unless"],
    );
    let approvals = Approvals::new(world.storage().clone(), "ad".to_owned(), WRITEBACKS_QUEUE.to_owned());
    let ada = OperatorSignature { by: "ada".parse().unwrap(), reason: None };
    approvals.decide(user, Verdict::Rejected, &ada).await.unwrap();
    expect(&visitor.page(&restore).await, &["an operator wants it kept: the photo waits for approval"]);
    assert_eq!(visitor.confirm(&restore, &[]).await.status(), StatusCode::SEE_OTHER);
    world.settle().await;
    assert_eq!(world.written(user), Some(fixture("astronaut-240.jpg")), "as it said");
    console.close().await;
    world.end_with_leftovers().await;
}
