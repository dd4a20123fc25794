//! Authorizations that end, lifecycle notifications, expiry, quotas, and the clock that a test sets.

use std::time::Duration;

use graph_sim::SimConfig;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::helpers::{Bench, Receiver, bench, members, sample, subscription};

const MINUTE: u64 = 60;

/// Authorizations last an hour; a subscription with both URLs, and their receivers.
async fn hourly_authorization() -> (Bench, Receiver, Receiver, Uuid) {
    let config = SimConfig { token_lifetime: Duration::from_secs(24 * 60 * MINUTE), ..SimConfig::default() };
    let (bench, changes, lifecycle) = (bench(config).await, Receiver::start().await, Receiver::start().await);
    bench.sim.set(|settings| settings.authorization_minutes = 60);
    let mut body = subscription(&changes.url);
    body["lifecycleNotificationUrl"] = json!(lifecycle.url);
    let body = bench.json(201, Method::POST, "/subscriptions", Some(body)).await;
    let id = body["id"].as_str().unwrap().parse().unwrap();
    (bench, changes, lifecycle, id)
}

fn advance(bench: &Bench, minutes: u64) {
    bench.sim.advance(Duration::from_secs(minutes * MINUTE));
}

#[tokio::test]
async fn reauthorization_is_requested_in_time_and_again_until_it_happens() {
    let (bench, changes, lifecycle, id) = hourly_authorization().await;
    advance(&bench, 44);
    bench.sim.flush().await;
    assert!(lifecycle.items().is_empty(), "more than a quarter of an hour is left");
    for requested in 1..=3 {
        advance(&bench, 15);
        bench.sim.flush().await;
        assert_eq!(lifecycle.items().len(), requested);
    }
    let item = &lifecycle.items()[0];
    assert_eq!(members(item), members(&sample("lifecycle")));
    assert_eq!(
        (&item["lifecycleEvent"], &item["clientState"]),
        (&json!("reauthorizationRequired"), &json!("a-secret-state"))
    );
    bench.json(204, Method::POST, &format!("/subscriptions/{id}/reauthorize"), None).await;
    advance(&bench, 40);
    bench.sim.flush().await;
    assert_eq!(lifecycle.items().len(), 3);
    assert!(changes.items().is_empty(), "lifecycle events go to the other URL");
    bench.end().await;
}

#[tokio::test]
async fn without_authorization_nothing_is_delivered_until_it_is_renewed() {
    let (bench, changes, _lifecycle, id) = hourly_authorization().await;
    advance(&bench, 61);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.flush().await;
    assert!(changes.items().is_empty());
    assert_eq!(bench.sim.pending_notifications().len(), 1);
    let later = (bench.sim.now() + jiff::SignedDuration::from_hours(48)).to_string();
    let path = format!("/subscriptions/{id}");
    bench.json(200, Method::PATCH, &path, Some(json!({ "expirationDateTime": later }))).await;
    bench.sim.flush().await;
    assert_eq!(changes.items().len(), 1, "it was kept");

    advance(&bench, 61);
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    advance(&bench, 4 * 60 + 1);
    bench.sim.flush().await;
    assert_eq!((bench.sim.pending_notifications().len(), bench.sim.notification_tally().given_up), (0, 1));
    bench.end().await;
}

#[tokio::test]
async fn revoking_tokens_ends_authorizations() {
    let (bench, _changes, lifecycle, _) = hourly_authorization().await;
    bench.sim.revoke_tokens();
    bench.sim.flush().await;
    assert_eq!(lifecycle.items().len(), 1);
    assert!(bench.sim.subscriptions()[0].has_lapsed(bench.sim.now()));
    bench.end().await;
}

#[tokio::test]
async fn a_subscription_expires_without_notice_by_a_clock_that_is_set() {
    let (bench, changes, lifecycle, _) = hourly_authorization().await;
    bench.sim.set(|settings| settings.authorization_minutes = 0);
    let in_a_year = "2031-01-31T12:00:00.5Z";
    bench.sim.set_now(in_a_year.parse().unwrap());
    assert_eq!(bench.sim.now().to_string()[..16], in_a_year[..16]);
    assert!(bench.sim.subscriptions().is_empty());
    bench.sim.tenant().change_photo(bench.first_user()).unwrap();
    bench.sim.flush().await;
    assert!(changes.items().is_empty() && lifecycle.items().is_empty());
    bench.end().await;
}

#[tokio::test]
async fn lists_of_subscriptions_are_limited_to_25_in_20_seconds() {
    let bench = bench(SimConfig::default()).await;
    for _ in 0..25 {
        assert_eq!(bench.get("/subscriptions").await.status(), 200);
    }
    let refused = bench.get("/subscriptions").await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    bench.sim.advance(Duration::from_secs(wait));
    assert_eq!(bench.get("/subscriptions").await.status(), 200);
    bench.end().await;
}

#[tokio::test]
async fn the_quota_of_the_tenant_counts_every_application() {
    let (bench, receiver) = (bench(SimConfig::default()).await, Receiver::start().await);
    bench.sim.set(|settings| settings.tenant_subscription_quota = 1);
    bench.subscribe(&receiver.url).await;
    let url = format!("{}/subscriptions", bench.sim.graph_url());
    let other = bench.http.post(url).bearer_auth(&bench.people_token).json(&subscription(&receiver.url));
    let answer = other.send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("per tenant exceeded the limit of 1"));
    bench.end().await;
}
