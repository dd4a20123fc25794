//! The watchdog: what is wrong is one line with its mend in the log, and on the screen of `photorelay status`.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_sim::{Fault, FaultRule, NotificationMode, PatternScope, RequestPattern};
use jiff::{SignedDuration, Timestamp};
use photorelay::jobs::sweep::Run;
use photorelay::jobs::watch::{Status, SubscriptionState};
use photorelay_core::contract::{self, Heartbeat, V1};
use photorelay_core::id::UserId;
use photorelay_core::names::{self, CHECKS_QUEUE, Container, WRITEBACKS_QUEUE};
use photorelay_core::queue::Outgoing;
use photorelay_core::telemetry::{self, LogFormat};
use serde_json::{Value, json};
use testkit::on_every_store;
use testkit::process::text;
use testkit::world::{Setup, Store, World, guid};

use crate::commands::{photorelay, photorelay_with};
use crate::sweep::TIMER;

on_every_store!(each_trouble_is_told_and_told_no_more_when_it_is_mended,);

async fn status(world: &World) -> Status {
    world.app.watch.status(Timestamp::now()).await.unwrap()
}

fn alerts(status: &Status) -> Vec<&'static str> {
    status.alerts.iter().map(|alert| alert.alert).collect()
}

fn in_hours(hours: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(hours)
}

/// As an agent that lives writes it every minute.
async fn heartbeat(world: &World, at: Timestamp) {
    heartbeat_of(world, "agent-of-the-tests", at).await;
}

pub(crate) async fn heartbeat_of(world: &World, agent: &str, at: Timestamp) {
    let heartbeat = Heartbeat {
        v: V1,
        target: "ad".to_owned(),
        agent: agent.to_owned(),
        version: "0.1.0".to_owned(),
        started_at: at,
        at,
        last_success_at: None,
        oldest_unfinished_at: None,
        refusing: None,
        withheld: None,
        paused: None,
        dry_run: false,
        certificate_expires_at: None,
    };
    let name = names::heartbeat("ad", agent);
    let content = Bytes::from(contract::to_bytes(&heartbeat));
    let blobs = &*world.storage().blobs;
    blobs.put(Container::Agents, &name, "application/json", content, &Default::default()).await.unwrap();
}

async fn each_trouble_is_told_and_told_no_more_when_it_is_mended(store: Store) {
    let world = World::with(Setup { store, subscribe: false, ..Setup::default() }).await;
    let queues = world.storage().queues.clone();
    assert_eq!(alerts(&status(&world).await), ["subscription_missing", "agent_silent"]);
    world.subscribe().await;
    heartbeat(&world, Timestamp::now()).await;
    assert_eq!(alerts(&status(&world).await), [""; 0]);
    assert!(matches!(status(&world).await.subscription, SubscriptionState::Alive { .. }));

    // An entry that no agent has acknowledged, and a check that nobody handles.
    world.check(&[world.user(0)], Default::default()).await;
    world.app.pump.drain().await.unwrap();
    world.check(&[world.user(1)], Default::default()).await;
    heartbeat(&world, in_hours(3)).await;
    let late = world.app.watch.status(in_hours(3)).await.unwrap();
    assert_eq!(alerts(&late), ["checks_waiting", "receipt_overdue"]);
    assert_eq!((late.trail.people, late.trail.unacknowledged, late.checks.waiting), (1, 1, 1));
    assert_eq!(alerts(&status(&world).await), [""; 0], "neither is old yet");
    world.settle().await;
    assert_eq!(alerts(&world.app.watch.status(in_hours(3)).await.unwrap()), [""; 0]);

    for queue in [CHECKS_QUEUE, WRITEBACKS_QUEUE] {
        let poison = names::poison_queue(queue);
        queues.ensure_queue(&poison).await.unwrap();
        queues.send(&poison, vec![Outgoing::now("x")]).await.unwrap();
        assert_eq!(alerts(&status(&world).await), ["poison_not_empty"], "{queue}");
        let delivery = queues.receive(&poison, 1, Duration::from_secs(60)).await.unwrap().remove(0);
        queues.delete(&poison, &delivery).await.unwrap();
        assert_eq!(alerts(&status(&world).await), [""; 0], "{queue}");
    }
    world.end().await;
}

#[tokio::test]
async fn changes_that_no_notification_announced_make_the_webhook_blind_with_the_share() {
    let sim = graph_sim::SimConfig { users: 6, ..Default::default() };
    let world = World::with(Setup { sim, ..Setup::default() }).await;
    heartbeat(&world, in_hours(25)).await;
    let day = async |hours: i64| {
        let report = world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
        world.app.watch.after_sweep(&report, in_hours(hours)).await;
    };
    // Everybody is captured first, by the sweep. That says nothing about the webhook.
    day(0).await;
    assert_eq!(alerts(&status(&world).await), [""; 0]);

    world.sim.set(|settings| settings.notify = NotificationMode::Never);
    for at in 0..5 {
        world.sim.tenant().change_photo(guid(world.user(at))).unwrap();
    }
    day(0).await;
    world.sim.set(|settings| settings.notify = NotificationMode::Always);
    world.sim.tenant().change_photo(guid(world.user(5))).unwrap();
    world.settle().await;
    day(24).await;
    let status = world.app.watch.status(in_hours(25)).await.unwrap();
    assert_eq!(alerts(&status), ["webhook_blind"]);
    assert!(status.alerts[0].text.starts_with("5 of the 6 changes"), "{}", status.alerts[0].text);
    assert!(status.alerts[0].text.contains("(83 %)"), "{}", status.alerts[0].text);
    world.end().await;
}

#[tokio::test]
async fn photos_of_everybody_gone_at_once_are_a_surge_before_anything_is_removed() {
    let sim = graph_sim::SimConfig { users: 8, ..Default::default() };
    let world = World::with(Setup { sim, ..Setup::default() }).await;
    heartbeat(&world, Timestamp::now()).await;
    for _ in 0..2 {
        world.app.sweep.run(&Run::default()).await.unwrap();
        world.settle().await;
    }
    world.sim.set(|settings| settings.notify = NotificationMode::Never);
    for id in world.sim.tenant().user_ids() {
        world.sim.tenant().remove_photo(id).unwrap();
    }
    let report = world.app.sweep.run(&Run::default()).await.unwrap();
    world.app.watch.after_sweep(&report, Timestamp::now()).await;
    let status = status(&world).await;
    assert_eq!(alerts(&status), ["removals_surge"]);
    assert!(status.alerts[0].text.starts_with("8 photos are gone"), "{}", status.alerts[0].text);
    world.settle().await;
    for id in world.sim.tenant().user_ids() {
        assert_eq!(world.trail(UserId::from_uuid(id)).await.len(), 1);
    }
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn status_is_one_screen_or_json_and_ends_with_2_when_there_is_something_to_mend() {
    let world = World::start().await;
    let bad = photorelay(&world, &["status"], &[]).await;
    assert_eq!(bad.status.code(), Some(2), "{}", text(&bad.stderr));
    let printed = text(&bad.stdout);
    assert!(printed.contains("agent_silent: no agent of the target ad") && printed.lines().count() < 25, "{printed}");

    heartbeat(&world, Timestamp::now()).await;
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    world.settle().await;
    let swept = photorelay(&world, &["sweep"], &[]).await;
    assert!(swept.status.success(), "{}", text(&swept.stderr));
    world.settle().await;
    let good = photorelay(&world, &["status", "--json"], &[]).await;
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stdout));
    let json: Value = serde_json::from_slice(&good.stdout).unwrap();
    let word = |pointer: &str| json.pointer(pointer).cloned().unwrap_or_default();
    assert_eq!((word("/alerts"), word("/trail/people"), word("/sweep/people")), (json!([]), json!(3), json!(3)));
    assert!(word("/notifications/lastAt").is_string() && word("/checkpoint/day").is_string(), "{json:#}");
    assert_eq!(word("/targets/0/agents/0/agent"), json!("agent-of-the-tests"));
    world.end().await;
}

#[tokio::test]
async fn every_alert_is_one_warning_with_its_word_and_its_mend() {
    let world = World::start().await;
    let output = photorelay(&world, &["sweep"], &[]).await;
    assert!(output.status.success());
    let logged = text(&output.stderr);
    let warnings: Vec<&str> = logged.lines().filter(|line| line.contains("WARN")).collect();
    let [warning] = warnings[..] else { panic!("{logged}") };
    assert!(warning.contains("agent_silent") && warning.contains("Install and start one"), "{warning}");
    world.settle().await;
    world.end().await;
}

#[tokio::test]
async fn what_is_not_known_because_graph_or_the_sign_in_fails_is_never_green() {
    let world = World::start().await;
    heartbeat(&world, Timestamp::now()).await;
    assert_eq!(alerts(&status(&world).await), [""; 0]);
    let secret = ("PHOTORELAY_CLIENT_SECRET", "not-the-secret");
    // Nothing listens there.
    let (graph, authority) =
        (("PHOTORELAY_GRAPH_URL", "http://127.0.0.1:9/v1.0"), ("PHOTORELAY_AUTHORITY_URL", "http://127.0.0.1:9"));
    let no_webhook = ("PHOTORELAY_PUBLIC_URL", "");
    let cases = [
        (&[secret][..], "credential_refused", "PHOTORELAY_CLIENT_SECRET"),
        (&[secret, no_webhook], "credential_refused", "PHOTORELAY_CLIENT_SECRET"),
        (&[graph], "graph_unavailable", "PHOTORELAY_GRAPH_URL"),
        (&[graph, no_webhook], "graph_unavailable", "PHOTORELAY_GRAPH_URL"),
        (&[authority], "graph_unavailable", "PHOTORELAY_AUTHORITY_URL"),
    ];
    for (other, alert, names) in cases {
        let began = Instant::now();
        let output = photorelay_with(&world, &["status"], other).await;
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{other:?}: {printed}");
        let line = printed.lines().find(|line| line.contains(alert)).unwrap_or_else(|| panic!("{other:?}: {printed}"));
        assert!(line.contains(names) && !printed.contains("not-the-secret"), "{line}");
        let output = photorelay_with(&world, &["doctor"], other).await;
        assert_eq!(output.status.code(), Some(2), "{other:?}: {}", text(&output.stdout));
        assert!(began.elapsed() < Duration::from_secs(60), "{other:?}");
    }
    world.sim.clear_violations();
    world.end().await;
}

/// Connections are accepted, and nothing comes back.
#[tokio::test]
async fn a_graph_that_never_answers_is_reported_within_a_minute() {
    let world = World::start().await;
    heartbeat(&world, Timestamp::now()).await;
    let everything = RequestPattern { method: None, path: "/v1.0/*".to_owned(), scope: PatternScope::Any };
    let beta = RequestPattern { path: "/beta/*".to_owned(), ..everything.clone() };
    for calls in [everything, beta] {
        world.sim.add_fault(FaultRule::new(calls, Fault::Latency { ms: 3_600_000 }));
    }
    let began = Instant::now();
    let (status, doctor) = tokio::join!(photorelay(&world, &["status"], &[]), photorelay(&world, &["doctor"], &[]));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(text(&status.stdout).contains("graph_unavailable"), "{}", text(&status.stdout));
    assert!(text(&doctor.stdout).contains("ERROR   subscription"), "{}", text(&doctor.stdout));
    assert_eq!((status.status.code(), doctor.status.code()), (Some(2), Some(2)));
    world.sim.clear_faults();
    world.end_with_leftovers().await;
}

/// The alert rules read the log of the function, and no sweep succeeds while Graph is down.
#[tokio::test]
async fn a_sweep_that_fails_logs_the_alerts_too() {
    let world = World::start().await;
    heartbeat(&world, Timestamp::now()).await;
    let everything = RequestPattern { method: None, path: "/v1.0/*".to_owned(), scope: PatternScope::Any };
    world.sim.add_fault(FaultRule::new(everything, Fault::GraphError { name: "unavailable".to_owned() }));
    let path = world.dir().join("function.log");
    let file = Arc::new(File::create(&path).unwrap());
    let (dispatch, exporting) = telemetry::dispatch(LogFormat::Json, &"warn".parse().unwrap(), None, file).unwrap();
    {
        let _logged = tracing::dispatcher::set_default(&dispatch);
        assert_eq!(world.post("/sweep", TIMER).await.status(), 500);
    }
    exporting.finish().await;
    let logged = std::fs::read_to_string(&path).unwrap();
    assert!(logged.contains(r#""alert":"graph_unavailable""#), "{logged}");
    world.sim.clear_faults();
    world.end().await;
}
