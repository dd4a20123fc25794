//! `POST /$batch`.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use graph_sim::{Fault, FaultRule, PatternScope, RequestPattern, RetryAfter, SimConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{Bench, bench};

fn get(id: impl ToString, url: String) -> Value {
    json!({ "id": id.to_string(), "method": "GET", "url": url })
}

async fn batch(bench: &Bench, requests: Vec<Value>) -> Vec<Value> {
    let body = bench.json(200, Method::POST, "/$batch", Some(json!({ "requests": requests }))).await;
    body["responses"].as_array().unwrap().clone()
}

fn header<'a>(item: &'a Value, wanted: &str) -> Option<&'a str> {
    let headers = item["headers"].as_object().unwrap();
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| value.as_str())
}

#[tokio::test]
async fn items_come_back_complete_and_in_another_order() {
    let bench = bench(SimConfig::default()).await;
    let requests =
        bench.sim.tenant().user_ids().iter().enumerate().map(|(n, id)| get(n, format!("/users/{id}/photo"))).collect();
    let responses = batch(&bench, requests).await;
    let mut ids: Vec<usize> = responses.iter().map(|one| one["id"].as_str().unwrap().parse().unwrap()).collect();
    assert_ne!(ids, (0..20).collect::<Vec<_>>());
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    assert!(responses.iter().all(|one| one["status"] == 200 && one["body"]["@odata.mediaEtag"].is_string()));
    bench.end().await;
}

#[tokio::test]
async fn photo_bytes_travel_in_base64() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let responses = batch(&bench, vec![get("a", format!("/users/{id}/photo/$value"))]).await;
    assert_eq!(header(&responses[0], "content-type"), Some("image/jpeg"));
    let bytes = STANDARD.decode(responses[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(bench.sim.tenant().photo(id).unwrap(), bytes);
    bench.end().await;
}

#[tokio::test]
async fn one_throttled_item_leaves_the_others_alone() {
    let bench = bench(SimConfig::default()).await;
    let ids = bench.sim.tenant().user_ids();
    let calls = RequestPattern::new("GET", &format!("/v1.0/users/{}/photo", ids[1])).within(PatternScope::BatchItems);
    bench.sim.add_fault(FaultRule::new(calls, Fault::Throttled { retry_after: RetryAfter::Seconds(7) }));
    let requests = (0..3).map(|n| get(n, format!("/users/{}/photo", ids[n]))).collect();
    let mut responses = batch(&bench, requests).await;
    responses.sort_by_key(|one| one["id"].to_string());
    assert_eq!(responses.iter().map(|one| one["status"].as_u64().unwrap()).collect::<Vec<_>>(), [200, 429, 200]);
    assert_eq!(header(&responses[1], "retry-after"), Some("7"));
    assert_eq!(bench.get(&format!("/users/{}/photo", ids[1])).await.status(), 200);
    bench.end().await;
}

#[tokio::test]
async fn a_photo_can_be_missing_falsely_in_a_batch_only() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.false_not_found_in_batch = 1.0);
    let path = format!("/users/{}/photo", bench.first_user());
    assert_eq!(batch(&bench, vec![get(1, path.clone())]).await[0]["body"]["error"]["code"], "ImageNotFound");
    assert_eq!(bench.get(&path).await.status(), 200);
    bench.end().await;
}

#[tokio::test]
async fn photo_items_run_four_at_a_time() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.latency_ms = [25, 25]);
    let requests =
        bench.sim.tenant().user_ids().iter().enumerate().map(|(n, id)| get(n, format!("/users/{id}/photo"))).collect();
    let started = Instant::now();
    batch(&bench, requests).await;
    assert!(
        started.elapsed() >= Duration::from_millis(125),
        "20 items in fewer than five waves: {:?}",
        started.elapsed()
    );
    bench.end().await;
}

#[tokio::test]
async fn items_wait_for_what_they_depend_on_and_fail_with_it() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let mut second = get("B", format!("/users/{id}"));
    second["dependsOn"] = json!(["a"]);
    let mut fourth = get("d", format!("/users/{id}"));
    fourth["dependsOn"] = json!(["c"]);
    let missing = "/users/44444444-4444-4444-8444-444444444444".to_owned();
    let requests = vec![second, get("A", format!("/users/{id}")), get("c", missing), fourth];
    let mut responses = batch(&bench, requests).await;
    responses.sort_by_key(|one| one["id"].as_str().unwrap().to_lowercase());
    let statuses: Vec<_> = responses.iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 404, 424]);
    bench.end().await;
}

#[tokio::test]
async fn unknown_members_of_an_item_are_ignored() {
    let bench = bench(SimConfig::default()).await;
    // msgraph-core for Python writes `depends_on`, and Graph carries such an item out without an order.
    let mut first = get("a", "/users/44444444-4444-4444-8444-444444444444".into());
    first["priority"] = json!(1);
    let mut second = get("b", format!("/users/{}", bench.first_user()));
    second["depends_on"] = json!(["a"]);
    let mut responses = batch(&bench, vec![first, second]).await;
    responses.sort_by_key(|one| one["id"].to_string());
    let statuses: Vec<_> = responses.iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [404, 200]);
    bench.end().await;
}

#[tokio::test]
async fn malformed_batches_are_refused_and_recorded() {
    let bench = bench(SimConfig::default()).await;
    let one = get(1, "/users".into());
    let cases = [
        json!({ "requests": (0..21).map(|n| get(n, "/users".into())).collect::<Vec<_>>() }),
        json!({ "requests": [get("a", "/users".into()), get("A", "/users".into())] }),
        json!({ "requests": [] }),
        json!({ "requests": [one], "extra": 1 }),
        json!({ "requests": [{ "id": 1, "method": "GET", "url": "/users" }] }),
        json!({ "requests": [{ "id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/users" }] }),
        json!({ "requests": [{ "id": "1", "method": "POST", "url": "/subscriptions", "body": {} }] }),
        json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users", "dependsOn": ["2"] }] }),
    ];
    for (at, body) in cases.into_iter().enumerate() {
        bench.json(400, Method::POST, "/$batch", Some(body)).await;
        assert_eq!(bench.sim.violations().len(), at + 1);
    }
}

#[tokio::test]
async fn a_mistake_in_an_item_is_that_items_and_is_recorded() {
    let bench = bench(SimConfig::default()).await;
    let responses = batch(&bench, vec![get(1, "/users?$top=x".into())]).await;
    assert_eq!(responses[0]["status"], 400);
    assert!(bench.sim.violations()[0].call.starts_with("batch item GET"));
}

#[tokio::test]
async fn one_person_can_make_every_batch_that_names_them_fail_as_a_whole() {
    let bench = bench(SimConfig::default()).await;
    let ids = bench.sim.tenant().user_ids();
    let batches = RequestPattern::new("POST", "/v1.0/$batch").within(PatternScope::Requests);
    let fault = Fault::GraphError { name: "server_error".to_owned() };
    bench.sim.add_fault(FaultRule::new(batches, fault).naming(&ids[1].to_string()));
    let batch_of = |users: &[uuid::Uuid]| {
        let requests: Vec<Value> = users.iter().map(|id| get(id, format!("/users/{id}/photo"))).collect();
        json!({ "requests": requests })
    };
    bench.json(500, Method::POST, "/$batch", Some(batch_of(&ids[..2]))).await;
    bench.json(200, Method::POST, "/$batch", Some(batch_of(&ids[2..4]))).await;
    bench.end().await;
}
