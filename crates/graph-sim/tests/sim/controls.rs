//! The request log and the controls under `/_sim/`.

use graph_sim::{Config, Notify};
use reqwest::Method;
use serde_json::{Value, json};

use crate::helpers::{Receiver, bench, picture};

#[tokio::test]
async fn the_log_says_exactly_which_calls_were_made() {
    let bench = bench(Config::default()).await;
    let id = bench.anybody();
    bench.get(&format!("/users/{id}/photo")).await;
    let items = json!({ "requests": [{ "id": "1", "method": "GET", "url": format!("/users/{id}/photo") }] });
    bench.json(200, Method::POST, "/$batch", Some(items)).await;
    let log = bench.sim.requests();
    let calls: Vec<_> =
        log.entries.iter().map(|one| format!("{} {} {}", one.method, one.template, one.status)).collect();
    assert_eq!(calls, ["GET /v1.0/users/{id}/photo 200", "POST /v1.0/$batch 200"]);
    assert_eq!(log.entries[1].items[0].target, format!("/users/{id}/photo"));
    assert_eq!(log.count("GET /v1.0/users/{id}/photo"), 2);
    assert_eq!(log.most_at_once, 1);

    let (_, seen) = bench.control(Method::GET, "requests", json!(null)).await;
    assert_eq!(seen["requests"].as_array().unwrap().len(), 2);
    bench.control(Method::DELETE, "requests", json!(null)).await;
    assert!(bench.sim.requests().entries.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn switches_change_while_it_runs_and_misspelt_ones_are_refused() {
    let bench = bench(Config::default()).await;
    let (status, _) = bench.control(Method::PATCH, "settings", json!({ "notify": "never", "loss": 0.5 })).await;
    assert_eq!(status, 200);
    assert_eq!((bench.sim.settings().notify, bench.sim.settings().loss), (Notify::Never, 0.5));
    let (status, _) = bench.control(Method::PATCH, "settings", json!({ "los": 0.5 })).await;
    assert_eq!(status, 400);
    let (status, _) = bench.control(Method::GET, "nonsense", json!(null)).await;
    assert_eq!(status, 404);
    bench.end().await;
}

#[tokio::test]
async fn people_and_photos_are_steered_from_another_process() {
    let (bench, receiver) = (bench(Config::default()).await, Receiver::start().await);
    bench.subscribe(&receiver.url).await;
    let (_, added) = bench.control(Method::POST, "users", json!({ "kind": "guest" })).await;
    let id = added["id"].as_str().unwrap().to_owned();
    assert_eq!(added["userType"], "Guest");
    bench.control(Method::PATCH, &format!("users/{id}"), json!({ "jobTitle": "Painter" })).await;
    assert_eq!(bench.get_json(&format!("/users/{id}")).await["jobTitle"], "Painter");
    for path in ["photo/next", "photo/again", "touch"] {
        let (status, _) = bench.control(Method::POST, &format!("users/{id}/{path}"), json!(null)).await;
        assert_eq!(status, 200, "{path}");
    }
    let url = format!("{}/_sim/users/{id}/photo", bench.sim.url());
    bench.http.put(format!("{url}?raw=true")).body("raw").send().await.unwrap();
    assert_eq!(bench.http.get(&url).send().await.unwrap().text().await.unwrap(), "raw");
    bench.http.put(&url).body(picture(64, 64, 5)).send().await.unwrap();
    bench.http.delete(format!("{url}?shape=no_mailbox")).send().await.unwrap();
    let missing = bench.json(404, Method::GET, &format!("/users/{id}/photo"), None).await;
    assert_eq!(missing["error"]["code"], "ErrorNonExistentMailbox");
    let (_, history) = bench.control(Method::GET, &format!("users/{id}/history"), json!(null)).await;
    let photos: Vec<_> = history["history"].as_array().unwrap().iter().map(|one| one["photo"] == true).collect();
    assert_eq!(photos, [true, true, true, true, true, false]);
    bench.control(Method::POST, "change?count=5", json!(null)).await;
    let (_, after) = bench.control(Method::POST, "notifications/flush", json!(null)).await;
    assert_eq!(after["tally"]["delivered"], after["tally"]["raised"]);
    assert_eq!(after["tally"]["delivered"].as_u64().unwrap() as usize, receiver.items().len());
    bench.end().await;
}

#[tokio::test]
async fn faults_clock_and_tokens_are_steered_from_another_process() {
    let bench = bench(Config::default()).await;
    let rule = json!({ "calls": { "path": "/v1.0/users*" }, "fault": { "kind": "throttled", "retry_after": { "seconds": 3 } }, "times": 1 });
    assert_eq!(bench.control(Method::POST, "faults", rule).await.0, 200);
    assert_eq!(bench.get("/users").await.status(), 429);
    let unknown = json!({ "calls": { "path": "*" }, "fault": { "kind": "answer", "name": "nonsense" } });
    assert_eq!(bench.control(Method::POST, "faults", unknown).await.0, 400);
    let (_, rules) = bench.control(Method::GET, "faults", Value::Null).await;
    assert_eq!(rules["faults"], json!([]));
    let before = bench.sim.now();
    bench.control(Method::POST, "clock/advance", json!({ "seconds": 30 })).await;
    assert!(bench.sim.now() >= before + jiff::SignedDuration::from_secs(30));
    bench.control(Method::POST, "tokens/revoke", json!(null)).await;
    assert_eq!(bench.get("/users").await.status(), 401);
    bench.end().await;
}

#[tokio::test]
async fn every_known_answer_names_its_public_source() {
    let bench = bench(Config::default()).await;
    let (_, answers) = bench.control(Method::GET, "answers", json!(null)).await;
    for family in ["errors", "signin"] {
        assert!(answers[family].as_object().unwrap().values().all(|one| !one["source"].as_str().unwrap().is_empty()));
    }
    bench.end().await;
}
