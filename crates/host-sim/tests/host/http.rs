//! The front door: routes, keys, requests that are handed on as they came, requests in envelopes, and HTTP outputs.

use std::fs;
use std::time::Duration;

use host_sim::{HostOptions, RunningHost, WorkerState};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PATIENCE, comes_to, function, package, start};

async fn get(running: &RunningHost, path: &str) -> u16 {
    reqwest::get(running.url.join(path).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn exactly_two_http_bindings_are_handed_on_and_a_third_means_an_envelope() {
    let (running, _dir) = start("error", |_| {}).await;
    assert_eq!(get(&running, "/api/plain").await, 400);
    assert_eq!(get(&running, "/api/wrapped").await, 500);
    assert_eq!(get(&running, "/api/tick").await, 404);
    let invoked: Vec<_> = running.invocations().borrow().iter().map(|invocation| invocation.function.clone()).collect();
    assert_eq!(invoked, ["wrapped"]);
}

/// With these functions besides, and host.json changed so.
async fn with(
    mode: &str,
    functions: &[(&str, Value)],
    custom: Value,
    edit: impl FnOnce(&mut HostOptions),
) -> (RunningHost, TempDir) {
    let dir = package(|root| {
        functions.iter().for_each(|(name, bindings)| function(root, name, bindings));
        let file = root.join("host.json");
        let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        host["customHandler"].as_object_mut().unwrap().extend(custom.as_object().unwrap().clone());
        fs::write(file, host.to_string()).unwrap();
    });
    let mut options = HostOptions::new(dir.path());
    options.environment.push(("HANDLER_MODE".to_owned(), mode.to_owned()));
    edit(&mut options);
    (RunningHost::start(options).await.unwrap(), dir)
}

fn trigger(more: Value) -> Value {
    let mut trigger = json!({ "type": "httpTrigger", "direction": "in", "name": "req" });
    trigger.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    trigger
}

fn output(name: &str) -> Value {
    json!({ "type": "http", "direction": "out", "name": name })
}

/// A body without a length.
fn chunked(body: &'static str) -> reqwest::Body {
    reqwest::Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>(body)]))
}

#[tokio::test]
async fn who_is_not_anonymous_needs_the_key_in_a_header_or_the_query() {
    let function = json!([trigger(json!({})), output("res")]);
    let (running, _dir) = with("", &[("keyed", function)], json!({}), |options| options.key = "k=1".to_owned()).await;
    assert_eq!(get(&running, "/api/keyed").await, 401);
    assert_eq!(get(&running, "/api/keyed?code=other").await, 401);
    assert_eq!(get(&running, "/api/keyed?code=k%3D1").await, 200);
    let url = running.url.join("/api/keyed").unwrap();
    let answer = reqwest::Client::new().get(url).header("x-functions-key", "k=1").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_route_or_method_that_no_function_has_is_not_found_and_routes_hold_parameters() {
    let route = json!({ "authLevel": "anonymous", "methods": ["get"], "route": "people/{id:guid}/{*rest}" });
    let bindings =
        json!([trigger(route), output("res"), { "type": "queue", "direction": "out", "name": "q", "queueName": "q" }]);
    let (running, _dir) = with("", &[("people", bindings)], json!({}), |_| {}).await;
    assert_eq!(get(&running, "/people/7/a/b").await, 404, "without the prefix");
    assert_eq!(get(&running, "/api/people").await, 404);
    let url = running.url.join("/api/people/7/a/b?x=1&x=2").unwrap();
    assert_eq!(reqwest::Client::new().post(url.clone()).send().await.unwrap().status(), 404, "another method");
    assert_eq!(reqwest::get(url).await.unwrap().text().await.unwrap(), "", "no outputs are 200 with an empty body");
    let request = running.invocations().borrow()[0].request.clone();
    assert_eq!(request["Data"]["req"]["Params"], json!({ "id": "7", "rest": "a/b" }));
    assert_eq!(request["Data"]["req"]["Query"], json!({ "x": "1,2" }));
    assert_eq!(request["Data"]["req"]["Method"], "GET");
}

#[tokio::test]
async fn a_request_that_is_handed_on_keeps_path_query_body_and_answer_and_gets_an_invocation_id() {
    let (running, _dir) = start("echo", |_| {}).await;
    let url = running.url.join("/api/plain?a=b%20c").unwrap();
    let answer = reqwest::Client::new().put(url).header("x-own", "1").body(chunked("a chunk")).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let echoed: Value = answer.json().await.unwrap();
    assert_eq!(
        (&echoed["method"], &echoed["uri"], &echoed["body"]),
        (&json!("PUT"), &json!("/api/plain?a=b%20c"), &json!("a chunk"))
    );
    assert_eq!(echoed["headers"]["x-own"], "1");
    assert!(uuid::Uuid::parse_str(echoed["headers"]["x-azure-functions-invocationid"].as_str().unwrap()).is_ok());
    assert!(echoed["headers"]["x-azure-functions-hostversion"].as_str().unwrap().starts_with("4."));
}

#[tokio::test]
async fn forwarding_and_envelopes_lose_a_body_that_does_not_tell_its_length() {
    let forwarding = json!({ "enableProxyingHttpRequest": false, "enableForwardingHttpRequest": true });
    let (running, _dir) = with("echo", &[], forwarding, |_| {}).await;
    let post = async |path: &str, body: reqwest::Body| {
        reqwest::Client::new().post(running.url.join(path).unwrap()).body(body).send().await.unwrap()
    };
    for (body, arrives) in [(reqwest::Body::from("whole"), "whole"), (chunked("lost"), "")] {
        let echoed: Value = post("/api/plain", body).await.json().await.unwrap();
        assert_eq!(echoed["body"], arrives);
    }
    post("/api/wrapped", "whole".into()).await;
    post("/api/wrapped", chunked("lost")).await;
    let bodies: Vec<Value> =
        running.invocations().borrow().iter().map(|one| one.request["Data"]["req"]["Body"].clone()).collect();
    assert_eq!(bodies, [json!("whole"), Value::Null]);
}

#[tokio::test]
async fn an_envelope_is_a_post_to_the_functions_name_with_the_hosts_headers() {
    let (running, _dir) = start("echo", |_| {}).await;
    let reply = running.run_timer("tick", None, false).await.unwrap();
    assert_eq!((&reply["method"], &reply["uri"]), (&json!("POST"), &json!("/tick")));
    let headers = &reply["headers"];
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    assert!(headers["user-agent"].as_str().unwrap().starts_with("Azure-Functions-Host/4."));
    assert!(headers["traceparent"].as_str().unwrap().starts_with("00-"));
    let id = running.invocations().borrow()[0].id.to_string();
    assert_eq!(headers["x-azure-functions-invocationid"], id);
    let body: Value = serde_json::from_str(reply["body"].as_str().unwrap()).unwrap();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["Data", "Metadata"]);
    assert_eq!(body["Metadata"]["sys"]["MethodName"], "tick");
}

#[tokio::test]
async fn the_http_output_says_what_the_caller_gets() {
    let said = r#"reply {"outputs":{"RES":{"statusCode":"418","status":500,"headers":{"x-own":"1"},"body":"tea"}}}"#;
    let (running, _dir) = start(said, |_| {}).await;
    let answer = reqwest::get(running.url.join("/api/wrapped").unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["x-own"].to_str().unwrap()), (418, "1"));
    assert_eq!(answer.text().await.unwrap(), "tea");
    for broken in [r#"{"Outputs":{"res":"text"}}"#, r#"{"Outputs":{"res":{"headers":{"x":null}}}}"#] {
        let (running, _dir) = start(&format!("reply {broken}"), |_| {}).await;
        assert_eq!(get(&running, "/api/wrapped").await, 500, "{broken}");
    }
}

#[tokio::test]
async fn a_return_value_is_the_output_that_is_named_so() {
    let bindings = json!([trigger(json!({ "authLevel": "anonymous" })), output("$return"),
        { "type": "queue", "direction": "out", "name": "q", "queueName": "q" }]);
    let said = r#"reply {"Outputs":{"$return":{"statusCode":500}},"ReturnValue":{"statusCode":201}}"#;
    let (running, _dir) = with(said, &[("returns", bindings)], json!({}), |_| {}).await;
    assert_eq!(get(&running, "/api/returns").await, 201);
}

#[tokio::test]
async fn a_caller_that_goes_away_cancels_a_request_that_is_handed_on_and_no_other() {
    for (path, is_cancelled) in [("/api/plain", true), ("/api/wrapped", false)] {
        let (running, _dir) = start("cancelled", |_| {}).await;
        comes_to(&running, |state| *state == WorkerState::Ready(1)).await;
        let prints = async |word: &str| {
            let mut lines = running.lines();
            let printed = lines.wait_for(|all| all.iter().any(|(_, line)| line == word));
            tokio::time::timeout(PATIENCE, printed).await.expect("in time").unwrap();
        };
        let call = reqwest::get(running.url.join(path).unwrap());
        tokio::select! {
            answer = call => panic!("{answer:?}"),
            () = prints("arrived") => {}
        }
        if is_cancelled {
            prints("cancelled").await;
        } else {
            running.kill();
            prints("arrived").await;
            assert!(running.lines().borrow().iter().all(|(_, line)| line != "cancelled"));
        }
    }
}

#[tokio::test]
async fn the_front_end_gives_up_before_the_function_does() {
    let (running, _dir) = start("slow", |options| options.http_limit = Duration::from_millis(100)).await;
    assert_eq!(get(&running, "/api/plain").await, 504);
    assert_eq!(get(&running, "/api/wrapped").await, 504);
}
