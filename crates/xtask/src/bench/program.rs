//! The program as it ships: its size, the time from its start to its first answer, and its memory when idle.

use std::path::Path;

use anyhow::{Context, Result};

use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};
use crate::figures::{BINARY_MIB, MIB, START_MS, median, percentile};
use crate::handler::HandlerProcess;

const STARTS: usize = 20;
const IDLE_MIB: f64 = 20.0;

pub(super) fn measure(checkout: &Checkout, program: &Path, table: &mut FigureTable) -> Result<()> {
    let folder = checkout.target.join("bench").join("program");
    checkout::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;

    let mut starts = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..STARTS {
        let handler = HandlerProcess::start(program, &folder)?;
        starts.push(handler.first_answer.as_secs_f64() * 1000.0);
        resident.push(handler.resident()?);
    }
    checkout::remove(&folder)?;

    let (middle, slow) = (median(starts.clone()), percentile(starts, 95));
    let idle = median(resident);
    let size = std::fs::metadata(program).context("the program was not built")?.len() as f64 / MIB;
    let row = |measure: &str, figure: String, budget: String, kept: bool| FigureRow {
        measure: measure.to_owned(),
        figure,
        budget,
        verdict: BudgetVerdict::of(kept),
        ..FigureRow::default()
    };
    let start = format!("{middle:.1} ms, p95 {slow:.1} ms");
    table.add(row("start to first answer", start, format!("< {START_MS} ms"), middle < START_MS));
    table.add(row("resident when idle", format!("{idle:.1} MiB"), format!("< {IDLE_MIB} MiB"), idle < IDLE_MIB));
    table.add(row("binary", format!("{size:.1} MiB"), format!("< {BINARY_MIB} MiB"), size < BINARY_MIB));
    Ok(())
}
