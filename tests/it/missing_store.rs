//! A storage that is not there: no command takes a mistyped path for an empty store, nothing recreates a store that was
//! deleted, and it does not matter which program is started first.

use axum::Router;
use axum::http::StatusCode;
use testkit::process::{Program, azure, embedded, keep_sweeps_out, text, until};
use testkit::world::{Setup, World, guid, notifications};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::commands::photorelay_with;

async fn world() -> World {
    World::with(Setup { subscribe: false, ..Setup::default() }).await
}

#[tokio::test]
async fn a_mistyped_path_is_an_error_that_names_it_and_creates_nothing() {
    let world = world().await;
    let user = world.user(0).to_string();
    let (mistyped, other) = (world.dir().join("mistyped"), world.dir().join("other"));
    std::fs::create_dir(&other).unwrap();
    let commands: [&[&str]; 12] = [
        &["audit", "verify"],
        &["check", &user],
        &["export", &user, "photo.jpg"],
        &["history", &user],
        &["restore", &user, "1"],
        &["forget", &user],
        &["probe", &user],
        &["subscribe"],
        &["unsubscribe"],
        &["sweep"],
        &["status"],
        &["status", "--refused"],
    ];
    for path in [&mistyped, &other] {
        let shown = path.display().to_string();
        for command in commands {
            let output = photorelay_with(&world, command, &[("PhotoStorage__path", &shown)]).await;
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{command:?}: {}{said}", text(&output.stdout));
            assert!(said.contains(&shown) && said.contains("photorelay run"), "{command:?}: {said}");
            assert_eq!(text(&output.stdout), "", "{command:?}");
        }
        let doctor = photorelay_with(&world, &["doctor"], &[("PhotoStorage__path", &shown)]).await;
        assert_eq!(doctor.status.code(), Some(2));
        assert!(
            text(&doctor.stdout).contains(&format!("no store of photorelay in {shown}")),
            "{}",
            text(&doctor.stdout)
        );
    }
    assert!(!mistyped.exists());
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    world.end().await;
}

#[tokio::test]
async fn the_first_sweep_of_a_deployment_creates_its_store() {
    let world = world().await;
    let path = world.dir().join("new/store");
    let shown = path.display().to_string();
    let filled = photorelay_with(&world, &["sweep", "--first"], &[("PhotoStorage__path", &shown)]).await;
    assert!(filled.status.success(), "{}", text(&filled.stderr));
    let verified = photorelay_with(&world, &["audit", "verify"], &[("PhotoStorage__path", &shown)]).await;
    assert!(text(&verified.stdout).contains("the trail is intact"), "{}", text(&verified.stderr));
    world.end().await;
}

#[tokio::test]
async fn an_account_without_the_containers_is_an_error_that_names_it() {
    let world = world().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = Url::parse(&format!("http://{}/account?sv=1&sig=x", listener.local_addr().unwrap())).unwrap();
    let mut servers = JoinSet::new();
    let absent = || async { (StatusCode::NOT_FOUND, [("x-ms-error-code", "ContainerNotFound")], "") };
    let app = Router::new().fallback(absent);
    servers.spawn(async move { axum::serve(listener, app).await.unwrap() });
    let mut settings = vec![("PhotoStorage__path", String::new())];
    settings.extend(azure(&service, &service));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let user = world.user(0).to_string();
    for command in [&["audit", "verify"][..], &["history", &user], &["status"]] {
        let output = photorelay_with(&world, command, &settings).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}{said}", text(&output.stdout));
        assert!(said.contains("/account") && said.contains("PhotoStorage__") && !said.contains("sig=x"), "{said}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_store_that_is_deleted_ends_the_service_and_stays_deleted() {
    let world = world().await;
    let store = world.dir().join("store");
    let mut service = Program::photorelay(&world.sim, &embedded(&store), &vec![]);
    service.address().await;
    let prepared = until(|| async { store.join("audit").is_dir() && store.join("agents").is_dir() });
    service.brings("a store", prepared).await;
    std::fs::rename(&store, world.dir().join("gone")).unwrap();
    assert_eq!(service.ends_with().await, Some(1), "{}", service.log());
    let said = service.log();
    assert!(said.contains(&format!("the store in {} was deleted", store.display())), "{said}");
    assert!(!store.exists(), "{said}");
    world.end().await;
}

#[tokio::test]
async fn an_agent_that_is_started_first_waits_for_the_store_and_then_writes() {
    let world = world().await;
    keep_sweeps_out(&world.sim);
    let (store, written) = (world.dir().join("store"), world.dir().join("shown"));
    let folder = vec![
        ("PHOTORELAY_FOLDER_PATH", written.display().to_string()),
        ("PHOTORELAY_FOLDER_NAME", "{userId}".to_owned()),
    ];
    let mut agent = Program::agent_of(&world, &embedded(&store), &folder);
    let waits = until(|| async { agent.log().contains("waiting: there is no store of photorelay in") });
    agent.brings("a message that it waits", waits).await;
    assert!(!store.exists(), "the agent creates no store");

    let mut service = Program::photorelay(&world.sim, &embedded(&store), &vec![]);
    let address = service.address().await;
    let user = world.user(0);
    world.sim.tenant().change_photo(guid(user)).unwrap();
    let client = reqwest::Client::new();
    let accepted = until(|| async {
        let post =
            client.post(format!("http://{address}/api/notifications")).header("content-type", "application/json");
        post.body(notifications(world.sim.tenant_id(), &[user])).send().await.unwrap().status() == 202
    });
    service.brings("an accepted notification", accepted).await;
    let shown = until(|| async { written.join(format!("{user}.jpg")).exists() });
    agent.brings("the photo in the folder", shown).await;

    std::fs::rename(&store, world.dir().join("gone")).unwrap();
    assert_eq!(agent.ends_with().await, Some(1), "{}", agent.log());
    assert_eq!(service.ends_with().await, Some(1), "{}", service.log());
    assert!(!store.exists());
    world.end().await;
}
