//! What one user costs at the wire, for a photo that changed and for one that did not; and how long a change takes
//! from end to end when Graph answers at once.

use anyhow::Result;
use serde_json::Value;

use super::output::{json, number, program};
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};
use crate::services::{self, RunningServices};

/// What is counted, where it is in the output of `cost_bench`, and the most it should be: one photo, one read of its
/// metadata and a share of a `$batch` for a change; nothing but the share without one.
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
const END_TO_END_P50_MS: f64 = 250.0;
const END_TO_END_P99_MS: f64 = 1000.0;

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable) -> Result<()> {
    let folder = checkout.target.join("bench").join("cost");
    checkout::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    services::install(checkout)?;
    let services = RunningServices::start(checkout)?;
    let mut bench = program(checkout, "cost_bench");
    bench.args(["--blob", services.variable("PHOTORELAY_TEST_AZURITE_BLOB")?]);
    bench
        .args(["--queue", services.variable("PHOTORELAY_TEST_AZURITE_QUEUE")?])
        .arg("--dir")
        .arg(folder.join("target"));
    let costs = json(&mut bench)?;
    services.discard()?;
    for (measure, pointer, most) in COUNTS {
        let figure = number(&costs, pointer)?;
        table.add(FigureRow {
            measure: measure.to_owned(),
            figure: format!("{figure:.2}"),
            budget: most.map(|most| format!("<= {most}")).unwrap_or_default(),
            verdict: most.map_or(BudgetVerdict::NoBudget, |most| BudgetVerdict::of(figure <= most)),
            ..FigureRow::default()
        });
    }

    let mut demo = program(checkout, "demo");
    demo.args(["--once", "--users", "20", "--changes", "200"]).arg("--dir").arg(folder.join("demo"));
    table.add(end_to_end("changed in Graph to written, embedded store, folder", &json(&mut demo)?)?);
    checkout::remove(&folder)
}

/// The row for the time from a change in Graph until it is written.
fn end_to_end(measure: &str, times: &Value) -> Result<FigureRow> {
    let (p50, p99) = (number(times, "/p50_ms")?, number(times, "/p99_ms")?);
    Ok(FigureRow {
        measure: measure.to_owned(),
        figure: format!("p50 {p50:.0} ms, p99 {p99:.0} ms"),
        budget: format!("p50 < {END_TO_END_P50_MS} ms, p99 < {END_TO_END_P99_MS} ms"),
        verdict: BudgetVerdict::of(p50 < END_TO_END_P50_MS && p99 < END_TO_END_P99_MS),
        ..FigureRow::default()
    })
}
