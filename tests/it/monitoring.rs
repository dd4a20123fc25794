//! The queries of infra/monitoring look for what the programs log: messages, fields and metrics. `cargo xtask infra`
//! parses them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::infra::{root, sources, text, words};

/// The queries by the names of their files.
fn queries() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root().join("infra/monitoring")).unwrap().map(|file| file.unwrap().path());
    let queries = files.filter(|path| path.extension().is_some_and(|extension| extension == "kql"));
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().display().to_string(), std::fs::read_to_string(&path).unwrap())
    };
    let queries: Vec<_> = queries.map(read).collect();
    assert!(queries.len() > 5, "{queries:?}");
    queries
}

/// What stands between these two, wherever it does.
fn between<'a>(text: &'a str, before: &str, after: &str) -> BTreeSet<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split(after).next().unwrap()).collect()
}

/// The members of a log line that a query reads, except the message.
fn members(query: &str) -> BTreeSet<&str> {
    let plain = query
        .split("Line.")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap());
    plain.filter(|member| *member != "message").chain(between(query, "Line[\"", "\"]")).collect()
}

fn all_sources() -> String {
    ["src", "crates/photorelay-core/src", "crates/photorelay-agent/src"]
        .map(|folder| sources(&root().join(folder)))
        .concat()
}

/// The event of the sources with this message, from its macro to the message.
fn event<'a>(sources: &'a str, message: &str) -> &'a str {
    let end = sources.find(&format!("\"{message}\"\n")).or_else(|| sources.find(&format!("\"{message}\")")));
    let end = end.unwrap_or_else(|| panic!("no program logs `{message}`"));
    let macros = ["tracing::info!(", "tracing::warn!(", "tracing::error!("];
    let start = macros.iter().filter_map(|name| sources[..end].rfind(name)).max().unwrap();
    &sources[start..end]
}

#[test]
fn every_message_that_a_query_looks_for_is_logged_with_the_fields_that_it_reads() {
    let sources = all_sources();
    let mut seen = 0;
    for (name, query) in queries() {
        for message in between(&query, "Line.message == \"", "\"") {
            seen += 1;
            let event = event(&sources, message);
            let logged: BTreeSet<&str> =
                event.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').collect();
            let unknown: Vec<&str> = members(&query).into_iter().filter(|member| !logged.contains(member)).collect();
            assert!(unknown.is_empty(), "{name} reads {unknown:?}, which `{message}` has not: {event}");
        }
    }
    assert!(seen > 5);
}

#[test]
fn every_metric_that_a_query_reads_is_measured() {
    let metrics = text("crates/photorelay-core/src/telemetry/metrics.rs");
    let mut seen = 0;
    for (name, query) in queries() {
        let (read, labels): (Vec<&str>, Vec<&str>) =
            members(&query).into_iter().partition(|member| member.contains(".photorelay."));
        for metric in &read {
            seen += 1;
            let measured = metrics.contains(&format!("{metric} = "));
            assert!(measured, "{name} reads {metric}, which metrics.rs does not name");
            for label in &labels {
                assert!(words(&metrics, label.get(..1).unwrap()).contains(label), "{name} reads {label}");
            }
        }
        for mentioned in between(&query, "has \"photorelay.", "\"") {
            assert!(read.iter().any(|metric| metric.ends_with(mentioned)), "{name} looks for {mentioned}");
        }
    }
    assert!(seen > 1);
}

#[test]
fn the_requests_that_a_query_counts_are_those_of_functions() {
    let manifest: Value = serde_json::from_str(&text("function.json")).unwrap();
    let query = text("infra/monitoring/notifications.kql");
    let named = between(&query, "Name in (", ")").into_iter().next().unwrap();
    for function in named.split(", ").map(|name| name.trim_matches('"')) {
        assert!(manifest["functions"].get(function).is_some(), "{function}");
    }
}

#[test]
fn no_part_of_what_a_query_reads_is_lost_by_sampling() {
    let host: Value = serde_json::from_str(&text("host.json")).unwrap();
    let exempt = host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].as_str().unwrap();
    let exempt: BTreeSet<&str> = exempt.split(';').collect();
    for (name, query) in queries() {
        for table in words(&query, "App").into_iter().filter(|word| word.ends_with('s')) {
            let kind = table.trim_start_matches("App").trim_end_matches('s');
            assert!(exempt.contains(kind), "{name} reads {table}, and host.json lets a part of it be lost");
        }
    }
}
