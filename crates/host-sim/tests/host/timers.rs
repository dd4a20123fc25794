//! Timers: what was missed, the first run, and the next one after a failure.

use std::fs;

use host_sim::{HostOptions, RunningHost};
use serde_json::json;
use tempfile::TempDir;

use crate::{PATIENCE, function, package, start};

#[tokio::test]
async fn what_a_timer_missed_is_caught_up_by_one_run_that_is_past_due() {
    let state = TempDir::new().unwrap();
    let status = json!({ "schedule": "0 0 * * * *", "last": "2020-01-01T00:00:00Z", "next": "2020-01-01T01:00:00Z" });
    fs::write(state.path().join("tick.json"), status.to_string()).unwrap();
    let (running, _dir) = start("", |options| options.timer_status = Some(state.path().to_owned())).await;
    let mut invocations = running.invocations();
    let first = invocations.wait_for(|all| !all.is_empty());
    let timer = tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap()[0].request["Data"]["timer"].clone();
    assert_eq!(timer["IsPastDue"], true);
    assert_eq!(timer["ScheduleStatus"]["Next"], "2020-01-01T01:00:00+00:00");
}

#[tokio::test]
async fn the_first_run_ever_was_last_run_in_the_year_1() {
    let dir = package(|root| {
        let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 0 * * * *",
            "runOnStartup": true });
        function(root, "tick", &json!([timer]));
    });
    let running = RunningHost::start(HostOptions::new(dir.path())).await.unwrap();
    let mut invocations = running.invocations();
    let first = invocations.wait_for(|all| !all.is_empty());
    let timer = tokio::time::timeout(PATIENCE, first).await.unwrap().unwrap()[0].request["Data"]["timer"].clone();
    assert_eq!(timer["ScheduleStatus"]["Last"], "0001-01-01T00:00:00+00:00");
    assert_eq!(timer["IsPastDue"], false);
}

#[tokio::test]
async fn a_failed_run_is_remembered_and_not_repeated() {
    let dir = package(|root| {
        let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "* * * * * *" });
        function(root, "tick", &json!([timer]));
    });
    let mut options = HostOptions::new(dir.path());
    options.environment.push(("HANDLER_MODE".to_owned(), "error".to_owned()));
    let running = RunningHost::start(options).await.unwrap();
    let mut invocations = running.invocations();
    let two =
        tokio::time::timeout(PATIENCE, invocations.wait_for(|all| all.len() >= 2)).await.unwrap().unwrap().clone();
    assert!(two.iter().all(|run| run.error.is_some()), "each at its own second");
    let status = &two[0].request["Data"]["timer"]["ScheduleStatus"];
    assert!(status.is_null(), "a schedule below a minute is not monitored: {status}");
}
