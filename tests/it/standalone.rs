//! `photorelay run` seen from the network: Graph's two endpoints answer, and no trigger does.

use axum::http::{Method, StatusCode};
use photorelay::app::App;
use photorelay::host::manifest::{Manifest, Trigger};
use photorelay::jobs::notify::checks;
use photorelay_core::contract::{CauseKind, FetchPolicy};
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::trace::TraceContext;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use testkit::world::{Setup, World, configuration, guid};

/// Every path under which a function could be called: by its name, by its route, and as `events` would be.
fn paths() -> Vec<String> {
    let manifest = Manifest::built_in().unwrap();
    let mut paths = vec!["/".to_owned(), "/events".to_owned(), "/api/events".to_owned()];
    for function in &manifest.functions {
        paths.push(format!("/{}", function.name));
        paths.push(format!("/{}/{}", manifest.route_prefix, function.name));
        if let Trigger::Http { route } = &function.trigger {
            paths.push(format!("/{}/{route}", manifest.route_prefix));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

#[tokio::test]
async fn only_the_endpoints_for_graph_answer_from_outside() {
    let world = World::with(Setup { subscribe: false, ..Setup::default() }).await;
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let mut config = configuration(&world.sim, world.dir(), url.clone());
    // Timers have work of their own, which this test does not want.
    config.hosting.disabled = ["subscribe", "sweep"].map(str::to_owned).to_vec();
    let app = App::build(&config).await.unwrap();
    let stop = CancellationToken::new();
    let running = TaskTracker::new().spawn(app.run(listener, stop.clone()));

    // A check on its last delivery: posted to a trigger, it is recorded as a refusal in the user's trail.
    let check = checks(&[user], CauseKind::Operator, FetchPolicy::Always, &TraceContext::start()).remove(0);
    let message = String::from_utf8(check.body.to_vec()).unwrap();
    let envelope = json!({ "Data": { "msg": message, "timer": {} }, "Metadata": { "DequeueCount": 5 } }).to_string();
    let client = reqwest::Client::new();
    let mut answering = Vec::new();
    for path in paths() {
        for method in [Method::GET, Method::POST] {
            let request = client.request(method.clone(), url.join(&path).unwrap());
            let request = request.header("content-type", "application/json").body(envelope.clone());
            if request.send().await.unwrap().status() != StatusCode::NOT_FOUND {
                answering.push(format!("{method} {path}"));
            }
        }
    }
    let trail = world.trail(user).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    // `/` says to an orchestrator that the process is alive, and takes nothing.
    assert_eq!(
        answering,
        [
            "GET /",
            "POST /",
            "GET /api/lifecycle",
            "POST /api/lifecycle",
            "GET /api/notifications",
            "POST /api/notifications"
        ]
    );
    assert!(trail.is_empty(), "a request from outside was written into the trail: {:?}", trail[0].entry.kind);
    assert_eq!(world.storage().queues.count(CHECKS_QUEUE).await.unwrap(), 0);
    world.end().await;
}
