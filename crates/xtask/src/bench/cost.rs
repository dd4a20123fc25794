//! What one person costs at the wire, for a photo that changed and for one that did not; and how long a change takes
//! on its whole way when Graph answers at once.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Table, Verdict};
use crate::place::{self, Place};
use crate::process;
use crate::services::{self, Running};

/// What is counted, where `cost_bench` tells it, and the most it should be: one photo, one read of its metadata and a
/// share of a `$batch` for a change; nothing but the share without one.
const COUNTS: [(&str, &str, Option<f64>); 8] = [
    ("Graph requests, changed, alone in a message", "/alone/changed/graph", Some(3.0)),
    ("Graph requests, changed, 20 in a message", "/together/changed/graph", Some(2.1)),
    ("Graph requests, unchanged, alone in a message", "/alone/unchanged/graph", Some(1.0)),
    ("Graph requests, unchanged, 20 in a message", "/together/unchanged/graph", Some(0.05)),
    ("function's storage transactions, changed, alone", "/alone/changed/function", Some(10.0)),
    ("function's storage transactions, unchanged, alone", "/alone/unchanged/function", None),
    ("function's storage transactions, unchanged, 20", "/together/unchanged/function", None),
    ("agent's storage transactions, changed", "/alone/changed/agent", Some(9.0)),
];
const WAY_P50_MS: f64 = 250.0;
const WAY_P99_MS: f64 = 1000.0;

pub(super) fn measure(place: &Place, table: &mut Table) -> Result<()> {
    let folder = place.target.join("bench").join("cost");
    place::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    services::install(place)?;
    let services = Running::start(place)?;
    let variable = |name: &str| {
        let found = services.variables.iter().find(|(variable, _)| variable == name);
        found.map(|(_, value)| value).with_context(|| format!("the services gave no {name}"))
    };
    let mut bench = Command::new(place.target.join("release/examples/cost_bench"));
    bench.args(["--blob", variable("PHOTORELAY_TEST_AZURITE_BLOB")?]);
    bench.args(["--queue", variable("PHOTORELAY_TEST_AZURITE_QUEUE")?]).arg("--dir").arg(folder.join("target"));
    let costs = json(&mut bench)?;
    services.discard()?;
    for (measure, at, most) in COUNTS {
        let figure = number(&costs, at)?;
        let budget = most.map(|most| format!("<= {most}")).unwrap_or_default();
        let verdict = most.map_or(Verdict::Told, |most| Verdict::budget(figure <= most));
        table.row(measure, format!("{figure:.2}"), budget, "", verdict);
    }

    let mut demo = Command::new(place.target.join("release/examples/demo"));
    demo.args(["--once", "--users", "20", "--changes", "200"]).arg("--dir").arg(folder.join("demo"));
    let way = json(&mut demo)?;
    let (p50, p99) = (number(&way, "/p50_ms")?, number(&way, "/p99_ms")?);
    table.row(
        "changed in Graph to written, embedded store, folder",
        format!("p50 {p50:.0} ms, p99 {p99:.0} ms"),
        format!("p50 < {WAY_P50_MS} ms, p99 < {WAY_P99_MS} ms"),
        "",
        Verdict::budget(p50 < WAY_P50_MS && p99 < WAY_P99_MS),
    );
    place::remove(&folder)
}

/// The last line that a command prints.
pub(super) fn json(command: &mut Command) -> Result<Value> {
    let output = process::output(command)?;
    let line = output.lines().last().context("it printed nothing")?;
    serde_json::from_str(line).with_context(|| format!("it printed no JSON: {line}"))
}

pub(super) fn number(value: &Value, at: &str) -> Result<f64> {
    value.pointer(at).and_then(Value::as_f64).with_context(|| format!("there is no figure at {at}"))
}
