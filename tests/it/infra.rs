//! What infra/ names is what the code names: queues, containers, settings, functions, alerts, permissions. A name that
//! is changed on one side only fails here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use photorelay_core::names::{self, CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE};
use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The values of `var {something}{suffix} = '...'` in the main template.
fn variables(suffix: &str) -> BTreeSet<String> {
    let main = text("infra/main.bicep");
    let variables = main.lines().filter_map(|line| line.strip_prefix("var ")?.split_once(" = '"));
    let wanted = variables.filter(|(name, _)| name.ends_with(suffix));
    wanted.map(|(_, value)| value.trim_end_matches('\'').to_owned()).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// Everything in the sources below a folder.
pub(crate) fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all += &std::fs::read_to_string(&path).unwrap();
        }
    }
    all
}

/// Words that begin so, made of letters, digits and underscores.
pub(crate) fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect()
}

#[test]
fn queues_and_containers_are_those_of_the_code() {
    assert_eq!(variables("Queue"), set([CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE]));
    assert_eq!(variables("Container"), Container::ALL.iter().map(|container| container.as_str().to_owned()).collect());
    let main = text("infra/main.bicep");
    let other_target = names::writebacks_queue("TARGET").replace(WRITEBACKS_QUEUE, "").replace("TARGET", "");
    assert!(main.contains(&format!("'${{writebacksQueue}}{other_target}${{target.name}}'")), "other targets' queues");
    let poison = names::poison_queue("QUEUE").replace("QUEUE", "");
    assert!(text("infra/modules/storage.bicep").contains(&format!("'${{queueName}}{poison}'")), "poison queues");
}

#[test]
fn every_queue_that_a_function_listens_on_is_made_and_may_be_worked_on() {
    let manifest: Value = serde_json::from_str(&text("function.json")).unwrap();
    let functions = manifest["functions"].as_object().unwrap();
    let bindings = functions.values().flat_map(|function| function["bindings"].as_array().unwrap());
    let queues: BTreeSet<&str> = bindings.filter_map(|binding| binding["queueName"].as_str()).collect();
    assert_eq!(queues, BTreeSet::from([CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE]));
    let main = text("infra/main.bicep");
    let worked = main.split("workedQueues: [").nth(1).unwrap().split(']').next().unwrap();
    for queue in ["checksQueue", "subscriptionsQueue"] {
        assert!(worked.contains(&format!("      {queue}\n")), "{queue}");
        assert!(worked.contains(&format!("'${{{queue}}}-poison'")), "{queue}-poison");
    }
}

#[test]
fn every_setting_of_the_template_is_one_that_the_program_reads() {
    let app = text("infra/modules/function-app.bicep");
    let code = sources(&root().join("src")) + &sources(&root().join("crates/photorelay-core/src"));
    let known = words(&code, "PHOTORELAY_");
    let set: BTreeSet<&str> = words(&app, "PHOTORELAY_").into_iter().collect();
    assert!(set.len() > 5, "{set:?}");
    let unknown: Vec<_> = set.difference(&known).collect();
    assert!(unknown.is_empty(), "the template sets what nobody reads: {unknown:?}");
    for needed in ["PHOTORELAY_TENANT_ID", "PHOTORELAY_CLIENT_ID", "PHOTORELAY_CLIENT_STATE", "PHOTORELAY_PUBLIC_URL"] {
        assert!(set.contains(needed), "{needed}");
    }
    for name in words(&app, "PhotoStorage__") {
        assert!(code.contains(name), "the template sets {name}, which nobody reads");
    }
}

#[test]
fn every_setting_of_the_agents_sample_is_one_that_the_agent_reads() {
    let sample = text("infra/agent/agent.env") + &text("infra/agent/photorelay-agent.service");
    let code =
        sources(&root().join("crates/photorelay-agent/src")) + &sources(&root().join("crates/photorelay-core/src"));
    let names = words(&sample, "PHOTORELAY_").into_iter().chain(words(&sample, "PhotoStorage__"));
    let unknown: Vec<&str> = names
        .filter(|name| !code.contains(name.strip_suffix("_FILE").unwrap_or(name)) && !code.contains(name))
        .collect();
    assert!(unknown.is_empty(), "the sample sets what nobody reads: {unknown:?}");
    assert!(sample.contains("\nPHOTORELAY_DRY_RUN=true\n"), "the sample begins as a dry run");
}

#[test]
fn alerts_are_those_that_the_watchdog_logs_and_that_the_runbook_explains() {
    let bicep = text("infra/modules/alerts.bicep");
    let quoted = |key: &str| -> BTreeSet<String> {
        let lines = bicep.lines().filter_map(|line| line.trim().strip_prefix(&format!("{key}: '")));
        lines.map(|value| value.trim_end_matches('\'').to_owned()).filter(|value| !value.contains('$')).collect()
    };
    let signals = quoted("word");
    let watchdog = text("src/jobs/watch/alerts.rs");
    let logged: BTreeSet<String> = watchdog
        .lines()
        .filter_map(|line| line.trim().strip_prefix("alert(\""))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert_eq!(signals, logged);
    let runbook = text("docs/runbook.md");
    let queries = quoted("name").into_iter().filter(|name| !name.starts_with("ag-") && name != "operators");
    for alert in signals.into_iter().chain(queries) {
        assert!(runbook.contains(&format!("\n## {alert}\n")), "docs/runbook.md does not explain {alert}");
    }
}

#[test]
fn the_queries_of_alerts_name_functions_that_exist() {
    let manifest: Value = serde_json::from_str(&text("function.json")).unwrap();
    let alerts = text("infra/modules/alerts.bicep");
    let named = alerts.split("Name == \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let named: Vec<&str> = named.collect();
    assert!(!named.is_empty());
    for function in named {
        assert!(manifest["functions"].get(function).is_some(), "{function}");
    }
}

#[test]
fn permissions_in_graph_are_those_that_the_program_says_it_needs() {
    let doctor = text("src/operate/doctor/token.rs");
    let template = text("infra/graph/function-roles.bicep");
    let script = text("infra/scripts/grant-graph-roles.sh");
    for role in ["User.Read.All", "ProfilePhoto.Read.All", "GroupMember.Read.All"] {
        assert!(doctor.contains(&format!("\"{role}\"")) && template.contains(&format!("'{role}'")), "{role}");
        assert!(script.contains(role), "{role}");
    }
    assert!(!template.contains("ReadWrite"), "nothing in Microsoft 365 is ever written by the function");
}
