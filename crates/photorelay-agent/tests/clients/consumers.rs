//! A system with one photo, for clients of other languages: it forwards the photo's event to the receiver that the first
//! argument names, signed with the second, serves the photo over HTTP, and prints what the clients must find. It ends with
//! its standard input.

use std::io::Read as _;
use std::time::Duration;

use photorelay_agent::forward::{ForwardSettings, Forwarder, Receiver, SigningKey};
use photorelay_agent::photo_server::{PhotoListener, PhotoServer, PhotoServerSettings};
use photorelay_agent::writeback::WritebackSettings;
use photorelay_core::names::WRITEBACKS_QUEUE;
use photorelay_core::settings::ServiceUri;
use photorelay_core::target::Targets;
use serde_json::json;
use testkit::agent::{AGENT, TARGET};
use testkit::world::{Setup, World, guid};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (receiver, secret) = (arguments.next().expect("a URL"), arguments.next().expect("a secret"));
    let sim = graph_sim::SimConfig { users: 1, with_photo: 0.0, ..Default::default() };
    let edit = |config: &mut photorelay::config::AppConfig| {
        config.graph.identity_extra = "mail".parse().unwrap();
        let specs = ["thumbnailPhoto:96:10240", "jpegPhoto:240:51200"];
        config.capture.renditions = specs.map(|spec| spec.parse().unwrap()).to_vec();
    };
    let world = World::with(Setup { sim, edit, ..Setup::default() }).await;
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    world.sim.flush().await;
    world.app.pump.drain().await.unwrap();
    forward(&world, &receiver, &secret).await;

    let settings = PhotoServerSettings {
        tenant: world.tenant_id(),
        serving: Targets::default().all()[0].clone(),
        refresh: Duration::from_secs(3600),
        per_minute: 1000,
        behind_proxy: false,
    };
    let server = PhotoServer::new(world.storage(), settings);
    assert!(server.refresh().await, "the embedded store can be read");
    let listener = PhotoListener::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let person = world.sim.tenant().user(guid(user)).unwrap();
    let entry = world.trail(user).await.pop().unwrap().entry;
    let shown = json!({
        "address": listener.address().unwrap().to_string(),
        "account": person.on_premises_sam_account_name,
        "mail": person.mail,
        "subject": format!("users/{user}"),
        "renditions": entry.renditions,
    });
    println!("{shown}");
    let stop = CancellationToken::new();
    let (tasks, until) = (TaskTracker::new(), stop.clone());
    let served = tasks.spawn(async move { server.run(listener, until).await });
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    stop.cancel();
    served.await.unwrap().unwrap();
    world.end().await;
}

async fn forward(world: &World, receiver: &str, secret: &str) {
    let key = SigningKey::parse(&secret.to_owned().into()).unwrap();
    let receiver = Receiver::new(ServiceUri(receiver.parse().unwrap()), Some(key), None).unwrap();
    let own = WritebackSettings {
        tenant: world.tenant_id(),
        target: TARGET.to_owned(),
        agent: AGENT.to_owned(),
        dry_run: false,
        certificate_expires_at: None,
    };
    let settings = ForwardSettings { own, queue: WRITEBACKS_QUEUE.to_owned(), lease: Duration::from_secs(60) };
    Forwarder::new(world.storage(), receiver, settings).drain().await.unwrap();
}
