//! What receipts say of an entry that was refused first or replaced later, and what several refusals in a row say of the
//! target.

use jiff::Timestamp;
use photorelay::operate::history::history;
use photorelay_agent::operate::drift::{DriftFix, drift};
use photorelay_core::contract::{Outcome, Verdict};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::names::{self, Container, WRITEBACKS_QUEUE};
use serde_json::Value;
use testkit::agent::{AGENT, TARGET};
use testkit::world::{World, fixture, guid};
use tokio_util::sync::CancellationToken;

use crate::agent_policy::{approvals, operator, put, reconciler};
use crate::agent_work::{announced, daily, world};
use crate::stubborn::Stubborn;

const NO_RIGHT: &str = "no right to write: a protected account, or no delegation";

/// A world whose agent writes by way of a folder that a test can make refuse.
async fn stubborn(users: usize) -> (World, Stubborn) {
    let mut world = world(users).await;
    let folder = Stubborn::before(&world);
    world.agent = folder.agent(&world).build();
    (world, folder)
}

async fn reconcile(world: &World) {
    world.agent.full_reconciliation(daily()).run(&CancellationToken::new()).await.unwrap();
}

async fn outcomes(world: &World, user: UserId) -> Vec<Outcome> {
    world.receipts(user, 1).await.iter().map(|receipt| receipt.outcome).collect()
}

#[tokio::test]
async fn a_photo_that_was_refused_and_is_written_later_has_a_receipt_for_each_and_the_last_one_counts() {
    let (world, folder) = stubborn(1).await;
    let user = world.user(0);
    folder.refuse(Some(NO_RIGHT));
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;
    assert_eq!(world.receipt(user, 1).await.unwrap().reason.as_deref(), Some(NO_RIGHT));

    folder.refuse(None);
    reconcile(&world).await;
    assert!(world.shows_newest(user).await);
    assert_eq!(world.receipt(user, 1).await.unwrap().outcome, Outcome::Written, "the refusal is not final");
    assert_eq!(outcomes(&world, user).await, [Outcome::Refused, Outcome::Written]);
    let second = format!("{user}/00000001.ad.2.json");
    assert!(world.storage().blobs.get(Container::Receipts, &second, 65_536).await.unwrap().is_some());
    // What was said is not repeated.
    reconcile(&world).await;
    assert_eq!(outcomes(&world, user).await.len(), 2);

    let mut printed = Vec::new();
    history(world.storage(), user, &mut printed).await.unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let (refused, written) = (printed.find("ad: refused").unwrap(), printed.find("ad: written").unwrap());
    assert!(refused < written, "{printed}");

    // Our own copy comes back through Entra Connect: it is known although the first receipt says refused.
    world.sim.tenant().set_raw_photo(guid(user), fixture("astronaut-96-reencoded.jpg"), "image/jpeg").unwrap();
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1, "an echo is no new photo");
    world.end().await;
}

#[tokio::test]
async fn another_reason_leaves_another_receipt_and_the_same_one_none() {
    let (world, folder) = stubborn(1).await;
    let user = world.user(0);
    announced(&world, &[user]).await;
    for (reason, receipts) in [(NO_RIGHT, 1), (NO_RIGHT, 1), ("too large", 2), (NO_RIGHT, 3)] {
        folder.refuse(Some(reason));
        reconcile(&world).await;
        assert_eq!(outcomes(&world, user).await, vec![Outcome::Refused; receipts]);
    }
    world.agent.drain().await.unwrap();
    assert_eq!(world.receipt(user, 1).await.unwrap().reason.as_deref(), Some(NO_RIGHT));
    world.end().await;
}

#[tokio::test]
async fn a_value_that_was_written_again_over_another_has_a_receipt_for_each_write() {
    let (world, _) = stubborn(1).await;
    let user = world.user(0);
    announced(&world, &[user]).await;
    world.agent.drain().await.unwrap();
    let shown = world.written(user).map(|photo| Digest::of(&photo));
    std::fs::remove_file(crate::agent_work::file(&world, user)).unwrap();
    reconcile(&world).await;
    // It was empty before, both times.
    assert_eq!(outcomes(&world, user).await, [Outcome::Written]);
    assert_eq!(world.receipt(user, 1).await.unwrap().after, shown);
    world.end().await;
}

#[tokio::test]
async fn several_users_refused_in_a_row_for_one_reason_are_an_alert_until_one_is_written() {
    let (world, folder) = stubborn(4).await;
    let users: Vec<UserId> = (0..4).map(|at| world.user(at)).collect();
    folder.refuse(Some(NO_RIGHT));
    announced(&world, &users[..2]).await;
    world.agent.once().await.unwrap();
    assert_eq!(heartbeat(&world).await["refusing"], Value::Null, "two may be a coincidence");
    announced(&world, &users[2..3]).await;
    world.agent.once().await.unwrap();

    let beat = heartbeat(&world).await;
    assert_eq!(beat["lastSuccessAt"], Value::Null, "a refusal is no success");
    assert_eq!((beat["refusing"]["people"].as_u64(), beat["refusing"]["reason"].as_str()), (Some(3), Some(NO_RIGHT)));
    assert!(alerts(&world).await.contains(&"target_refuses"), "{:?}", alerts(&world).await);

    folder.refuse(None);
    announced(&world, &users[3..]).await;
    world.agent.once().await.unwrap();
    assert_eq!(heartbeat(&world).await["refusing"], Value::Null);
    assert!(!alerts(&world).await.contains(&"target_refuses"));
    world.end().await;
}

#[tokio::test]
async fn a_value_that_another_writer_put_over_ours_is_listed_alerted_and_approved() {
    let (world, _) = stubborn(1).await;
    let user = world.user(0);
    world.change(user).await;
    let ours = world.written(user).unwrap();
    put(&world, user, b"from the badge office");
    reconcile(&world).await;
    assert_eq!(approvals(&world).pending(None).await.unwrap().len(), 1, "what is held is listed");
    assert!(alerts(&world).await.contains(&"photo_replaced"));
    let fix = DriftFix { queues: &*world.storage().queues, queue: WRITEBACKS_QUEUE };
    let drifted = drift(&reconciler(&world, true), Some(fix), &mut Vec::new()).await.unwrap();
    assert_eq!((drifted.differing, drifted.announced), (1, Some(0)), "it waits, announced or not");
    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    assert!(!alerts(&world).await.contains(&"photo_replaced"));
    world.settle().await;
    assert_eq!(world.written(user).as_ref(), Some(&ours));
    assert!(approvals(&world).pending(None).await.unwrap().is_empty());
    assert_eq!(world.receipts(user, 1).await.len(), 2, "one for each write");

    // The other writer takes back what it did: there is nothing to decide any more.
    put(&world, user, b"once more");
    reconcile(&world).await;
    assert_eq!(approvals(&world).pending(None).await.unwrap().len(), 1);
    put(&world, user, &ours);
    reconcile(&world).await;
    assert!(approvals(&world).pending(None).await.unwrap().is_empty());
    assert!(!alerts(&world).await.contains(&"photo_replaced"));
    world.end().await;
}

async fn heartbeat(world: &World) -> Value {
    let name = names::heartbeat(TARGET, AGENT);
    let bytes = world.storage().blobs.get(Container::Agents, &name, 65_536).await.unwrap().unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn alerts(world: &World) -> Vec<&'static str> {
    let status = world.app.watch.status(Timestamp::now()).await.unwrap();
    status.alerts.iter().map(|alert| alert.alert).collect()
}
