//! What a sweep costs in a tenant in which nothing has changed, and how that grows.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use serde_json::Value;

use super::output::{json, number, program};
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::Checkout;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// Each kind of sweep, and what one person more may cost it in microseconds of processor time. Each includes the watchdog.
const SWEEPS: [(&str, &str, f64); 3] = [
    ("steady", "sweep of {} unchanged people", 30.0),
    ("with_checkpoint", "the same with the daily checkpoint", 33.0),
    ("first", "very first sweep, with its checkpoint", 60.0),
];
/// Only where it is asked for, because its first sweep lists a million people.
const LARGE: u32 = 1_000_000;
/// What the function may take, with a million people.
const MOST_MIB: f64 = 96.0;
const MOST_REQUESTS: f64 = 0.05;
/// The list of people is all that may grow: 16 bytes each, a few times over.
const MOST_BYTES: f64 = 256.0;

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable, with_large: bool) -> Result<()> {
    let mut smallest: Option<Value> = None;
    for people in SIZES.into_iter().chain(with_large.then_some(LARGE)) {
        let mut bench = bench(checkout, &own_program(checkout));
        let sweep = json(bench.arg("unchanged").args(["--people", &people.to_string()]))?;
        add_rows(table, people, &sweep, smallest.as_ref())?;
        smallest.get_or_insert(sweep);
    }
    Ok(())
}

fn add_rows(table: &mut FigureTable, people: u32, sweeps: &Value, smallest: Option<&Value>) -> Result<()> {
    for (kind, measure, most) in SWEEPS {
        let sweep = &sweeps[kind];
        let operations: f64 = sweep["storage"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_f64()).sum();
        let (requests, cpu) = (number(sweep, "/graph")?, number(sweep, "/cpu_seconds")?);
        let peak = number(sweep, "/peak_mib")?;
        let (listed, pages) = (number(sweep, "/storage/list all users")?, number(sweeps, "/pages_of_a_listing")?);
        table.add(FigureRow {
            measure: measure.replace("{}", &people.to_string()),
            figure: format!(
                "{requests} requests, {operations} storage operations, {listed} pages of {pages}, {cpu:.2} s CPU, {peak:.0} MiB"
            ),
            budget: format!("1 listing of all users, nothing read for each, < {MOST_MIB} MiB"),
            // Both are counts, the same on every machine. The page more says whether there is a store.
            verdict: match listed <= pages + 1.0 && operations < 100.0 + f64::from(people) / 100.0 {
                true => BudgetVerdict::of(peak < MOST_MIB),
                false => BudgetVerdict::GateFailed,
            },
            ..FigureRow::default()
        });
        if let Some(smallest) = smallest {
            let small = (number(smallest, "/people")?, &smallest[kind]);
            add_difference(table, (f64::from(people), sweep), small, most)?;
        }
    }
    Ok(())
}

/// The start of the program costs the same for all; what one person more costs is the difference.
fn add_difference(table: &mut FigureTable, large: (f64, &Value), small: (f64, &Value), most: f64) -> Result<()> {
    let more = large.0 - small.0;
    let each = |pointer: &str| Ok::<_, anyhow::Error>((number(large.1, pointer)? - number(small.1, pointer)?) / more);
    let (microseconds, bytes) = (each("/cpu_seconds")? * 1e6, each("/peak_mib")? * 1024.0 * 1024.0);
    let share = each("/graph")?;
    // The list of the tenant is read by pages of 200.
    let kept = microseconds <= most && share <= MOST_REQUESTS + 0.01 && bytes < MOST_BYTES;
    table.add(FigureRow {
        measure: format!("  each person more, up to {}", large.0),
        figure: format!("{microseconds:.1} us CPU, {share:.3} requests, {bytes:.0} bytes"),
        budget: format!("<= {most} us, <= {MOST_REQUESTS}, < {MOST_BYTES} bytes"),
        verdict: BudgetVerdict::of(kept),
        ..FigureRow::default()
    });
    Ok(())
}

pub(super) fn bench(checkout: &Checkout, measured: &Path) -> Command {
    let mut bench = program(checkout, "sweep_bench");
    bench.arg("--program").arg(measured);
    bench
}

pub(super) fn own_program(checkout: &Checkout) -> PathBuf {
    checkout.target.join("release/photorelay")
}
