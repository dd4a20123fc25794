//! The program as it ships: how large it is, how soon it answers after its start, and what it holds when idle.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Table, Verdict, median, percentile};
use crate::handler::Handler;
use crate::place::{self, Place};

const STARTS: usize = 20;
pub(crate) const START_MS: f64 = 30.0;
const IDLE_MIB: f64 = 20.0;
pub(crate) const BINARY_MIB: f64 = 12.0;
const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn measure(place: &Place, program: &Path, table: &mut Table) -> Result<()> {
    let folder = place.target.join("bench").join("program");
    place::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;

    let mut starts = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..STARTS {
        let handler = Handler::start(program, &folder)?;
        starts.push(handler.first_answer.as_secs_f64() * 1000.0);
        resident.push(handler.resident()?);
    }
    place::remove(&folder)?;

    let (middle, slow) = (median(starts.clone()), percentile(starts, 95));
    table.row(
        "start to first answer",
        format!("{middle:.1} ms, p95 {slow:.1} ms"),
        format!("< {START_MS} ms"),
        "",
        Verdict::budget(middle < START_MS),
    );
    let idle = median(resident);
    table.row(
        "resident when idle",
        format!("{idle:.1} MiB"),
        format!("< {IDLE_MIB} MiB"),
        "",
        Verdict::budget(idle < IDLE_MIB),
    );
    let size = std::fs::metadata(program).context("the program was not built")?.len() as f64 / MIB;
    table.row(
        "binary",
        format!("{size:.1} MiB"),
        format!("< {BINARY_MIB} MiB"),
        "",
        Verdict::budget(size < BINARY_MIB),
    );
    Ok(())
}
