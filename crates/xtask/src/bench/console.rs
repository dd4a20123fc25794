//! The first answer of each page of the console with 100,000 people in the store, beside a `status` of the same run.

use anyhow::{Context, Result};
use serde_json::Value;

use super::output::{json, number, program};
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};

const PEOPLE: &str = "100000";
const HELD: &str = "2000";
const FIRST_ANSWER_MS: f64 = 300.0;

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable) -> Result<()> {
    let folder = checkout.target.join("bench").join("console");
    checkout::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    let measured = json(program(checkout, "console_bench").arg(&folder).args([PEOPLE, HELD]))?;
    checkout::remove(&folder)?;
    let status = number(&measured, "/status_ms")?;
    let pages = measured["pages_ms"].as_object().context("no page was measured")?;
    for (page, took) in pages {
        let took = Value::as_f64(took).with_context(|| format!("there is no figure of {page}"))?;
        table.add(FigureRow {
            measure: format!("console, {PEOPLE} people, first answer of {page}"),
            figure: format!("{took:.0} ms"),
            budget: format!("< {FIRST_ANSWER_MS:.0} ms"),
            peer: format!("status: {status:.0} ms"),
            verdict: BudgetVerdict::of(took < FIRST_ANSWER_MS),
        });
    }
    Ok(())
}
