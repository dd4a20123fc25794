//! The request log and the controls under `/_sim/`.

use graph_sim::{NotificationMode, SimConfig};
use reqwest::Method;
use serde_json::json;

use crate::helpers::bench;

#[tokio::test]
async fn the_log_says_exactly_which_calls_were_made() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    bench.get(&format!("/users/{id}/photo")).await;
    let items = json!({ "requests": [{ "id": "1", "method": "GET", "url": format!("/users/{id}/photo") }] });
    bench.json(200, Method::POST, "/$batch", Some(items)).await;
    let log = bench.sim.requests();
    let calls: Vec<_> =
        log.entries.iter().map(|one| format!("{} {} {}", one.method, one.template, one.status)).collect();
    assert_eq!(calls, ["GET /v1.0/users/{id}/photo 200", "POST /v1.0/$batch 200"]);
    assert_eq!(log.entries[1].items[0].target, format!("/users/{id}/photo"));
    assert_eq!(log.count("GET /v1.0/users/{id}/photo"), 2);

    let (_, seen) = bench.control(Method::GET, "requests", json!(null)).await;
    assert_eq!(seen["requests"].as_array().unwrap().len(), 2);
    bench.sim.clear_requests();
    assert!(bench.sim.requests().entries.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn settings_change_while_it_runs_and_misspelt_ones_are_refused() {
    let bench = bench(SimConfig::default()).await;
    let (status, _) = bench.control(Method::PATCH, "settings", json!({ "notify": "never", "loss": 0.5 })).await;
    assert_eq!(status, 200);
    assert_eq!((bench.sim.settings().notify, bench.sim.settings().loss), (NotificationMode::Never, 0.5));
    let (status, _) = bench.control(Method::PATCH, "settings", json!({ "los": 0.5 })).await;
    assert_eq!(status, 400);
    let (status, _) = bench.control(Method::GET, "nonsense", json!(null)).await;
    assert_eq!(status, 404);
    bench.end().await;
}

#[tokio::test]
async fn photos_and_the_clock_change_and_violations_are_read_from_another_process() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let (status, changed) = bench.control(Method::POST, &format!("users/{id}/photo/next"), json!(null)).await;
    assert_eq!((status, &changed["changed"]), (200, &json!(id)));
    assert_eq!(bench.sim.tenant().history(id).len(), 2);
    assert_eq!(bench.control(Method::POST, "users/unknown/photo/next", json!(null)).await.0, 400);

    let before = bench.sim.now();
    bench.control(Method::POST, "clock/advance", json!({ "seconds": 30 })).await;
    assert!(bench.sim.now() >= before + jiff::SignedDuration::from_secs(30));

    bench.get("/nonsense").await;
    let (_, seen) = bench.control(Method::GET, "violations", json!(null)).await;
    assert_eq!(seen["violations"][0]["call"], "GET /v1.0/nonsense");
}
