//! Forged write-back messages and trails: with the right to send to the queue one can have a user reconciled, and nothing
//! else.

use std::time::Duration;

use bytes::Bytes;
use photorelay_core::contract;
use photorelay_core::id::UserId;
use photorelay_core::names::{self, Container, WRITEBACKS_QUEUE};
use photorelay_core::queue::{Leased, MessageBody, Outgoing};
use photorelay_core::store::list_all;
use serde_json::{Value, json};
use testkit::world::{Setup, World, guid};

#[tokio::test]
async fn a_forged_message_is_buried_with_its_reason_and_writes_nothing() {
    let world = world().await;
    let (one, other) = (world.user(0), world.user(1));
    let genuine = announced(&world, one).await;
    let _other = announced(&world, other).await;
    let forged = |edit: &dyn Fn(&mut Value)| {
        let mut message = genuine.clone();
        edit(&mut message);
        message.to_string()
    };
    let wrong = [
        ("{".to_owned(), "not a write-back message"),
        (forged(&|message| message["data"]["v"] = json!(2)), "not a write-back message"),
        (forged(&|message| message["type"] = json!("photorelay.photo.changed.v9")), "not a write-back message"),
        (forged(&|message| message["source"] = json!(format!("/tenants/{}", uuid::Uuid::nil()))), "another tenant"),
        (forged(&|message| message["data"]["entrySha256"] = json!("0".repeat(64))), "forged, or the trail was changed"),
        // Somebody else's photo, as it would be if the message were believed.
        (forged(&|message| message["subject"] = json!(format!("users/{other}"))), ""),
    ];
    for (message, reason) in &wrong {
        send(&world, message).await;
        world.agent.drain().await.unwrap();
        assert_eq!((world.written(one), world.written(other)), (None, None), "{message}");
        let reasons = dead_letter_reasons(&world).await;
        assert!(reasons.iter().any(|found| found.contains(reason)), "{reason:?} is missing in {reasons:?}");
    }
    assert_eq!(dead_letter_reasons(&world).await.len(), wrong.len());

    // Neither does any of it harm whoever comes next.
    send(&world, &genuine.to_string()).await;
    world.agent.drain().await.unwrap();
    assert!(world.shows_newest(one).await && world.written(other).is_none());
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn an_entry_that_is_not_there_is_waited_for_and_nothing_is_written() {
    let world = world().await;
    let user = world.user(0);
    let mut message = announced(&world, user).await;
    message["data"]["seq"] = json!(9);
    message["id"] = json!(format!("{user}/9"));
    send(&world, &message.to_string()).await;
    world.agent.drain().await.unwrap();
    assert_eq!(world.written(user), None);
    assert!(world.receipt(user, 9).await.is_none());
    assert_eq!(world.storage().queues.count(WRITEBACKS_QUEUE).await.unwrap(), 1, "it is tried again later");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_rendition_that_was_changed_or_is_gone_is_not_written() {
    let world = world().await;
    let [changed, gone] = [0, 1].map(|at| world.user(at));
    for user in [changed, gone] {
        let message = announced(&world, user).await;
        let blob = message["data"]["renditions"][0]["blob"].as_str().unwrap().to_owned();
        let blobs = &world.storage().blobs;
        if user == changed {
            let other = Bytes::from_static(b"the face of somebody else");
            blobs.put(Container::Photos, &blob, "image/jpeg", other, &Default::default()).await.unwrap();
        } else {
            blobs.delete(Container::Photos, &blob).await.unwrap();
        }
        send(&world, &message.to_string()).await;
        world.agent.drain().await.unwrap();
        assert_eq!(world.written(user), None);
        assert!(world.receipt(user, 1).await.is_none());
    }
    let reasons = dead_letter_reasons(&world).await;
    assert!(reasons.iter().all(|reason| reason.contains("photorelay audit verify")), "{reasons:?}");
    assert_eq!(reasons.len(), 2);
    // Not ended as other worlds are: its trail is broken, which `audit verify` would find.
    world.sim.assert_no_violations();
}

#[tokio::test]
async fn behind_a_broken_link_of_the_chain_nothing_is_written() {
    let world = world().await;
    let user = world.user(0);
    let _first = announced(&world, user).await;
    let second = announced(&world, user).await;
    let entry = names::audit_entry(user, 1);
    let blobs = &world.storage().blobs;
    let mut first = world.trail(user).await.remove(0).entry;
    first.reason = Some("written by nobody of us".to_owned());
    let bytes = Bytes::from(contract::to_bytes(&first));
    blobs.put(Container::Audit, &entry, "application/json", bytes, &Default::default()).await.unwrap();
    send(&world, &second.to_string()).await;
    world.agent.drain().await.unwrap();
    assert_eq!(world.written(user), None);
    assert!(dead_letter_reasons(&world).await[0].contains("the chain is broken between entries 1 and 2"));
    world.sim.assert_no_violations();
}

async fn world() -> World {
    let sim = graph_sim::SimConfig { users: 2, with_photo: 0.0, ..Default::default() };
    World::with(Setup { sim, ..Setup::default() }).await
}

/// The user changes the photo; the message that the function sends for it, taken out of the queue.
async fn announced(world: &World, user: UserId) -> Value {
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    let queues = &world.storage().queues;
    let delivery = queues.receive(WRITEBACKS_QUEUE, 1, Duration::from_secs(60)).await.unwrap().remove(0);
    assert_eq!(queues.delete(WRITEBACKS_QUEUE, &delivery).await.unwrap(), Leased::Yes(()));
    let MessageBody::Bytes(body) = delivery.body else { panic!("the function's own message is base64") };
    serde_json::from_slice(&body).unwrap()
}

async fn send(world: &World, message: &str) {
    let message = Outgoing::now(Bytes::from(message.to_owned()));
    world.storage().queues.send(WRITEBACKS_QUEUE, vec![message]).await.unwrap();
}

/// The reasons of all dead letters.
async fn dead_letter_reasons(world: &World) -> Vec<String> {
    let blobs = &*world.storage().blobs;
    let mut reasons = Vec::new();
    for blob in list_all(blobs, Container::Agents, "poison/").await.unwrap() {
        let bytes = blobs.get(Container::Agents, &blob.name, 1 << 20).await.unwrap().unwrap();
        let record: Value = serde_json::from_slice(&bytes).unwrap();
        reasons.push(record["reason"].as_str().unwrap().to_owned());
    }
    reasons
}
