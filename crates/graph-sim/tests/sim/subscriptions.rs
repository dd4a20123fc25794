//! Subscriptions and the handshake with their endpoints.

use std::time::Duration;

use graph_sim::{Sim, SimConfig, roles};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{Bench, Handshake, Receiver, bench, in_hours, members, sample, subscription};

fn message(body: &Value) -> String {
    body["error"]["message"].as_str().unwrap().to_owned()
}

async fn refused(bench: &Bench, status: u16, body: Value) -> String {
    message(&bench.json(status, Method::POST, "/subscriptions", Some(body)).await)
}

#[tokio::test]
async fn create_validates_the_endpoint_in_the_observed_wire_form() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let mut body = subscription(&receiver.url);
    body["lifecycleNotificationUrl"] = json!(receiver.url);
    let answer = bench.json(201, Method::POST, "/subscriptions", Some(body)).await;
    assert_eq!(members(&answer), members(&sample("subscription")));
    let handshakes = receiver.handshakes();
    assert_eq!(handshakes.len(), 2, "equal URLs are validated twice");
    let wanted = "/hook?code=K%3D&validationToken=Validation%3a+Testing+client+application+reachability+for+subscription+Request-Id%3a+";
    assert!(handshakes[0].starts_with(wanted), "{}", handshakes[0]);
    bench.end().await;
}

#[tokio::test]
async fn a_failed_handshake_makes_no_subscription() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.sim.set(|settings| settings.handshake_answer_ms = 50);
    let cases = [
        (Handshake::WrongText, "must respond with 200 OK"),
        (Handshake::Json, "must respond with 200 OK"),
        (Handshake::Forbidden, "HTTP status code is 'Forbidden'"),
        (Handshake::Never, "Subscription validation request timed out."),
    ];
    for (how, words) in cases {
        receiver.handshake(how);
        let message = refused(&bench, 400, subscription(&receiver.url)).await;
        assert!(message.contains(words), "{message}");
    }
    assert!(bench.sim.subscriptions().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn a_duplicate_names_the_subscription_that_exists() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let id = bench.subscribe(&receiver.url).await;
    let mut again = subscription(&receiver.url);
    again["resource"] = json!("/Users");
    let body = bench.json(409, Method::POST, "/subscriptions", Some(again)).await;
    assert_eq!(body["error"]["code"], "ObjectIdentifierInUse");
    assert_eq!(message(&body), format!("Subscription Id {id} already exists for the requested combination"));
    bench.end().await;
}

#[tokio::test]
async fn the_quota_is_enforced() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.sim.set(|settings| settings.subscription_quota = 1);
    bench.subscribe(&receiver.url).await;
    let mut other = subscription(&receiver.url);
    other["changeType"] = json!("updated,deleted");
    assert!(refused(&bench, 403, other).await.contains("limit of 1"));
    bench.end().await;
}

#[tokio::test]
async fn expiry_has_a_floor_and_a_ceiling() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let mut body = subscription(&receiver.url);
    body["expirationDateTime"] = json!(in_hours(0));
    let answer = bench.json(201, Method::POST, "/subscriptions", Some(body.clone())).await;
    let expires: Timestamp = answer["expirationDateTime"].as_str().unwrap().parse().unwrap();
    assert!(expires > bench.sim.now() + jiff::SignedDuration::from_mins(44));
    bench.sim.assert_no_violations();

    body["resource"] = json!(format!("users/{}", bench.first_user()));
    body["expirationDateTime"] = json!(in_hours(696));
    bench.json(201, Method::POST, "/subscriptions", Some(body.clone())).await;
    body["resource"] = json!(format!("users/{}", bench.sim.tenant().user_ids()[1]));
    body["expirationDateTime"] = json!(in_hours(697));
    assert!(refused(&bench, 400, body).await.contains("41760 minutes"));
}

#[tokio::test]
async fn client_state_is_withheld_when_reading() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let id = bench.subscribe(&receiver.url).await;
    let list = bench.get_json("/subscriptions").await;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    assert_eq!(list["value"][0]["clientState"], Value::Null);
    assert_eq!(bench.get_json(&format!("/subscriptions/{id}")).await["id"], json!(id));
    bench.end().await;
}

#[tokio::test]
async fn renewing_moves_the_expiry_and_validates_the_endpoint_again() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let id = bench.subscribe(&receiver.url).await;
    let path = format!("/subscriptions/{id}");
    let body = bench.json(200, Method::PATCH, &path, Some(json!({ "expirationDateTime": in_hours(600) }))).await;
    let expires: Timestamp = body["expirationDateTime"].as_str().unwrap().parse().unwrap();
    assert!(expires > bench.sim.now() + jiff::SignedDuration::from_hours(599));
    assert_eq!(receiver.handshakes().len(), 2);
    receiver.handshake(Handshake::Forbidden);
    bench.json(400, Method::PATCH, &path, Some(json!({ "expirationDateTime": in_hours(1) }))).await;
    assert_eq!(bench.sim.subscriptions()[0].expires, expires);
    bench.sim.assert_no_violations();
    bench.json(400, Method::PATCH, &path, Some(json!({ "clientState": "x" }))).await;
    bench.json(400, Method::PATCH, &path, Some(json!({}))).await;
    assert_eq!(bench.sim.violations().len(), 2);
}

#[tokio::test]
async fn reauthorizing_soon_after_renewing_is_a_violation() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let id = bench.subscribe(&receiver.url).await;
    let (renew, reauthorize) = (format!("/subscriptions/{id}"), format!("/subscriptions/{id}/reauthorize"));
    bench.json(204, Method::POST, &reauthorize, None).await;
    bench.sim.advance(Duration::from_secs(601));
    bench.json(200, Method::PATCH, &renew, Some(json!({ "expirationDateTime": in_hours(9) }))).await;
    bench.sim.assert_no_violations();
    bench.json(204, Method::POST, &reauthorize, None).await;
    assert_eq!(bench.sim.violations().len(), 1);
}

#[tokio::test]
async fn removed_subscriptions_are_not_found() {
    let (bench, receiver) = (
        bench(SimConfig { token_lifetime: Duration::from_secs(1_000_000), ..SimConfig::default() }).await,
        Receiver::start().await,
    );
    let renewal = || Some(json!({ "expirationDateTime": in_hours(30) }));
    let deleted = bench.subscribe(&receiver.url).await;
    bench.json(204, Method::DELETE, &format!("/subscriptions/{deleted}"), None).await;
    let lost = bench.subscribe(&receiver.url).await;
    assert!(bench.sim.lose_subscription(lost));
    let expired = bench.subscribe(&receiver.url).await;
    bench.sim.advance(Duration::from_secs(25 * 3600));
    for id in [deleted, lost, expired] {
        let path = format!("/subscriptions/{id}");
        bench.json(404, Method::GET, &path, None).await;
        bench.json(404, Method::PATCH, &path, renewal()).await;
        bench.json(404, Method::DELETE, &path, None).await;
        bench.json(404, Method::POST, &format!("{path}/reauthorize"), None).await;
    }
    assert!(bench.sim.subscriptions().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn every_wrong_member_is_refused_and_recorded() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    let cases = [
        ("colour", json!("red")),
        ("changeType", json!("updated,renamed")),
        ("changeType", Value::Null),
        ("resource", json!("users/1/photo")),
        ("resource", json!("me/messages")),
        ("notificationUrl", json!("http://example.net/hook")),
        ("notificationUrl", Value::Null),
        ("expirationDateTime", json!("tomorrow")),
        ("clientState", json!("x".repeat(129))),
        ("clientState", json!(5)),
        ("latestSupportedTlsVersion", json!("v9")),
        ("includeResourceData", json!(true)),
        ("vapidPublicKey", json!("x")),
    ];
    for (at, (member, value)) in cases.into_iter().enumerate() {
        let mut body = subscription(&receiver.url);
        body[member] = value;
        refused(&bench, 400, body).await;
        assert_eq!(bench.sim.violations().len(), at + 1, "{member}");
    }
    assert!(receiver.handshakes().is_empty());
}

#[tokio::test]
async fn a_write_permission_does_not_include_the_read_permission() {
    let mut config = SimConfig::default();
    config.app.roles = vec![roles::USER_WRITE.into()];
    let (bench, receiver) = (bench(config).await, Receiver::start().await);
    refused(&bench, 403, subscription(&receiver.url)).await;
    bench.end().await;
}

#[tokio::test]
async fn dropping_the_simulator_ends_it() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let url = sim.url();
    sim.shutdown().await;
    assert!(reqwest::get(url).await.is_err());
}
