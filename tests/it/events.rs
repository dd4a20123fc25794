//! Notifications that come by an event hub or Event Grid: the subscription says so, and what arrives is judged as if it
//! had been posted.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use photorelay::config::{AppConfig, EventDelivery, NotificationDelivery};
use photorelay::host::manifest::Manifest;
use photorelay::host::router::trigger_router;
use photorelay_core::names::CHECKS_QUEUE;
use serde_json::{Value, json};
use testkit::world::{Setup, World, guid};
use tower::ServiceExt;

use crate::infra::text;

const HUB: &str = "EventHub:https://ns.servicebus.windows.net/eventhubname/photos?tenantId=contoso.com";
const TOPIC: &str = "EventGrid:?azuresubscriptionid=8a8a&resourcegroup=photos&partnertopic=graph&location=westeurope";

fn by(config: &mut AppConfig, events: &str) {
    config.notifications.delivery = Some(NotificationDelivery::Events(EventDelivery(events.to_owned())));
}

/// The manifest with the function that docs/event-delivery.md adds for this trigger.
fn manifest(trigger: &str) -> Manifest {
    let docs = text("docs/event-delivery.md");
    let snippets = docs.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let snippet = snippets.map(|snippet| serde_json::from_str::<Value>(&format!("{{{snippet}}}")).unwrap());
    let added = snippet.into_iter().find(|snippet| snippet["events"]["bindings"][0]["type"] == trigger).unwrap();
    let mut all: Value = serde_json::from_str(&text("function.json")).unwrap();
    all["functions"]["events"] = added["events"].clone();
    Manifest::parse(&all.to_string(), &text("host.json")).unwrap()
}

/// What the host would do with these events.
async fn invoke(world: &World, trigger: &str, events: Value) -> u16 {
    let functions = world.functions(world.storage().queues.clone());
    let router = trigger_router(&Arc::new(functions), &manifest(trigger)).unwrap();
    let envelope = json!({ "Data": { "events": events }, "Metadata": {} }).to_string();
    let request = Request::post("/events").header("content-type", "application/json").body(Body::from(envelope));
    router.oneshot(request.unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_photo_is_carried_by_an_event_hub() {
    let world = World::with(Setup { edit: |config| by(config, HUB), ..Setup::default() }).await;
    assert_eq!(world.sim.subscriptions()[0].notification_url, HUB);
    let tried = world.sim.take_events();
    assert_eq!(tried.len(), 2, "both URLs are tried");
    assert_eq!(invoke(&world, "eventHubTrigger", json!(tried)).await, 200);
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 0);

    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    let batch = json!([world.sim.take_events(), vec!["no notification".to_owned()]].concat());
    assert_eq!(invoke(&world, "eventHubTrigger", batch).await, 200);
    world.settle().await;
    assert_eq!(world.trail(user).await.len(), 1);
    assert!(world.shows_newest(user).await);

    let kept = world.app.subscribe.sync().await.unwrap();
    assert!(kept.actions.is_empty(), "the subscription is known again: {kept}");
    world.end().await;
}

#[tokio::test]
async fn a_photo_is_carried_by_event_grid_and_a_forged_event_is_dropped() {
    let world = World::with(Setup { edit: |config| by(config, TOPIC), ..Setup::default() }).await;
    world.sim.take_events();
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    let event: Value = serde_json::from_str(&world.sim.take_events().remove(0)).unwrap();
    let mut forged = event.clone();
    forged["data"]["clientState"] = json!("another");
    assert_eq!(invoke(&world, "eventGridTrigger", forged).await, 200);
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 0);
    assert_eq!(invoke(&world, "eventGridTrigger", event).await, 200);
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}
