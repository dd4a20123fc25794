//! What the host makes of handlers that do what no handler should.

mod queues;

use std::fs;
use std::path::Path;
use std::time::Duration;

use host_sim::{Options, Running, State};
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

async fn start(mode: &str, edit: impl FnOnce(&mut Options)) -> (Running, TempDir) {
    let dir = package(|_| {});
    let mut options = Options::new(dir.path());
    options.environment.push(("HANDLER_MODE".to_owned(), mode.to_owned()));
    edit(&mut options);
    (Running::start(options).await.unwrap(), dir)
}

async fn comes_to(running: &Running, wanted: impl Fn(&State) -> bool) {
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
    assert!(failure("text").await.contains("UnsupportedMediaType"));
    assert!(failure("not json").await.contains("EOF"));
}

#[tokio::test]
async fn an_empty_answer_or_null_hangs_until_the_process_is_killed_and_started_again() {
    for mode in ["empty", "null", "slow"] {
        let (running, _dir) = start(mode, |options| options.function_timeout = Some(Duration::from_millis(300))).await;
        comes_to(&running, |state| *state == State::Ready(1)).await;
        let error = running.run_timer("tick", None, false).await.unwrap_err().to_string();
        assert!(error.contains("killed"), "{mode}: {error}");
        comes_to(&running, |state| *state == State::Ready(2)).await;
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
    comes_to(&running, |state| matches!(state, State::Down(why) if why.contains("retry count"))).await;
}

#[tokio::test]
async fn a_crash_fails_the_invocation_and_starts_the_process_again() {
    let (running, _dir) = start("crashes", |_| {}).await;
    running.run_timer("tick", None, false).await.unwrap_err();
    comes_to(&running, |state| *state == State::Ready(2)).await;
}

#[tokio::test]
async fn exit_200_is_an_intended_restart_and_never_counted() {
    let (running, _dir) = start("restarts", |_| {}).await;
    for starts in 1..=5 {
        comes_to(&running, |state| *state == State::Ready(starts)).await;
        running.run_timer("tick", None, false).await.unwrap_err();
    }
    comes_to(&running, |state| *state == State::Ready(6)).await;
}

#[tokio::test]
async fn a_timeout_kills_the_one_process_and_everything_else_in_flight_with_it() {
    let (running, _dir) = start("slow", |options| options.function_timeout = Some(Duration::from_millis(300))).await;
    comes_to(&running, |state| *state == State::Ready(1)).await;
    // Handed on as it is, so no limit of its own ends it.
    let other = reqwest::get(running.url.join("/api/plain").unwrap());
    let (timed_out, other) = tokio::join!(running.run_timer("tick", None, false), other);
    assert!(timed_out.unwrap_err().to_string().contains("killed"));
    assert!(other.unwrap().status().is_server_error());
}

#[tokio::test]
async fn after_exit_0_an_older_host_goes_on_calling_a_dead_port_and_a_newer_one_starts_the_process_again() {
    let (running, _dir) = start("exits", |_| {}).await;
    running.run_timer("tick", None, false).await.unwrap_err();
    comes_to(&running, |state| *state == State::Deserted).await;
    running.run_timer("tick", None, false).await.unwrap_err();
    let (running, _dir) = start("exits", |options| options.faults.zero_restarts = true).await;
    running.run_timer("tick", None, false).await.unwrap_err();
    comes_to(&running, |state| *state == State::Ready(2)).await;
}

#[tokio::test]
async fn exactly_two_http_bindings_are_handed_on_and_a_third_means_an_envelope() {
    let (running, _dir) = start("error", |_| {}).await;
    let get = async |path: &str| reqwest::get(running.url.join(path).unwrap()).await.unwrap().status().as_u16();
    assert_eq!(get("/api/plain").await, 400);
    assert_eq!(get("/api/wrapped").await, 500);
    assert_eq!(get("/api/tick").await, 404);
    let invoked: Vec<_> = running.invocations().borrow().iter().map(|invocation| invocation.function.clone()).collect();
    assert_eq!(invoked, ["wrapped"]);
}

#[tokio::test]
async fn a_package_with_two_triggers_or_none_or_a_name_twice_is_refused() {
    let timer = |name: &str| json!({ "type": "timerTrigger", "direction": "in", "name": name });
    for (bindings, why) in [
        (json!([timer("a"), timer("b")]), "one trigger, not 2"),
        (json!([]), "one trigger, not 0"),
        (json!([timer("a"), timer("A")]), "two bindings"),
    ] {
        let dir = package(|root| function(root, "wrong", &bindings));
        let error = Running::start(Options::new(dir.path())).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}

#[tokio::test]
async fn what_a_timer_missed_is_caught_up_by_one_run_that_is_past_due() {
    let state = TempDir::new().unwrap();
    let status = json!({ "schedule": "0 0 * * * *", "last": "2020-01-01T00:00:00Z", "next": "2020-01-01T01:00:00Z" });
    fs::write(state.path().join("tick.json"), status.to_string()).unwrap();
    let (running, _dir) = start("", |options| options.state = Some(state.path().to_owned())).await;
    let mut invocations = running.invocations();
    let first = invocations.wait_for(|all| !all.is_empty());
    let timer = tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap()[0].request["Data"]["timer"].clone();
    assert_eq!(timer["IsPastDue"], true);
    assert_eq!(timer["ScheduleStatus"]["Next"], "2020-01-01T01:00:00+00:00");
}

#[tokio::test]
async fn the_first_run_ever_has_a_last_time_without_an_offset() {
    let dir = package(|root| {
        let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 * * * *",
            "runOnStartup": true });
        function(root, "tick", &json!([timer]));
    });
    let running = Running::start(Options::new(dir.path())).await.unwrap();
    let mut invocations = running.invocations();
    let first = invocations.wait_for(|all| !all.is_empty());
    let timer = tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap()[0].request["Data"]["timer"].clone();
    assert_eq!(timer["ScheduleStatus"]["Last"], "0001-01-01T00:00:00");
    assert_eq!(timer["IsPastDue"], false);
}
