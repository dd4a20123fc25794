//! Requests to undo that come through the queue: each is obeyed once, only as long as it is the last word, and only so
//! often a day. What is not obeyed is recorded.

use bytes::Bytes;
use photorelay_agent::policy::{ForeignPolicy, WritePolicy};
use photorelay_core::contract::{self, Note, Verdict, WriteBack};
use photorelay_core::hops::{self, HopsEnd, TracedEntries};
use photorelay_core::id::UserId;
use photorelay_core::names::WRITEBACKS_QUEUE;
use photorelay_core::queue::Outgoing;
use photorelay_core::receipts;
use testkit::world::{World, guid};

use crate::agent_policy::*;

/// A request to undo this entry, as the console makes it.
async fn request(world: &World, user: UserId, seq: u32) -> Bytes {
    let entry = world.trail(user).await.into_iter().find(|committed| committed.entry.seq == seq).unwrap();
    let event = WriteBack::asking_to_undo(&entry.entry, entry.sha256, &operator());
    Bytes::from(contract::to_bytes(&event.sent_now()))
}

async fn deliver(world: &World, body: &Bytes) {
    world.storage().queues.send(WRITEBACKS_QUEUE, vec![Outgoing::now(body.clone())]).await.unwrap();
    world.settle().await;
}

async fn notes(world: &World, user: UserId) -> Vec<Note> {
    receipts::notes_of(&*world.storage().blobs, user).await.unwrap()
}

#[tokio::test]
async fn a_request_that_is_delivered_again_undoes_nothing_that_was_approved_since() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    world.change(user).await;
    let body = request(&world, user, 1).await;
    deliver(&world, &body).await;
    assert_eq!(world.written(user), None);
    deliver(&world, &body).await;
    assert_eq!(notes(&world, user).await.len(), 1, "it was obeyed, and the record says nothing else");

    approvals(&world).decide(user, Verdict::Approved, &operator()).await.unwrap();
    world.settle().await;
    deliver(&world, &body).await;
    assert!(world.shows_newest(user).await, "the approval is the later decision");
    let asked_again = request(&world, user, 1).await;
    deliver(&world, &asked_again).await;
    assert_eq!(world.written(user), None, "a new request is obeyed");
    world.end().await;
}

#[tokio::test]
async fn a_request_that_comes_too_late_is_recorded() {
    let world = world(1, WritePolicy::default()).await;
    let user = world.user(0);
    for _ in 0..2 {
        world.change(user).await;
    }
    deliver(&world, &request(&world, user, 1).await).await;
    assert!(world.shows_newest(user).await);
    let notes = notes(&world, user).await;
    let said = notes.last().map(|note| note.reason.as_str()).unwrap_or_default();
    assert!(said.contains("asked to undo entry 1") && said.contains("entry 2 is newer"), "{said}");
    world.end().await;
}

#[tokio::test]
async fn no_number_of_requests_puts_back_more_values_than_the_deletion_threshold_allows() {
    let policy = WritePolicy { foreign: ForeignPolicy::Overwrite, ..WritePolicy::default() };
    let world = world(8, policy).await;
    for at in 0..8 {
        put(&world, world.user(at), b"from the badge office");
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    world.settle().await;
    for at in 0..8 {
        approvals(&world).request_undo(world.user(at), 1, &operator()).await.unwrap();
    }
    world.settle().await;
    let is_back = |at: &usize| world.written(world.user(*at)).as_deref() == Some(b"from the badge office");
    assert_eq!((0..8).filter(is_back).count(), 3, "of eight people, three may lose their photo on one day");
    command(&world, &["undo", "--all", "--yes"]).await;
    assert_eq!((0..8).filter(is_back).count(), 8, "at the command line an operator sees and confirms the number");
    world.end().await;
}

#[tokio::test]
async fn a_trace_says_what_became_of_a_photo_after_it_was_written() {
    let world = world(2, WritePolicy::default()).await;
    let (undone, replaced) = (world.user(0), world.user(1));
    for user in [undone, replaced] {
        world.sim.tenant().change_photo(guid(user)).unwrap();
    }
    world.settle().await;
    deliver(&world, &request(&world, undone, 1).await).await;
    put(&world, replaced, b"another writer's");
    look_again(&world, replaced).await;

    let printed = async |user| {
        let traced = hops::of_user(&*world.storage().blobs, user, TracedEntries::Newest, |_| vec!["ad"]).await.unwrap();
        assert!(matches!(traced[0].targets[0].state, HopsEnd::Noted { .. }), "{traced:#?}");
        traced[0].to_string()
    };
    let text = printed(undone).await;
    assert!(text.contains("to ad: undone by ada") && text.contains("ticket 4711"), "{text}");
    let text = printed(replaced).await;
    assert!(text.contains("written and replaced since") && text.contains("did not write"), "{text}");
    assert!(text.contains("in all"), "when it was written stays known: {text}");
    world.end().await;
}
