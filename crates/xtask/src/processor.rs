//! Processor time of other programs, in seconds, from proc_pid_stat(5): Linux only.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// What a process has used so far, all its threads together.
pub(crate) fn used(pid: u32) -> Result<f64> {
    const UTIME_AND_STIME: [usize; 2] = [11, 12];
    read(&pid.to_string(), UTIME_AND_STIME)
}

/// What our children used that have ended.
pub(crate) fn used_by_children() -> Result<f64> {
    const CUTIME_AND_CSTIME: [usize; 2] = [13, 14];
    read("self", CUTIME_AND_CSTIME)
}

/// The sum of two fields, counted from the one after the program's name.
fn read(process: &str, fields: [usize; 2]) -> Result<f64> {
    let file = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&file).with_context(|| format!("{file} has the processor time"))?;
    let (_, after_name) = stat.rsplit_once(')').with_context(|| format!("{file} has no program name"))?;
    let all: Vec<&str> = after_name.split_whitespace().collect();
    let mut ticks = 0.0;
    for field in fields {
        ticks += all.get(field).with_context(|| format!("{file} is short"))?.parse::<f64>()?;
    }
    let per_second: f64 = process::output(Command::new("getconf").arg("CLK_TCK"))?.trim().parse()?;
    Ok(ticks / per_second)
}
