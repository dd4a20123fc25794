//! Packages that the host refuses, and app settings in bindings.

use std::fs;

use host_sim::{HostOptions, RunningHost};
use serde_json::{Value, json};

use crate::{function, package};

#[tokio::test]
async fn a_package_with_two_triggers_or_none_or_a_name_twice_is_refused() {
    let timer = |name: &str| json!({ "type": "timerTrigger", "direction": "in", "name": name });
    for (bindings, why) in [
        (json!([timer("a"), timer("b")]), "one trigger, not 2"),
        (json!([]), "one trigger, not 0"),
        (json!([timer("a"), timer("A")]), "two bindings"),
    ] {
        let dir = package(|root| function(root, "wrong", &bindings));
        let error = RunningHost::start(HostOptions::new(dir.path())).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}

#[tokio::test]
async fn limits_of_queues_are_kept_and_routes_of_host_json_are_not_mixed_with_functions() {
    let wrong = [
        (json!({ "extensions": { "queues": { "batchSize": 33 } } }), "1 to 32"),
        (json!({ "extensions": { "queues": { "maxDequeueCount": 0 } } }), "at least 1"),
        (json!({ "extensions": { "queues": { "maxPollingInterval": "00:00:00.05" } } }), "too short"),
        (json!({ "extensions": { "queues": { "messageEncoding": "utf8" } } }), "base64 or none"),
        (json!({ "customHandler": { "description": { "defaultExecutablePath": "" } } }), "is required"),
        (json!({ "customHandler": { "http": { "routes": [] } } }), "cannot be used beside"),
        (json!({ "version": "1.0" }), "must be"),
    ];
    for (change, why) in wrong {
        let dir = package(|root| {
            let file = root.join("host.json");
            let mut host: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            merge(&mut host, &change);
            fs::write(file, host.to_string()).unwrap();
        });
        let error = RunningHost::start(HostOptions::new(dir.path())).await.unwrap_err();
        assert!(format!("{error:#}").contains(why), "{error:#}");
    }
}

fn merge(into: &mut Value, change: &Value) {
    match change.as_object() {
        Some(members) => members.iter().for_each(|(name, value)| merge(&mut into[name], value)),
        None => *into = change.clone(),
    }
}

#[tokio::test]
async fn a_binding_may_name_an_app_setting_that_is_there() {
    let timer = json!({ "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "%TIMES%" });
    let dir = package(|root| function(root, "tick", &json!([timer])));
    let error = RunningHost::start(HostOptions::new(dir.path())).await.unwrap_err();
    assert!(format!("{error:#}").contains("%TIMES% is no app setting"), "{error:#}");
    let mut options = HostOptions::new(dir.path());
    options.environment.push(("TIMES".to_owned(), "0 0 0 1 1 *".to_owned()));
    let running = RunningHost::start(options).await.unwrap();
    running.run_timer("tick", None, false).await.unwrap();
}

#[tokio::test]
async fn a_retry_policy_is_refused_because_it_is_not_simulated() {
    let dir = package(|root| {
        let file = root.join("tick/function.json");
        let mut tick: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        tick["retry"] = json!({ "strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:01:00" });
        fs::write(file, tick.to_string()).unwrap();
    });
    let error = RunningHost::start(HostOptions::new(dir.path())).await.unwrap_err();
    assert!(format!("{error:#}").contains("does not simulate"), "{error:#}");
}
