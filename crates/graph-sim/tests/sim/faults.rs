//! Faults, holds and throttling.

use std::time::{Duration, Instant};

use graph_sim::{Fault, FaultRule, HoldPoint, PatternScope, RequestPattern, RetryAfter, SimConfig};
use reqwest::Method;

use crate::helpers::{Bench, bench};

fn users() -> RequestPattern {
    RequestPattern::new("GET", "/v1.0/users")
}

async fn faulty(fault: Fault) -> (Bench, reqwest::Response) {
    let bench = bench(SimConfig::default()).await;
    bench.sim.add_fault(FaultRule::new(users(), fault).times(1));
    let response = bench.get("/users").await;
    (bench, response)
}

#[tokio::test]
async fn throttling_sends_every_form_of_retry_after() {
    let retry_after_header = async |retry_after| {
        let (bench, response) = faulty(Fault::Throttled { retry_after }).await;
        assert_eq!(response.status(), 429);
        let retry_after_header = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(bench.get("/users").await.status(), 200, "once only");
        bench.end().await;
        retry_after_header
    };
    assert_eq!(retry_after_header(RetryAfter::Seconds(10)).await.as_deref(), Some("10"));
    assert_eq!(retry_after_header(RetryAfter::Fraction(2.128)).await.as_deref(), Some("2.128"));
    assert!(retry_after_header(RetryAfter::Date(60)).await.unwrap().ends_with(" GMT"));
    assert_eq!(retry_after_header(RetryAfter::Absent).await, None);
}

#[tokio::test]
async fn any_status_and_any_known_error_can_be_injected() {
    let (_, response) = faulty(Fault::Status { status: 503, code: "x".into(), retry_after: RetryAfter::Absent }).await;
    assert_eq!(response.status(), 503);
    let (_, response) = faulty(Fault::GraphError { name: "gateway_timeout".into() }).await;
    assert_eq!(response.status(), 504);
}

#[tokio::test]
async fn bodies_are_cut_truncated_slowed_and_replaced() {
    let (_, response) = faulty(Fault::CutBody).await;
    assert!(response.bytes().await.is_err());
    let (_, response) = faulty(Fault::Truncated).await;
    assert!(serde_json::from_slice::<serde_json::Value>(&response.bytes().await.unwrap()).is_err());
    let (_, response) = faulty(Fault::WrongType).await;
    assert_eq!(response.headers()["content-type"], "text/html");
    let (bench, response) = faulty(Fault::SlowBody { piece: 1000, pause_ms: 1 }).await;
    assert!(response.json::<serde_json::Value>().await.unwrap()["value"].is_array());
    bench.end().await;
}

#[tokio::test]
async fn an_endless_body_goes_on_until_the_reader_leaves() {
    let (bench, mut response) = faulty(Fault::EndlessBody).await;
    let mut read = 0;
    while read < 1 << 20 {
        read += response.chunk().await.unwrap().unwrap().len();
    }
    drop(response);
    bench.end().await;
}

#[tokio::test]
async fn a_call_can_be_carried_out_although_its_response_is_an_error() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let path = format!("/users/{id}/photo/$value");
    let calls = RequestPattern::new("DELETE", &format!("/v1.0{path}"));
    bench.sim.add_fault(FaultRule::new(calls, Fault::GraphError { name: "gateway_timeout".into() }).carried_out());
    let url = format!("{}{path}", bench.sim.graph_url());
    assert_eq!(bench.http.delete(url).bearer_auth(&bench.people_token).send().await.unwrap().status(), 504);
    assert_eq!(bench.sim.tenant().photo(id), None);
    bench.end().await;
}

#[tokio::test]
async fn a_rate_of_faults_follows_from_the_seed() {
    let run = async || {
        let bench = bench(SimConfig { seed: 5, ..SimConfig::default() }).await;
        let fault = Fault::Throttled { retry_after: RetryAfter::Absent };
        bench.sim.add_fault(FaultRule::new(users(), fault).probability(0.5));
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(bench.get("/users").await.status().as_u16());
        }
        statuses
    };
    let first = run().await;
    assert!(first.contains(&200) && first.contains(&429));
    assert_eq!(first, run().await);
}

#[tokio::test]
async fn latency_is_added_and_scopes_are_kept_apart() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.add_fault(FaultRule::new(users(), Fault::Latency { ms: 20 }));
    let only_items = users().within(PatternScope::BatchItems);
    bench.sim.add_fault(FaultRule::new(only_items, Fault::Throttled { retry_after: RetryAfter::Absent }));
    let started = Instant::now();
    assert_eq!(bench.get("/users").await.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(20));
    bench.end().await;
}

#[tokio::test]
async fn a_held_call_waits_before_or_after_it_is_carried_out() {
    let bench = bench(SimConfig::default()).await;
    for (point, photo_while_held) in [(HoldPoint::Before, true), (HoldPoint::After, false)] {
        let id = bench.sim.tenant().add_user();
        let path = format!("/users/{id}/photo/$value");
        let hold = bench.sim.hold(RequestPattern::new("DELETE", &format!("/v1.0{path}")), point);
        let url = format!("{}{path}", bench.sim.graph_url());
        let call = bench.http.delete(url).bearer_auth(&bench.people_token).send();
        let watch = async {
            hold.arrived().await;
            assert_eq!(bench.sim.tenant().photo(id).is_some(), photo_while_held);
            hold.release();
        };
        let (response, ()) = tokio::join!(call, watch);
        assert_eq!(response.unwrap().status(), 200);
        assert_eq!(bench.sim.tenant().photo(id), None);
    }
    bench.end().await;
}

#[tokio::test]
async fn a_call_goes_on_when_its_caller_has_gone() {
    let bench = bench(SimConfig::default()).await;
    let id = bench.first_user();
    let path = format!("/users/{id}/photo/$value");
    let before = bench.sim.hold(RequestPattern::new("DELETE", &format!("/v1.0{path}")), HoldPoint::Before);
    let after = bench.sim.hold(RequestPattern::new("DELETE", &format!("/v1.0{path}")), HoldPoint::After);
    let url = format!("{}{path}", bench.sim.graph_url());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    tokio::select! {
        _ = http.delete(url).bearer_auth(&bench.people_token).send() => panic!("it was not held"),
        () = before.arrived() => {}
    }
    drop(http);
    before.release();
    after.arrived().await;
    assert_eq!(bench.sim.tenant().photo(id), None);
    after.release();
    bench.end().await;
}

#[tokio::test]
async fn a_mailbox_takes_four_calls_at_once() {
    let bench = bench(SimConfig::default()).await;
    bench.sim.set(|settings| settings.latency_ms = [100, 100]);
    let path = format!("/users/{}/photo", bench.first_user());
    let responses = futures::future::join_all((0..6).map(|_| bench.get(&path))).await;
    let throttled = responses.iter().filter(|response| response.status() == 429).count();
    assert_eq!(throttled, 2);
    assert!(
        responses
            .iter()
            .filter(|response| response.status() == 429)
            .all(|response| response.headers().contains_key("retry-after"))
    );
    bench.end().await;
}

#[tokio::test]
async fn shutting_down_releases_what_is_held() {
    let bench = bench(SimConfig::default()).await;
    let hold = bench.sim.hold(users(), HoldPoint::Before);
    let stop = async {
        hold.arrived().await;
        bench.sim.shutdown().await;
    };
    let (response, ()) = tokio::join!(bench.request(Method::GET, "/users").send(), stop);
    assert_eq!(response.unwrap().status(), 200);
}
