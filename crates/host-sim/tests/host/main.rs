//! The rules of the host, and what it makes of handlers that do what no handler should.
//!
//! - answers, crashes, time limits, restarts: here
//! - routes, keys, requests handed on or wrapped, HTTP outputs: `http`
//! - outputs to queues, logs: `outputs`
//! - the loop over a queue: batches, leases, retries, poison, encodings: `queues`
//! - packages that are refused, settings in bindings: `packages`
//! - timers: `timers`
//!
//! How values are encoded and decoded is tested beside the code.

mod http;
mod outputs;
mod packages;
mod queues;
mod store_errors;
mod timers;

use std::fs;
use std::path::Path;
use std::time::Duration;

use host_sim::{HostOptions, RunningHost, WorkerState};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

fn package(edit: impl Fn(&Path)) -> TempDir {
    let dir = TempDir::new().unwrap();
    let handler = env!("CARGO_BIN_EXE_broken-handler");
    let host = json!({ "version": "2.0", "customHandler": {
        "description": { "defaultExecutablePath": handler }, "enableProxyingHttpRequest": true } });
    fs::write(dir.path().join("host.json"), host.to_string()).unwrap();
    let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 * * * *" });
    function(dir.path(), "tick", &json!([timer]));
    let trigger = json!({ "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous" });
    let response = json!({ "type": "http", "direction": "out", "name": "res" });
    function(dir.path(), "plain", &json!([trigger, response]));
    let queue = json!({ "type": "queue", "direction": "out", "name": "more", "queueName": "more" });
    function(dir.path(), "wrapped", &json!([trigger, response, queue]));
    edit(dir.path());
    dir
}

fn function(root: &Path, name: &str, bindings: &Value) {
    fs::create_dir_all(root.join(name)).unwrap();
    fs::write(root.join(name).join("function.json"), json!({ "bindings": bindings }).to_string()).unwrap();
}

async fn start(mode: &str, edit: impl FnOnce(&mut HostOptions)) -> (RunningHost, TempDir) {
    let dir = package(|_| {});
    let mut options = HostOptions::new(dir.path());
    options.environment.push(("HANDLER_MODE".to_owned(), mode.to_owned()));
    edit(&mut options);
    (RunningHost::start(options).await.unwrap(), dir)
}

async fn comes_to(running: &RunningHost, wanted: impl Fn(&WorkerState) -> bool) {
    let mut state = running.state();
    tokio::time::timeout(PATIENCE, state.wait_for(wanted)).await.expect("in time").unwrap();
}

async fn failure(mode: &str) -> String {
    let (running, _dir) = start(mode, |options| options.function_timeout = Some(Duration::from_millis(500))).await;
    running.run_timer("tick", None, false).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_object_is_success_and_an_error_or_text_or_broken_json_is_failure() {
    let (running, _dir) = start("", |_| {}).await;
    assert_eq!(running.run_timer("tick", None, false).await.unwrap(), json!({}));
    assert!(failure("error").await.contains("400"));
    assert!(failure("failed").await.contains("500"));
    assert!(failure("text").await.contains("UnsupportedMediaType"));
    assert!(failure("not json").await.contains("EOF"));
}

#[tokio::test]
async fn an_empty_answer_or_null_hangs_until_the_process_is_killed_and_started_again() {
    for mode in ["empty", "null", "slow"] {
        let (running, _dir) = start(mode, |options| options.function_timeout = Some(Duration::from_millis(300))).await;
        comes_to(&running, |state| *state == WorkerState::Ready(1)).await;
        let error = running.run_timer("tick", None, false).await.unwrap_err().to_string();
        assert!(error.contains("killed"), "{mode}: {error}");
        comes_to(&running, |state| *state == WorkerState::Ready(2)).await;
    }
}

#[tokio::test]
async fn a_redirect_is_followed_as_a_get() {
    let (running, _dir) = start("redirect", |_| {}).await;
    running.run_timer("tick", None, false).await.unwrap();
}

#[tokio::test]
async fn a_third_error_ends_the_host() {
    let (running, _dir) = start("exits-at-start 1", |_| {}).await;
    comes_to(&running, |state| matches!(state, WorkerState::ShutDown(why) if why.contains("retry count"))).await;
}

#[tokio::test]
async fn a_crash_fails_the_invocation_and_starts_the_process_again() {
    let (running, _dir) = start("crashes", |_| {}).await;
    running.run_timer("tick", None, false).await.unwrap_err();
    comes_to(&running, |state| *state == WorkerState::Ready(2)).await;
}

#[tokio::test]
async fn exit_200_is_an_intended_restart_and_never_counted() {
    let (running, _dir) = start("restarts", |_| {}).await;
    for starts in 1..=5 {
        comes_to(&running, |state| *state == WorkerState::Ready(starts)).await;
        running.run_timer("tick", None, false).await.unwrap_err();
    }
    comes_to(&running, |state| *state == WorkerState::Ready(6)).await;
}

#[tokio::test]
async fn a_timeout_kills_the_one_process_and_everything_else_in_flight_with_it() {
    let (running, _dir) = start("slow", |options| options.function_timeout = Some(Duration::from_millis(300))).await;
    comes_to(&running, |state| *state == WorkerState::Ready(1)).await;
    // Handed on as it is, so no limit of its own ends it.
    let other = reqwest::get(running.url.join("/api/plain").unwrap());
    let (timed_out, other) = tokio::join!(running.run_timer("tick", None, false), other);
    assert!(timed_out.unwrap_err().to_string().contains("killed"));
    assert!(other.unwrap().status().is_server_error());
}

#[tokio::test]
async fn exit_0_starts_the_process_again_without_a_strike_and_an_older_host_goes_on_calling_a_dead_port() {
    let (running, _dir) = start("exits", |_| {}).await;
    for starts in 1..=5 {
        comes_to(&running, |state| *state == WorkerState::Ready(starts)).await;
        running.run_timer("tick", None, false).await.unwrap_err();
    }
    comes_to(&running, |state| *state == WorkerState::Ready(6)).await;
    let (running, _dir) = start("exits", |options| options.faults.zero_ends = true).await;
    running.run_timer("tick", None, false).await.unwrap_err();
    comes_to(&running, |state| *state == WorkerState::Exited).await;
    running.run_timer("tick", None, false).await.unwrap_err();
}

#[tokio::test]
async fn a_host_that_is_stopped_kills_the_process_and_starts_no_other() {
    let (running, _dir) = start("", |_| {}).await;
    comes_to(&running, |state| *state == WorkerState::Ready(1)).await;
    let mut state = running.state();
    running.stop().await;
    assert!(matches!(&*state.borrow_and_update(), WorkerState::ShutDown(why) if why.contains("stopped")));
}
