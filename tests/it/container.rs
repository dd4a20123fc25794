//! The images, the trial and the manifests of infra/container: their names are those of the code, and the settings of the
//! trial carry a photo when the same programs run without a container.

use std::net::TcpListener;

use photorelay::host::manifest::{Manifest, Trigger};
use photorelay_core::names::CHECKS_QUEUE;
use testkit::process::{Program, until};
use testkit::world::{Setup, Store, World, fixture, guid};

use crate::infra::{root, sources, text, words};

/// The settings below this line of the compose file, down to the next line that is not further in.
fn settings(compose: &str, section: &str) -> Vec<(String, String)> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = compose.lines().skip_while(|line| line.trim_end() != section);
    let outer = depth(lines.next().unwrap_or_else(|| panic!("{section} is missing")));
    let inner = lines.take_while(|line| line.trim().is_empty() || depth(line) > outer);
    let settings = inner.filter_map(|line| line.trim().split_once(": "));
    let settings = settings.filter(|(name, _)| name.starts_with("PHOTORELAY_") || name.starts_with("PhotoStorage__"));
    settings.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

#[test]
fn every_setting_is_one_that_a_program_reads() {
    let code = ["src", "crates/photorelay-core/src", "crates/photorelay-agent/src"];
    let code: String = code.iter().map(|folder| sources(&root().join(folder))).collect();
    for file in ["Dockerfile", "compose.yaml", "kubernetes.yaml"] {
        let file = text(&format!("infra/container/{file}"));
        let names = &words(&file, "PHOTORELAY_") | &words(&file, "PhotoStorage__");
        assert!(!names.is_empty());
        for name in names {
            let known = [name, name.strip_suffix("_FILE").unwrap_or(name)];
            assert!(known.iter().any(|name| code.contains(&format!("\"{name}\""))), "nobody reads {name}");
        }
    }
}

#[test]
fn workers_have_no_timer_and_as_many_run_as_checks_wait() {
    let manifests = text("infra/container/kubernetes.yaml");
    assert!(manifests.contains(&format!("queueName: {CHECKS_QUEUE}\n")));
    let worker = manifests.split("---").find(|part| part.contains("part: worker")).unwrap();
    for function in Manifest::built_in().unwrap().functions {
        let is_off = worker.contains(&format!("name: AzureWebJobs.{}.Disabled", function.name));
        assert_eq!(is_off, matches!(function.trigger, Trigger::Timer { .. }), "{}", function.name);
    }
}

/// An older Azurite refuses the service version that the SDK sends.
#[test]
fn the_trial_runs_the_azurite_that_the_tests_run() {
    let pinned: serde_json::Value = serde_json::from_str(&text("crates/xtask/azurite/package.json")).unwrap();
    let version = pinned["dependencies"]["azurite"].as_str().unwrap();
    let compose = text("infra/container/compose.yaml");
    assert!(compose.contains(&format!("/azurite:{version}\n")), "compose.yaml does not pin {version}");
}

#[test]
fn images_hold_programs_that_are_built() {
    let images = text("infra/container/Dockerfile");
    let copied: Vec<&str> = images.split("target/dist/").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(copied, ["photorelay", "photorelay-agent", "graph-sim"]);
    for program in copied {
        assert!(images.contains(&format!("--package {program} ")), "{program} is not built");
        assert!(images.contains(&format!("ENTRYPOINT [\"/usr/local/bin/{program}\"]")), "{program} is not started");
    }
}

#[tokio::test]
async fn the_settings_of_the_trial_carry_a_photo() {
    let world = World::with(Setup { store: Store::Azurite, subscribe: false, ..Setup::default() }).await;
    let azurite = world.azurite.as_ref().unwrap();
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (graph, written) = (world.sim.graph_url(), world.dir().join("written").display().to_string());
    // The trial's addresses are those of one network; here everything has its own.
    let moved = |(name, value): (String, String)| {
        let value = value.replace("127.0.0.1:10000", azurite.blob.authority());
        let value = value.replace("127.0.0.1:10001", azurite.queue.authority()).replace("127.0.0.1:7071", &own);
        let value = value.replace("http://127.0.0.1:7999", graph.strip_suffix("/v1.0").unwrap());
        (name, value.replace("/written", &written))
    };
    let compose = text("infra/container/compose.yaml");
    let of = |service: &str| -> Vec<(String, String)> {
        let shared = settings(&compose, "x-storage: &storage");
        shared.into_iter().chain(settings(&compose, service)).map(moved).collect()
    };
    let function = Program::photorelay_with(of("  function:"));
    let agent = Program::agent_with(of("  agent:"));
    function.brings("a subscription", until(async || world.sim.subscriptions().len() == 1)).await;
    let user = world.user(0);
    world.sim.tenant().set_photo(guid(user), &fixture("astronaut-240.jpg")).unwrap();
    function.brings("the notification", world.sim.flush()).await;
    agent.brings("a photo in the folder", until(async || world.written(user).is_some())).await;
    assert!(world.shows_newest(user).await);
}
