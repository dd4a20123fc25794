//! `photorelay trace`: every hop of a change, with its time.

use jiff::Timestamp;
use photorelay::operate::trace::trace;
use photorelay_core::contract::FetchPolicy;
use photorelay_core::hops::TracedEntries;
use photorelay_core::target::Targets;
use serde_json::Value;
use testkit::world::{Setup, World, guid};

async fn traced(world: &World, which: TracedEntries) -> (Value, String) {
    let (mut json, mut text) = (Vec::new(), Vec::new());
    for (is_json, out) in [(true, &mut json), (false, &mut text)] {
        trace(world.storage(), &Targets::default(), world.user(0), which, is_json, out).await.unwrap();
    }
    (serde_json::from_slice(&json).unwrap(), String::from_utf8(text).unwrap())
}

fn kinds(hops: &Value) -> Vec<&str> {
    hops.as_array().unwrap().iter().map(|hop| hop["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_notified_change_is_traced_to_the_target_and_its_hops_add_up() {
    let world = World::start().await;
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    let began = Timestamp::now();
    world.settle().await;
    let (json, text) = traced(&world, TracedEntries::Newest).await;
    let entry = &json[0];
    assert_eq!((entry["kind"].as_str(), entry["cause"].as_str()), (Some("captured"), Some("notification")));
    assert_eq!(entry["traceId"].as_str().map(str::len), Some(32));
    let target = &entry["targets"][0];
    assert_eq!((target["target"].as_str(), target["state"]["outcome"].as_str()), (Some("ad"), Some("written")));
    assert_eq!(kinds(&entry["hops"]), ["notified", "begun", "captured"]);
    assert_eq!(kinds(&target["hops"]), ["announced", "received", "written"]);

    let hops: Vec<&Value> =
        entry["hops"].as_array().unwrap().iter().chain(target["hops"].as_array().unwrap()).collect();
    let times: Vec<Timestamp> = hops.iter().map(|hop| hop["at"].as_str().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted() && times[0] >= began && times[5] <= Timestamp::now(), "{times:?}");
    let sum: f64 = hops.iter().filter_map(|hop| hop["afterMs"].as_f64()).sum();
    let total = target["totalMs"].as_f64().unwrap();
    let clock = times[5].duration_since(times[0]).as_secs_f64() * 1000.0;
    assert!((sum - total).abs() < 0.1 && (total - clock).abs() < 0.1, "{sum} {total} {clock}");
    for hop in ["notified", "begun", "captured", "announced", "received", "written", "in all"] {
        assert!(text.contains(hop), "{hop} is missing:\n{text}");
    }
    world.end().await;
}

#[tokio::test]
async fn an_entry_that_waits_or_is_not_written_says_so() {
    let world = World::start().await;
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    let (json, text) = traced(&world, TracedEntries::Newest).await;
    assert_eq!(json[0]["targets"][0]["state"]["is"], "waiting");
    assert!(text.contains("to ad: no agent has acknowledged it yet"), "{text}");

    world.agent_builder().dry_run(true).build().drain().await.unwrap();
    let (json, text) = traced(&world, TracedEntries::Newest).await;
    assert_eq!(json[0]["targets"][0]["state"]["note"], "dryRun");
    assert!(text.contains("dry run: would write"), "{text}");
    world.end().await;
}

#[tokio::test]
async fn what_an_operator_had_checked_begins_with_the_command_and_all_entries_can_be_traced() {
    let world = World::with(Setup { subscribe: false, ..Setup::default() }).await;
    let user = world.user(0);
    for _ in 0..2 {
        world.sim.tenant().change_photo(guid(user)).unwrap();
        world.check(&[user], FetchPolicy::IfChanged).await;
        world.app.pump.drain().await.unwrap();
        world.settle().await;
    }
    let (json, _) = traced(&world, TracedEntries::All).await;
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert!(json.as_array().unwrap().iter().all(|entry| kinds(&entry["hops"]) == ["commanded", "begun", "captured"]));
    let (json, _) = traced(&world, TracedEntries::One(1)).await;
    assert_eq!(json[0]["seq"], 1);
    let (targets, one) = (Targets::default(), TracedEntries::One(9));
    let refused = trace(world.storage(), &targets, user, one, false, &mut Vec::new()).await.unwrap_err();
    assert!(refused.to_string().contains("has no entry 9"), "{refused}");
    world.end().await;
}
