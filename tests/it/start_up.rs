//! `photorelay run` whose storage cannot be used yet: it answers, acknowledges nothing, and goes on by itself.

use axum::Router;
use axum::http::StatusCode;
use photorelay_core::names::CHECKS_QUEUE;
use testkit::process::{Program, azure, until};
use testkit::world::{Setup, Store, World, guid, notifications};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::proxy::Proxy;

#[tokio::test]
async fn a_service_answers_before_its_storage_can_be_used_and_needs_no_restart_afterwards() {
    let setup = Setup { store: Store::Azurite, subscribe: false, ..Setup::default() };
    let world = World::with(setup).await;
    let azurite = world.azurite.as_ref().unwrap();
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();

    // Roles that have not propagated yet: every request to the storage is denied.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let denying = listener.local_addr().unwrap();
    let mut servers = JoinSet::new();
    let denies = Router::new().fallback(|| async { StatusCode::FORBIDDEN });
    servers.spawn(async move { axum::serve(listener, denies).await.unwrap() });
    let (blobs, queues) = (Proxy::before(Some(denying)).await, Proxy::before(Some(denying)).await);
    let storage = azure(&blobs.of(&azurite.blob), &queues.of(&azurite.queue));
    let mut program = Program::photorelay(&world.sim, &storage, &vec![]);
    let address = program.address().await;

    let client = reqwest::Client::new();
    let notification = notifications(world.sim.tenant_id(), &[user]);
    let posted = async |path: &str, body: String| {
        let request = client.post(format!("http://{address}{path}")).header("content-type", "application/json");
        request.body(body).send().await.unwrap().status()
    };
    assert_eq!(client.get(format!("http://{address}/")).send().await.unwrap().status(), 200);
    assert_eq!(posted("/api/notifications?validationToken=x", String::new()).await, 200);
    assert_eq!(posted("/api/notifications", notification.clone()).await, 503);

    blobs.lead_to(azurite.blob.socket_addrs(|| None).unwrap().first().copied());
    queues.lead_to(azurite.queue.socket_addrs(|| None).unwrap().first().copied());
    let accepted = until(|| async { posted("/api/notifications", notification.clone()).await == 202 });
    program.brings("an accepted notification", accepted).await;
    program.brings("the captured photo", until(|| async { !world.trail(user).await.is_empty() })).await;
    let is_idle = async || world.storage().queues.count(CHECKS_QUEUE).await.unwrap() == 0;
    program.brings("an empty queue", until(is_idle)).await;
    program.kill().await;
    world.settle().await;
    world.end().await;
}
