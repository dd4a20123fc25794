//! The first fill of a tenant, beside the published script that did the same by hand, and beside another revision.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::output::{json, number};
use super::sweep;
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};

/// The customer of the published script: 1,100 photos among 2,200 people.
const PEOPLE: u32 = 2_200;
const PHOTOS: u32 = 1_100;
/// Latency of every call in milliseconds, and within how many seconds the tenant should be filled.
const FILLS: [(u32, f64); 2] = [(100, 20.0), (900, 120.0)];
/// What the script's authors report: two minutes to list and seventeen to fetch; others report 4 photos a minute.
const PUBLISHED: &str = "script: 2 + 17 min, 4 to 65 photos a minute";
/// Shares of the time and of the requests that the base takes, meant for one from before the first fill was made fast,
/// such as 149052e. They are no gates, because the base is the caller's choice.
const OF_BASE: f64 = 0.4;
const OF_REQUESTS: f64 = 0.5;
/// How often the base and this checkout take turns.
const TURNS: usize = 3;

/// One fill of an empty store.
#[derive(Debug, Clone, Copy)]
struct Fill {
    seconds: f64,
    requests: f64,
    throttled: f64,
}

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable, base: Option<&Path>) -> Result<()> {
    // Nothing is removed before the end: for a minute after that, ext4 takes much longer to create files.
    let folders = checkout.target.join("bench").join(format!("fill-{}", std::process::id()));
    let own = sweep::own_program(checkout);
    for (latency, within) in FILLS {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for turn in 0..if base.is_some() { TURNS } else { 1 } {
            let folder = |whose: &str| folders.join(format!("{latency}-{turn}-{whose}"));
            ours.push(Fill::run(checkout, &own, latency, folder("own"))?);
            theirs.extend(base.map(|base| Fill::run(checkout, base, latency, folder("base"))).transpose()?);
        }
        let ours = Fill::median(ours).context("no fill was measured")?;
        table.add(row((latency, within), ours, Fill::median(theirs)));
    }
    checkout::remove(&folders)
}

fn row((latency, within): (u32, f64), ours: Fill, base: Option<Fill>) -> FigureRow {
    let Fill { seconds, requests, throttled } = ours;
    let per_minute = f64::from(PEOPLE) / seconds * 60.0;
    let measure = format!("first fill, {PHOTOS} photos of {PEOPLE} people, {latency} ms a call");
    let figure = format!("{seconds:.1} s, {per_minute:.0} people/min, {requests} requests, {throttled} throttled");
    let Some(base) = base else {
        let verdict = BudgetVerdict::of(seconds < within);
        return FigureRow { measure, figure, budget: format!("< {within} s"), peer: PUBLISHED.to_owned(), verdict };
    };
    let (of_time, of_requests) = (seconds / base.seconds, requests / base.requests);
    FigureRow {
        measure,
        figure: format!("{figure} = {of_time:.2}, {of_requests:.2} of the requests"),
        budget: format!("<= {OF_BASE}, {OF_REQUESTS} of the requests"),
        peer: format!("base: {:.1} s, {} requests", base.seconds, base.requests),
        verdict: BudgetVerdict::of(of_time <= OF_BASE && of_requests <= OF_REQUESTS),
    }
}

impl Fill {
    fn run(checkout: &Checkout, program: &Path, latency: u32, folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let mut bench = sweep::bench(checkout, program);
        bench.arg("fill").args(["--people", &PEOPLE.to_string(), "--photos", &PHOTOS.to_string()]);
        let measured = json(bench.args(["--latency-ms", &latency.to_string()]).arg("--dir").arg(&folder))?;
        let figure = |name: &str| number(&measured, name);
        Ok(Self { seconds: figure("/seconds")?, requests: figure("/graph")?, throttled: figure("/throttled")? })
    }

    /// The one whose time is in the middle.
    fn median(mut fills: Vec<Self>) -> Option<Self> {
        fills.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        fills.get(fills.len() / 2).copied()
    }
}
