//! The command line: the real program against a running simulator and the embedded store.

use std::process::{Output, Stdio};

use graph_sim::{HoldPoint, RequestPattern};
use photorelay_core::id::UserId;
use testkit::process::{OPERATOR, Variables, azure, embedded, text, until};
use testkit::world::{CLIENT_STATE, Setup, World, fixture, guid};
use tokio::process::{Child, Command};

/// Runs `photorelay` with the settings that an operator would give.
pub(crate) async fn photorelay(world: &World, arguments: &[&str], without: &[&str]) -> Output {
    run(arguments, settings(world).into_iter().filter(|(name, _)| !without.contains(name))).await
}

/// The same with other values of some settings.
pub(crate) async fn photorelay_with(world: &World, arguments: &[&str], other: &[(&'static str, &str)]) -> Output {
    let other = other.iter().map(|(name, value)| (*name, (*value).to_owned()));
    run(arguments, settings(world).into_iter().chain(other)).await
}

async fn run(arguments: &[&str], settings: impl Iterator<Item = (&'static str, String)>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_photorelay")).args(arguments).env_clear().envs(settings).output().await.unwrap()
}

pub(crate) fn settings(world: &World) -> Variables {
    let mut settings = vec![
        ("PHOTORELAY_TENANT_ID", world.sim.tenant_id().to_string()),
        ("PHOTORELAY_CLIENT_ID", world.sim.client_id().to_string()),
        ("PHOTORELAY_CLIENT_SECRET", world.sim.client_secret()),
        ("PHOTORELAY_CLIENT_STATE", CLIENT_STATE.to_owned()),
        ("USER", OPERATOR.to_owned()),
        ("PHOTORELAY_GRAPH_URL", world.sim.graph_url()),
        ("PHOTORELAY_AUTHORITY_URL", world.sim.authority_url()),
        ("PHOTORELAY_PUBLIC_URL", world.url.to_string()),
    ];
    settings.extend(match &world.azurite {
        Some(azurite) => azure(&azurite.blob, &azurite.queue),
        None => embedded(world.dir()),
    });
    settings
}

#[tokio::test]
async fn check_goes_the_whole_way_and_explains_it() {
    let world = World::start().await;
    let user = world.user(0);
    let first = photorelay(&world, &["check", &user.to_string()], &[]).await;
    let printed = text(&first.stdout);
    assert!(first.status.success(), "{printed}{}", text(&first.stderr));
    for step in ["1  ", "2  ", "3  ", "4  ", "5  ", "6  committed as entry 1", "7  announced to ad", "8  "] {
        assert!(printed.contains(step), "{step:?} is missing in {printed}");
    }
    let again = text(&photorelay(&world, &["check", &user.to_string()], &[]).await.stdout);
    assert!(again.contains("nothing new"), "{again}");
    world.settle().await;
    assert!(world.shows_newest(user).await);
    world.end().await;
}

#[tokio::test]
async fn export_writes_the_photo_as_graph_gave_it() {
    let world = World::start().await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
    world.settle().await;
    let file = world.dir().join("exported.jpg");
    let output = photorelay(&world, &["export", &user.to_string(), &file.display().to_string()], &[]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read(file).unwrap(), world.sim.tenant().photo(guid(user)).unwrap());
    world.end().await;
}

#[tokio::test]
async fn audit_verify_ends_with_2_and_names_the_broken_link() {
    let world = World::start().await;
    let user = world.user(0);
    for _ in 0..3 {
        world.change(user).await;
    }
    let intact = photorelay(&world, &["audit", "verify"], &[]).await;
    assert_eq!(intact.status.code(), Some(0), "{}", text(&intact.stdout));

    let path = world.dir().join(format!("audit/{user}/00000002.json"));
    let original = std::fs::read(&path).unwrap();
    std::fs::write(&path, text(&original).replace("captured", "restored")).unwrap();
    let broken = photorelay(&world, &["audit", "verify"], &[]).await;
    assert_eq!(broken.status.code(), Some(2));
    let printed = text(&broken.stdout);
    assert!(printed.contains(&user.to_string()) && printed.contains("00000003"), "{printed}");

    std::fs::write(&path, original).unwrap();
    world.end().await;
}

#[tokio::test]
async fn every_missing_setting_is_told_at_once_and_no_secret_with_it() {
    let world = World::start().await;
    let missing = ["PHOTORELAY_TENANT_ID", "PHOTORELAY_CLIENT_STATE", "PHOTORELAY_CLIENT_ID", "PhotoStorage__path"];
    let output = photorelay(&world, &["run"], &missing).await;
    assert!(!output.status.success());
    let printed = text(&output.stderr);
    for name in ["PHOTORELAY_TENANT_ID", "PHOTORELAY_CLIENT_STATE", "PhotoStorage__"] {
        assert!(printed.contains(name), "{name} is missing in {printed}");
    }
    assert!(!printed.contains(&world.sim.client_secret()), "{printed}");
    world.end().await;
}

#[tokio::test]
async fn the_first_sweep_forecasts_fetches_every_photo_and_says_so() {
    let sim = graph_sim::SimConfig { users: 120, with_photo: 0.5, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let output = photorelay(&world, &["sweep", "--first"], &[]).await;
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    let photos = world.sim.tenant().user_ids().iter().filter(|id| world.sim.tenant().photo(**id).is_some()).count();
    let forecast = printed.lines().next().unwrap();
    assert!(forecast.starts_with("forecast        120 people; about "), "{printed}");
    let words: Vec<usize> = forecast.split(' ').filter_map(|word| word.parse().ok()).collect();
    // People, photos, requests, time.
    assert!(words[1].abs_diff(photos) <= photos / 2, "{photos} photos; {printed}");
    for line in ["population      120 (", "looked at       120, ", "filled          every check was done in "] {
        assert!(printed.contains(line), "{line:?} is missing in {printed}");
    }
    for id in world.sim.tenant().user_ids() {
        let trail = world.trail(UserId::from_uuid(id)).await;
        assert_eq!(
            trail.last().and_then(|newest| newest.entry.seen.sha256).map(|sha256| sha256.to_string()),
            world.sim.tenant().shown(id).unwrap().sha256()
        );
    }
    let again = text(&photorelay(&world, &["sweep"], &[]).await.stdout);
    assert!(again.contains("looked at       120"), "{again}");
    world.end_with_leftovers().await;
}

/// A first fill under way.
fn first_sweep(world: &World) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_photorelay"));
    command.args(["sweep", "--first"]).env_clear().envs(settings(world)).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn the_first_sweep_fetches_photos_while_the_tenant_is_still_being_listed() {
    let sim = graph_sim::SimConfig { users: 120, with_photo: 0.1, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let page = || RequestPattern::new("GET", "/v1.0/users/delta");
    let first_page = world.sim.hold(page(), HoldPoint::After);
    let child = first_sweep(&world);
    first_page.arrived().await;
    let last_page = world.sim.hold(page(), HoldPoint::Before);
    first_page.release();
    last_page.arrived().await;
    let users: Vec<UserId> = world.sim.tenant().user_ids().into_iter().map(UserId::from_uuid).collect();
    until(async || {
        let trails = futures::future::join_all(users.iter().map(|user| world.trail(*user))).await;
        trails.iter().any(|trail| !trail.is_empty())
    })
    .await;

    last_page.release();
    let output = child.wait_with_output().await.unwrap();
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed.contains("looked at       120, "), "{printed}{}", text(&output.stderr));
    for user in users {
        let has_photo = world.sim.tenant().photo(guid(user)).is_some();
        assert_eq!(world.trail(user).await.len(), usize::from(has_photo), "{user}");
    }
    let fetched = &world.sim.requests().counters["batch GET /v1.0/users/{id}"];
    assert!(*fetched <= 120, "{fetched}: no user is checked twice");
    world.end_with_leftovers().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_first_sweep_that_is_interrupted_pauses_and_goes_on() {
    let listing = RequestPattern::new("GET", "/v1.0/users/delta");
    assert!(interrupted_at(listing, HoldPoint::After).await.starts_with("paused: the same command goes on"));
    let fetching = RequestPattern::new("GET", "/v1.0/users/*/photo/$value");
    assert!(interrupted_at(fetching, HoldPoint::Before).await.contains("paused: the same command goes on"));
}

/// What a first fill prints that is interrupted during this call. The next one fills the rest.
#[cfg(unix)]
async fn interrupted_at(call: RequestPattern, point: HoldPoint) -> String {
    let sim = graph_sim::SimConfig { users: 120, with_photo: 0.3, ..Default::default() };
    let world = World::with(Setup { sim, subscribe: false, ..Setup::default() }).await;
    let hold = world.sim.hold(call, point);
    let child = first_sweep(&world);
    hold.arrived().await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    hold.release();
    let paused = child.wait_with_output().await.unwrap();
    assert!(paused.status.success(), "{}", text(&paused.stderr));

    let rest = photorelay(&world, &["sweep", "--first"], &[]).await;
    let printed = text(&rest.stdout);
    assert!(printed.contains("filled"), "{printed}{}", text(&rest.stderr));
    for id in world.sim.tenant().user_ids() {
        let trail = world.trail(UserId::from_uuid(id)).await;
        assert_eq!(trail.len(), usize::from(world.sim.tenant().photo(id).is_some()), "{id}");
    }
    world.end_with_leftovers().await;
    text(&paused.stdout)
}
