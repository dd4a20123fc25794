//! Approvals: what the sheet says of many, what becomes of "everything", and the way back from a rejection.

use jiff::Timestamp;
use photorelay_core::approvals::ApprovalStore;
use photorelay_core::contract::{ApprovalReason, PendingApproval, V1, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::operator::OperatorSignature;
use reqwest::StatusCode;
use testkit::world::{World, guid};
use uuid::Uuid;

use super::visitor::{OpenConsole, Visitor};

async fn hold(world: &World, user: UserId, held_for: ApprovalReason) -> PendingApproval {
    let pending = PendingApproval {
        v: V1,
        user_id: user,
        seq: 1,
        target: "ad".to_owned(),
        held_for,
        value: Digest::of(b"the badge office's"),
        receipts: 0,
        reason: "it shows a value that photorelay did not write".to_owned(),
        agent: "one".to_owned(),
        at: Timestamp::now(),
    };
    store(world).hold(&pending).await.unwrap();
    pending
}

fn store(world: &World) -> ApprovalStore {
    ApprovalStore::new(&world.storage().blobs, "ad")
}

fn ada() -> OperatorSignature {
    OperatorSignature { by: "ada".parse().unwrap(), reason: Some("ticket 4711".parse().unwrap()) }
}

#[tokio::test]
async fn a_page_of_decided_ones_does_not_say_that_nothing_waits() {
    let world = World::start().await;
    for at in 1..=241_u128 {
        let pending = hold(&world, UserId::from_uuid(Uuid::from_u128(at)), ApprovalReason::Foreign).await;
        if at <= 240 {
            store(&world).decide(&pending, Verdict::Rejected, &ada()).await.unwrap();
        }
    }
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let page = visitor.page("/approvals").await;
    assert!(!page.contains("Nothing waits") && page.contains("there are more"), "{page}");
    assert!(page.contains("241 people with something held, decided or not"), "{page}");
    let last = UserId::from_uuid(Uuid::from_u128(240));
    let page = visitor.page(&format!("/approvals?after={last}")).await;
    assert_eq!(page.matches("data-item>").count(), 1, "{page}");
    console.close().await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn one_that_cannot_be_decided_does_not_end_everything_and_is_named() {
    let world = World::start().await;
    // The first has no entry that an approval could announce.
    let broken = UserId::from_uuid(Uuid::from_u128(1));
    hold(&world, broken, ApprovalReason::Foreign).await;
    let whole = capture_and_hold(&world, ApprovalReason::Foreign).await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    assert_eq!(visitor.post("/approvals", &[("verdict", "approve-all")]).await.status(), StatusCode::SEE_OTHER);
    let page = done(&visitor).await;
    for text in ["1 approved by", "1 person could not be decided", &broken.to_string()] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    let decided = store(&world).decided(&whole).await.unwrap().unwrap();
    assert_eq!((decided.verdict, decided.by.as_deref()), (Verdict::Approved, Some("Ada Operator")));
    console.close().await;
    world.settle().await;
    world.end_with_leftovers().await;
}

async fn capture_and_hold(world: &World, held_for: ApprovalReason) -> PendingApproval {
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    hold(world, user, held_for).await
}

/// The page once everything is decided.
async fn done(visitor: &Visitor) -> String {
    loop {
        let page = visitor.page("/approvals").await;
        if !page.contains("data-reload") {
            return page;
        }
    }
}

#[tokio::test]
async fn what_was_undone_can_still_be_approved() {
    let world = World::start().await;
    let pending = capture_and_hold(&world, ApprovalReason::Cleared).await;
    store(&world).decide(&pending, Verdict::Rejected, &ada()).await.unwrap();
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    assert!(visitor.page("/approvals").await.contains("Nothing waits for an operator"));
    let page = visitor.page("/approvals?held=rejected").await;
    for text in ["rejected by ada: ticket 4711", "cleared</span>", "no photo</span>"] {
        assert!(page.contains(text), "{text:?} is missing in {page}");
    }
    // Enter sends the first button of a form, which decides nothing.
    let first = page.split_once("id=\"sheet\"").unwrap().1.split_once("<button").unwrap().1;
    assert!(first.starts_with(" name=\"verdict\" value=\"nothing\" hidden>"), "{first}");
    let key = format!("ad/{}/1/{}", pending.user_id, pending.value);
    let answer = visitor.post("/approvals", &[("verdict", "nothing"), ("item", &key)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(visitor.page("/approvals").await.contains("Enter decides nothing"));
    assert_eq!(store(&world).decided(&pending).await.unwrap().unwrap().verdict, Verdict::Rejected);
    let item = format!("approve ad/{}/1/{}", pending.user_id, pending.value);
    assert_eq!(visitor.post("/approvals", &[("one", &item)]).await.status(), StatusCode::SEE_OTHER);
    let decided = store(&world).decided(&pending).await.unwrap().unwrap();
    assert_eq!(decided.verdict, Verdict::Approved);
    console.close().await;
    world.settle().await;
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn an_address_or_a_return_that_makes_no_sense_is_answered_by_a_page() {
    let world = World::start().await;
    let console = OpenConsole::acting(&world, "Ada Operator").await;
    let visitor = console.enter().await;
    let user = world.user(0);
    let paths = ["/people?q=a&q=b", "/approvals?after=xx", "/preview?page=-1", &format!("/people/{user}?before=abc")]
        .map(str::to_owned);
    for path in paths {
        let answer = visitor.get(&path).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(text.contains("<h1>Not understood</h1>"), "{path}: {text}");
    }
    for back in ["/approvals?text=\r\nx: y", "/approvalsx", "/approvals?text=\u{e9}"] {
        let answer = visitor.post("/approvals", &[("verdict", "approve"), ("back", back)]).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{back:?}");
    }
    console.close().await;
    world.end().await;
}
