//! The queries of the workbook and of the alerts, by Microsoft's parser of the Kusto query language and a schema of the
//! tables that they read: a misspelt column, table or function fails the check.
//!
//! The workbook shows what stands in the `.kql` files, each under the name of its file. That what they look for is
//! really logged is compared by a test, tests/it/monitoring.rs.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use xtask::bicep::BicepFile;

use super::files::files_with;
use crate::checkout::Checkout;
use crate::{npm, process};

/// As crates/xtask/kql/package.json pins it.
const PARSER: &str = "kql-12.4.1";
const FOLDER: &str = "monitoring";
/// Queries in which the parser has to find a fault.
const PLANTED: [&str; 3] = [
    "AppTraces | where Mesage startswith \"{\"",
    "union isfuzzy=true AppTraces, (AppTrace | project Message)",
    "AppTraces | summarize count() by",
];

/// A query, and where it stands.
#[derive(Debug)]
struct Query {
    name: String,
    text: String,
}

pub(super) fn check(checkout: &Checkout, infra: &Path) -> Result<()> {
    let source = checkout.xtask().join("kql");
    let parser = checkout.tools().join(PARSER);
    npm::install(&source, &parser)?;
    let files = files(&infra.join(FOLDER))?;
    let shown = compare_workbook(&infra.join(FOLDER).join("workbook.json"), &files)?;
    let alerts = alert_queries(&BicepFile::read(&infra.join("modules").join("alerts.bicep"))?)?;

    let tables = read_json(&infra.join(FOLDER).join("tables.json"))?;
    let queries: Vec<&Query> = files.iter().chain(&alerts).collect();
    let planted = PLANTED.map(|text| Query { name: text.to_owned(), text: text.to_owned() });
    let asked = json!({
        "tables": tables,
        "queries": queries.iter().copied().chain(&planted).map(|query| json!({"name": query.name, "query": query.text}))
            .collect::<Vec<_>>(),
    });
    let file = checkout.target.join("queries.json");
    fs::write(&file, asked.to_string()).with_context(|| format!("{} could not be written", file.display()))?;
    let mut node = Command::new("node");
    node.arg(source.join("check.cjs")).arg(&file).env("NODE_PATH", parser.join("node_modules"));
    let problems: Vec<String> =
        serde_json::from_str(&process::output(&mut node)?).context("the parser did not answer in JSON")?;

    let (found, real): (Vec<&String>, Vec<&String>) =
        problems.iter().partition(|problem| PLANTED.iter().any(|query| problem.starts_with(query)));
    ensure!(real.is_empty(), "queries:\n{}", real.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n"));
    for query in PLANTED {
        ensure!(found.iter().any(|problem| problem.starts_with(query)), "a planted fault was not found: {query}");
    }
    println!("{} queries parsed, {shown} of them in the workbook; planted faults were found", queries.len());
    Ok(())
}

/// The queries that stand in files of their own.
fn files(folder: &Path) -> Result<Vec<Query>> {
    let read = |path: &Path| -> Result<Query> {
        let name = path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        Ok(Query { name, text: fs::read_to_string(path).with_context(|| path.display().to_string())? })
    };
    let queries: Vec<Query> = files_with(folder, &["kql"])?.iter().map(|path| read(path)).collect::<Result<_>>()?;
    ensure!(!queries.is_empty(), "no query in {}", folder.display());
    Ok(queries)
}

/// Every query of the workbook is the text of the file of its name, and every file is shown. Returns how many there are.
fn compare_workbook(path: &Path, files: &[Query]) -> Result<usize> {
    let workbook = read_json(path)?;
    let items = workbook["items"].as_array().context("a workbook has items")?;
    let shown: Vec<(String, &str)> = items
        .iter()
        .filter_map(|item| Some((format!("{}.kql", item["name"].as_str()?), item["content"]["query"].as_str()?)))
        .collect();
    for (name, query) in &shown {
        let file = files.iter().find(|file| file.name == *name);
        let file = file.with_context(|| format!("the workbook shows {name}, which does not exist"))?;
        ensure!(
            file.text == *query,
            "the workbook does not show the text of {name}: infra/monitoring/README.md says how"
        );
    }
    let missing = files.iter().find(|file| !shown.iter().any(|(name, _)| *name == file.name));
    ensure!(missing.is_none(), "the workbook does not show {}", missing.map_or("", |file| &file.name));
    Ok(shown.len())
}

/// The queries of the template, with a word in place of each interpolation.
fn alert_queries(template: &BicepFile) -> Result<Vec<Query>> {
    let queries = template.properties().into_iter().filter(|(name, _)| *name == "query");
    let literal = |(index, (_, source)): (usize, (&str, &str))| {
        let text = source.strip_prefix('\'')?.strip_suffix('\'')?;
        Some(Query {
            name: format!("query {} of alerts.bicep", index + 1),
            text: text.replace("${signal.word}", "word"),
        })
    };
    let queries: Vec<Query> = queries.enumerate().filter_map(literal).collect();
    ensure!(!queries.is_empty(), "alerts.bicep has no query");
    Ok(queries)
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
