//! What README's first commands cost on a machine that has only the registry's files: processor time of the demo and of
//! the test command, each in a clean clone, beside another revision in the same run.
//!
//! Only where it is asked for: it builds everything from nothing, twice where there is a base. What is not committed is not
//! measured.

use anyhow::{Result, ensure};

use super::base::CleanClone;
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};
use crate::process;
use crate::processor;

/// Each command of README, and which share of the base's processor time it may take, if that is from before it was made
/// fast, such as 149052e.
const COMMANDS: [(&str, &[&str], f64); 2] = [
    ("clone to the last line of `cargo demo -- --once`", &["demo", "--", "--once"], 0.4),
    ("`cargo xtask test` from nothing", &["xtask", "test"], 0.6),
];
const HEAD: &str = "HEAD";

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable, base: Option<&str>) -> Result<()> {
    for (measure, arguments, share) in COMMANDS {
        let ours = cold(checkout, HEAD, arguments)?;
        let base = base.map(|revision| Ok::<_, anyhow::Error>((revision, cold(checkout, revision, arguments)?)));
        let base = base.transpose()?;
        table.add(FigureRow {
            measure: measure.to_owned(),
            figure: match base {
                Some((_, before)) => format!("{ours:.0} s of processor time = {:.2}", ours / before),
                None => format!("{ours:.0} s of processor time"),
            },
            budget: base.map_or_else(String::new, |_| format!("<= {share}")),
            peer: base.map_or_else(String::new, |(revision, before)| format!("{revision}: {before:.0} s")),
            verdict: match base {
                Some((_, before)) => BudgetVerdict::of(ours <= share * before),
                None => BudgetVerdict::NoBudget,
            },
        });
    }
    Ok(())
}

/// Seconds of processor time, with that of all programs that the command starts.
fn cold(checkout: &Checkout, revision: &str, arguments: &[&str]) -> Result<f64> {
    let folder = checkout.target.join("bench").join("first-minute");
    let clone = CleanClone::new(checkout, &folder, revision)?;
    process::run(&mut clone.cargo(&["fetch", "--quiet", "--locked"]))?;
    let before = processor::used_by_children()?;
    let status = process::status(&mut clone.cargo(arguments))?;
    let used = processor::used_by_children()? - before;
    ensure!(status.success(), "`cargo {}` of {revision} ended with {status}", arguments.join(" "));
    checkout::remove(&folder)?;
    Ok(used)
}
