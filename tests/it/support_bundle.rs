//! `photorelay support-bundle`: what support needs to see, and nothing about a person.

use jiff::Timestamp;
use serde_json::Value;
use testkit::process::text;
use testkit::world::{CLIENT_STATE, Setup, World, fixture, guid};

use crate::commands::{photorelay, photorelay_with};
use crate::telemetry::leaks::NeverPrinted;
use crate::watch::heartbeat_of;

#[tokio::test]
async fn a_support_bundle_shows_the_system_and_nothing_about_a_person() {
    let sim = graph_sim::SimConfig { users: 20, ..Default::default() };
    let world = World::with(Setup { sim, ..Setup::default() }).await;
    // A photo that is refused, one that waits for an operator, and a user who is in the settings.
    let (refused, held, chosen) = (world.user(0), world.user(1), world.user(2));
    let account = world.sim.tenant().user(guid(held)).unwrap().on_premises_sam_account_name.unwrap().to_lowercase();
    std::fs::write(world.dir().join("written").join(format!("{account}.jpg")), fixture("cat-648.jpg")).unwrap();
    world.sim.tenant().set_raw_photo(guid(refused), "<html>no photo</html>", "image/jpeg").unwrap();
    world.sim.tenant().change_photo(guid(held)).unwrap();
    world.settle().await;
    heartbeat_of(&world, "agent-1", Timestamp::now()).await;

    let scope = [("PHOTORELAY_SCOPE_USERS", chosen.to_string())];
    let scope = scope.each_ref().map(|(name, value)| (*name, value.as_str()));
    let output = photorelay_with(&world, &["support-bundle", "-"], &scope).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = NeverPrinted::of(&world.sim, &[CLIENT_STATE]).found_in(&output.stdout);
    assert!(found.is_empty(), "{found:#?}");
    let printed = text(&output.stdout);
    for id in world.sim.tenant().user_ids() {
        assert!(!printed.contains(&id.to_string()), "{id}");
    }
    assert!(!printed.contains(&world.sim.tenant_id().to_string()));

    let bundle: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&bundle["v"], &bundle["version"]), (&1.into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(bundle["status"]["targets"][0]["agents"][0]["agent"], "agent-1");
    assert!(bundle["status"]["checks"]["waiting"].is_number(), "{printed}");
    assert!(bundle["doctor"].as_array().is_some_and(|checks| checks.len() > 5), "{printed}");
    assert!(bundle["configuration"].to_string().contains("renditions"), "{printed}");

    let file = world.dir().join("bundle.json");
    let output = photorelay(&world, &["support-bundle", file.to_str().unwrap()], &[]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(std::fs::read_to_string(file).unwrap().contains("\"doctor\""));
    world.end().await;
}
