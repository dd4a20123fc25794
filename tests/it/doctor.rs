//! `photorelay doctor` and `photorelay probe`: what they say of a tenant, and that they leave it as it was.

use std::process::Output;
use std::sync::Arc;

use graph_sim::{NotificationMode, SimConfig, SimPhotoSettings, SimPhotoSource, roles};
use photorelay_core::contract::EntryKind;
use serde_json::Value;
use testkit::answers::assert_documented;
use testkit::process::text;
use testkit::world::{Setup, World, fixture, guid};

use crate::commands::{photorelay, photorelay_with};

#[tokio::test]
async fn doctor_finds_nothing_wrong_where_everything_is_right() {
    let world = World::with(Setup {
        sim: sim(&[roles::USER_READ, roles::PHOTO_READ, roles::PEOPLE_SETTINGS_READ]),
        ..Setup::default()
    })
    .await;
    let cloud = SimPhotoSettings { source: Some(SimPhotoSource::Cloud), ..Default::default() };
    world.sim.set_photo_update_settings(cloud);
    world.sim.tenant().change_photo(guid(world.user(0))).unwrap();
    world.settle().await;
    let user = world.user(0).to_string();
    let output = photorelay(&world, &["doctor", &user], &[]).await;
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    for word in ["configuration", "token", "roles", "container audit", "queue photo-checks", "endpoint lifecycle"] {
        assert!(printed.contains(word), "{word} is missing in\n{printed}");
    }
    assert!(printed.contains("is in scope") && printed.contains("1 entry"), "{printed}");
    // The simulator cannot be called from the internet.
    assert!(printed.ends_with("0 errors, 2 warnings\n"), "{printed}");
    world.end().await;
}

#[tokio::test]
async fn doctor_names_each_trouble_with_its_mend_and_one_does_not_hide_the_others() {
    let wrong = &[roles::USER_READ, roles::PHOTO_READ, roles::USER_WRITE, roles::PEOPLE_SETTINGS_READ];
    let world = World::with(Setup { sim: sim(wrong), subscribe: false, ..Setup::default() }).await;
    let on_premises = SimPhotoSettings { source: Some(SimPhotoSource::OnPremises), ..Default::default() };
    world.sim.set_photo_update_settings(on_premises);
    let output = photorelay(&world, &["doctor", "--json", &uuid::Uuid::nil().to_string()], &[]).await;
    assert_eq!(output.status.code(), Some(2));
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
    let level = |check: &str| {
        let found = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("{check} is missing in {findings:#}"));
        assert!(found["level"] == "ok" || found["mend"].is_string(), "{found}");
        found["level"].as_str().unwrap().to_owned()
    };
    let checks = ["roles", "subscription", "photoUpdateSettings", "user", "token", "container state"];
    assert_eq!(checks.map(level), ["warning", "error", "error", "error", "ok", "ok"]);
    world.end().await;

    let world = World::start().await;
    let output = photorelay(&world, &["doctor"], &["PHOTORELAY_CLIENT_STATE", "PHOTORELAY_TENANT_ID"]).await;
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2));
    assert!(printed.contains("configuration              PHOTORELAY_TENANT_ID is missing; correct"), "{printed}");
    assert!(!printed.contains("PHOTORELAY_CLIENT_STATE"), "an operator's machine needs no secret of Graph: {printed}");
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_probe_sees_the_notification_and_puts_the_photo_back() {
    let world = World::with(Setup { sim: sim(&[roles::USER_READ, roles::PHOTO_WRITE]), ..Setup::default() }).await;
    for at in 0..2 {
        let user = world.user(at);
        if at == 0 {
            world.sim.tenant().set_photo(guid(user), &fixture("astronaut-648.jpg")).unwrap();
        } else {
            world.sim.tenant().remove_photo(guid(user)).unwrap();
        }
        world.settle().await;
        let before = world.trail(user).await.len();
        let output = probe(&world, &user.to_string(), "60").await;
        let printed = text(&output.stdout);
        assert!(output.status.success(), "{printed}{}", text(&output.stderr));
        assert!(printed.contains("\nnotified") && printed.contains("put back"), "{printed}");
        world.settle().await;
        assert!(world.trail(user).await.len() > before);
        assert_eq!(world.sim.tenant().photo(guid(user)).is_some(), at == 0, "what was there before is there again");
    }
    let shown = world.trail(world.user(0)).await.pop().unwrap().entry;
    assert_eq!(shown.kind, EntryKind::Captured);
    assert!(world.shows_newest(world.user(0)).await);
    world.end_with_leftovers().await;
}

#[tokio::test]
async fn a_probe_says_that_nothing_notified_and_that_a_missing_role_changed_nothing() {
    let mut silent = sim(&[roles::USER_READ, roles::PHOTO_WRITE]);
    silent.settings.notify = NotificationMode::Never;
    let world = World::with(Setup { sim: silent, ..Setup::default() }).await;
    let output = probe(&world, &world.user(0).to_string(), "1").await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).contains("NOT NOTIFIED"), "{}", text(&output.stdout));
    let output = photorelay(&world, &["probe", &world.user(0).to_string(), "--wait", "0", "--json"], &[]).await;
    let answer = assert_documented("photorelay probe", &output.stdout);
    assert_eq!((output.status.code(), &answer["outcome"]["is"]), (Some(2), &"notFound".into()));
    world.end_with_leftovers().await;

    let world = World::start().await;
    let user = world.user(0);
    let before = world.sim.tenant().photo(guid(user));
    let output = probe(&world, &user.to_string(), "1").await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("ProfilePhoto.ReadWrite.All"), "{}", text(&output.stderr));
    assert_eq!(world.sim.tenant().photo(guid(user)), before);
    world.end_with_leftovers().await;
}

fn sim(roles: &[&str]) -> SimConfig {
    let mut sim = SimConfig { users: 3, ..SimConfig::default() };
    sim.app.roles = roles.iter().map(|role| (*role).to_owned()).collect();
    sim
}

/// Runs the probe while the world's own function works.
async fn probe(world: &World, user: &str, wait: &str) -> Output {
    let arguments = ["probe", user, "--wait", wait];
    let probing = photorelay(world, &arguments, &[]);
    let done = Arc::new(tokio::sync::Notify::new());
    let working = async {
        loop {
            world.sim.flush().await;
            world.app.pump.drain().await.unwrap();
            tokio::select! {
                () = done.notified() => return,
                () = tokio::task::yield_now() => {}
            }
        }
    };
    let probing = async {
        let output = probing.await;
        done.notify_one();
        output
    };
    tokio::join!(probing, working).0
}

#[tokio::test]
async fn a_machine_without_ca_certificates_gets_the_one_advice_that_helps() {
    let world = World::start().await;
    let none = world.dir().join("no-certificates.pem").display().to_string();
    std::fs::write(&none, "").unwrap();
    let without = [("SSL_CERT_FILE", none.as_str()), ("SSL_CERT_DIR", none.as_str())];
    let azure = [
        ("PhotoStorage__path", ""),
        ("PhotoStorage__blobServiceUri", "https://photorelay.blob.core.windows.net"),
        ("PhotoStorage__queueServiceUri", "https://photorelay.queue.core.windows.net"),
    ];
    for other in [without.to_vec(), [&without[..], &azure].concat()] {
        let output = photorelay_with(&world, &["doctor", "--json"], &other).await;
        assert_eq!(output.status.code(), Some(2));
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<&Value> =
            findings.as_array().unwrap().iter().filter(|finding| finding["level"] == "error").collect();
        let helps = |finding: &&Value| finding["mend"].as_str().unwrap().contains("ca-certificates");
        let tls = |finding: &&&Value| finding["says"].as_str().unwrap().contains("certificate");
        assert!(errors.iter().any(helps), "{findings:#}");
        for wrong in ["correct the credential", "correct PhotoStorage", "Graph needs 200"] {
            let misled = errors.iter().filter(tls).find(|finding| finding["mend"].as_str().unwrap().contains(wrong));
            assert!(misled.is_none() && !findings.to_string().contains("builder error"), "{wrong}: {findings:#}");
        }
        let output = photorelay_with(&world, &["status"], &other).await;
        let printed = text(&output.stderr);
        assert!(printed.contains("ca-certificates") && !printed.contains("credential is not usable"), "{printed}");
    }
    world.end().await;
}
