//! What infra/ names is what the code names: queues, containers, settings, functions, alerts, permissions. A name that
//! is changed on one side only fails here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use photorelay_core::names::{self, CHECKS_QUEUE, Container, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE};
use photorelay_core::settings::SETTINGS;
use serde_json::Value;
use xtask::bicep::{BicepFile, plain_string};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn bicep(path: &str) -> BicepFile {
    BicepFile::read(&root().join("infra").join(path)).unwrap()
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

/// Words with this prefix, made of letters, digits and underscores.
pub(crate) fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect()
}

#[test]
fn queues_and_containers_are_those_of_the_code() {
    let main = bicep("main.bicep");
    let variables = |suffix: &str| -> BTreeSet<&str> {
        let named = main.variables().into_iter().filter(|(name, _)| name.ends_with(suffix));
        named.filter_map(|(_, value)| plain_string(value)).collect()
    };
    assert_eq!(variables("Queue"), BTreeSet::from([CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE, WRITEBACKS_QUEUE]));
    assert_eq!(variables("Container"), Container::ALL.iter().map(|container| container.as_str()).collect());
    let other_target = names::writebacks_queue("TARGET").replace(WRITEBACKS_QUEUE, "").replace("TARGET", "");
    let other_queue = format!("${{writebacksQueue}}{other_target}${{target.name}}");
    assert!(main.strings().contains(other_queue.as_str()), "other targets' queues");
    let poison = names::poison_queue("QUEUE").replace("QUEUE", "");
    let poison_queue = format!("${{queueName}}{poison}");
    assert!(bicep("modules/storage.bicep").strings().contains(poison_queue.as_str()), "poison queues");
}

#[test]
fn every_queue_that_a_function_listens_on_is_made_and_may_be_worked_on() {
    let manifest: Value = serde_json::from_str(&text("function.json")).unwrap();
    let functions = manifest["functions"].as_object().unwrap();
    let bindings = functions.values().flat_map(|function| function["bindings"].as_array().unwrap());
    let queues: BTreeSet<&str> = bindings.filter_map(|binding| binding["queueName"].as_str()).collect();
    assert_eq!(queues, BTreeSet::from([CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE]));
    let main = bicep("main.bicep");
    let (_, worked) = main.properties().into_iter().find(|(name, _)| *name == "workedQueues").unwrap();
    let worked: BTreeSet<&str> = worked.split_whitespace().collect();
    for queue in ["checksQueue", "subscriptionsQueue"] {
        assert!(worked.contains(queue), "{queue}");
        assert!(worked.contains(format!("'${{{queue}}}-poison'").as_str()), "{queue}-poison");
    }
}

#[test]
fn every_setting_of_the_template_is_one_that_the_program_reads() {
    let app = bicep("modules/function-app.bicep");
    let settings = app.properties().into_iter().map(|(name, _)| name);
    let (set, storage): (BTreeSet<&str>, BTreeSet<&str>) = settings
        .filter(|name| name.starts_with("PHOTORELAY_") || name.starts_with("PhotoStorage__"))
        .partition(|name| name.starts_with("PHOTORELAY_"));
    let code = sources(&root().join("src")) + &sources(&root().join("crates/photorelay-core/src"));
    let known = words(&code, "PHOTORELAY_");
    assert!(set.len() > 5, "{set:?}");
    let unknown: Vec<_> = set.difference(&known).collect();
    assert!(unknown.is_empty(), "the template sets what the program does not read: {unknown:?}");
    for needed in ["PHOTORELAY_TENANT_ID", "PHOTORELAY_CLIENT_ID", "PHOTORELAY_CLIENT_STATE", "PHOTORELAY_PUBLIC_URL"] {
        assert!(set.contains(needed), "{needed}");
    }
    assert!(!storage.is_empty());
    for name in storage {
        assert!(code.contains(name), "the template sets {name}, which the program does not read");
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
    assert!(unknown.is_empty(), "the sample sets what the agent does not read: {unknown:?}");
    assert!(sample.contains("\nPHOTORELAY_DRY_RUN=true\n"), "the sample begins as a dry run");
}

#[test]
fn the_list_of_settings_is_what_the_programs_read() {
    let folders = ["src", "crates/photorelay-core/src", "crates/photorelay-agent/src"];
    let code: String = folders.iter().map(|folder| sources(&root().join(folder))).collect();
    let is_name = |word: &&str| {
        word.starts_with("PHOTORELAY_")
            && !word.ends_with('_')
            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let quoted: Vec<&str> = code.split('"').filter(is_name).collect();
    let unlisted: BTreeSet<&&str> = quoted.iter().filter(|name| !SETTINGS.contains(name)).collect();
    let mistyped = [
        "PHOTORELAY_DRYRUN",
        "PHOTORELAY_FOO",
        "PHOTORELAY_LDAP_URL",
        "PHOTORELAY_TENANTID",
        "PHOTORELAY_WRITE_PER_DAY",
    ];
    let unlisted: Vec<_> = unlisted.into_iter().filter(|name| !mistyped.contains(name)).collect();
    assert_eq!(unlisted, [&"PHOTORELAY_TEST_SEED"], "settings/known.rs lacks them");
    for name in SETTINGS {
        let read_as = name.strip_suffix("_FILE").filter(|secret| SETTINGS.contains(secret)).unwrap_or(name);
        // Once is the list itself.
        let times = quoted.iter().filter(|quoted| **quoted == read_as).count();
        assert!(times > 1, "settings/known.rs lists {name}, which nothing reads");
    }
}

#[test]
fn alerts_are_those_that_the_watchdog_logs_and_that_the_runbook_explains() {
    let alerts = bicep("modules/alerts.bicep");
    let signals = alerts.plain_values("word");
    let watchdog = sources(&root().join("src/jobs/watch"));
    let logged: BTreeSet<&str> = watchdog
        .lines()
        .filter_map(|line| line.trim().strip_prefix("alert(\"").or_else(|| line.trim().strip_prefix("alert = \"")))
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(signals, logged);
    let runbook = text("docs/runbook.md");
    let queries = alerts.plain_values("name").into_iter().filter(|name| *name != "operators");
    for alert in signals.into_iter().chain(queries) {
        assert!(runbook.contains(&format!("\n## {alert}\n")), "docs/runbook.md does not explain {alert}");
    }
}

#[test]
fn what_the_alerts_query_is_exempt_from_sampling() {
    let host: Value = serde_json::from_str(&text("host.json")).unwrap();
    let sampling = &host["logging"]["applicationInsights"]["samplingSettings"];
    let exempt: BTreeSet<&str> = sampling["excludedTypes"].as_str().unwrap().split(';').collect();
    let alerts = text("infra/modules/alerts.bicep");
    let tables = words(&alerts, "App");
    assert!(tables.contains("AppTraces") && tables.contains("AppRequests"), "{tables:?}");
    for table in tables {
        // A table is named after its type, in the plural.
        let kind = table.trim_start_matches("App").trim_end_matches('s');
        assert!(exempt.contains(kind), "alerts query {table}, and host.json lets a part of it be lost");
    }
}

#[test]
fn the_queries_of_alerts_name_functions_that_exist() {
    let manifest: Value = serde_json::from_str(&text("function.json")).unwrap();
    let alerts = bicep("modules/alerts.bicep");
    let named = alerts.strings().into_iter().filter_map(|query| query.split_once("Name == \""));
    let named: Vec<&str> = named.map(|(_, rest)| rest.split('"').next().unwrap()).collect();
    assert!(!named.is_empty());
    for function in named {
        assert!(manifest["functions"].get(function).is_some(), "{function}");
    }
}

#[test]
fn the_trail_and_receipts_are_created_and_never_overwritten() {
    let main = bicep("main.bicep");
    let created = main.properties().into_iter().filter(|(name, _)| *name == "createdContainers");
    let created: Vec<&str> = created.map(|(_, value)| value.trim_matches(['[', ']', ' ', '\n'])).collect();
    let whose = "of the function, of the agent and of operators";
    assert_eq!(created, ["auditContainer", "receiptsContainer", "auditContainer"], "{whose}");
    let written = main.properties().into_iter().filter(|(name, _)| *name == "writtenContainers");
    for (_, containers) in written {
        assert!(!containers.contains("auditContainer") && !containers.contains("receiptsContainer"), "{containers}");
    }
    assert_eq!(blob_actions(&bicep("modules/create-only-role.bicep")), BTreeSet::from(["read", "add/action"]));
}

/// What a custom role may do with blobs.
fn blob_actions(role: &BicepFile) -> BTreeSet<&str> {
    role.strings().into_iter().filter_map(|name| name.rsplit_once("/blobs/")).map(|(_, action)| action).collect()
}

#[test]
fn readers_change_nothing_and_operators_store_no_photo() {
    let access = bicep("modules/operator-access.bicep");
    // Each assignment that a reader has too is of a role that only reads.
    let source = text("infra/modules/operator-access.bicep");
    let assignments = source.split("\nresource ").filter(|resource| resource.contains("roleAssignments@"));
    let (for_operators, for_all): (Vec<&str>, Vec<&str>) =
        assignments.partition(|assignment| assignment.contains("if (acts)"));
    assert_eq!((for_operators.len(), for_all.len()), (6, 3));
    let erasing = source.split("\nresource ").find(|resource| resource.starts_with("erasing ")).unwrap();
    assert!(erasing.contains("StringLike \\'*.before\\'") && erasing.contains("scope: receipts"), "{erasing}");
    for assignment in for_all {
        let role = assignment.rsplit_once("roles.").map(|(_, role)| role.split(')').next().unwrap()).unwrap();
        assert!(role.ends_with("Reader"), "{role}");
    }
    assert_eq!(blob_actions(&bicep("modules/delete-only-role.bicep")), BTreeSet::from(["read", "delete"]));
    let main = bicep("main.bicep");
    let deleted = main.properties().into_iter().find(|(name, _)| *name == "deletedContainers").unwrap().1;
    assert!(deleted.contains("photosContainer") && !deleted.contains("auditContainer"), "{deleted}");
    let names = access.strings();
    assert!(!names.iter().any(|name| name.contains("Owner")), "{names:?}");
}

#[test]
fn permissions_in_graph_are_those_that_the_program_says_it_needs() {
    let doctor = text("src/operate/doctor/token.rs");
    let template = bicep("graph/function-roles.bicep");
    let template = template.strings();
    let script = text("infra/scripts/grant-graph-roles.sh");
    for role in ["User.Read.All", "ProfilePhoto.Read.All", "GroupMember.Read.All"] {
        assert!(doctor.contains(&format!("\"{role}\"")) && template.contains(role), "{role}");
        assert!(script.contains(role), "{role}");
    }
    let writes = template.iter().any(|name| name.contains("ReadWrite"));
    assert!(!writes, "the function never writes to Microsoft 365");
}
