//! `cargo xtask bench`: one table of what things cost, beside their budgets and beside peers measured in the same run.
//!
//! Machines differ, so a budget that is missed is printed and nothing more. Only ratios between figures of one run are
//! gates: they fail the command.

mod cost;
mod directory;
mod photo;
mod processor;
mod program;
mod requirements;
mod sweep;
mod webhook;

use std::fmt::Display;

use anyhow::{Result, bail};
use clap::Args;

use crate::package;
use crate::phases::Phases;
use crate::place::Place;
use crate::process;

pub(crate) use program::{BINARY_MIB, START_MS};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these parts
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Webhook,
    Photo,
    Program,
    Cost,
    Sweep,
    Directory,
}

pub(crate) fn run(place: &Place, phases: &mut Phases, options: &Options) -> Result<()> {
    let wanted = |part| options.parts.is_empty() || options.parts.contains(&part);
    tell_load();
    phases.run("build", || build(place))?;
    let mut table = Table::default();
    if wanted(Part::Program) {
        let program = package::program(place, phases)?;
        phases.run("program", || program::measure(place, &program, &mut table))?;
    }
    if wanted(Part::Photo) {
        phases.run("photo", || photo::measure(place, &mut table))?;
    }
    if wanted(Part::Webhook) {
        phases.run("webhook", || webhook::measure(place, &mut table))?;
    }
    if wanted(Part::Cost) {
        phases.run("cost", || cost::measure(place, &mut table))?;
    }
    if wanted(Part::Sweep) {
        phases.run("sweep", || sweep::measure(place, &mut table))?;
    }
    if wanted(Part::Directory) {
        phases.run("directory", || directory::measure(place, &mut table))?;
    }
    table.print();
    table.gates()
}

/// Figures of a busy machine are worse than they are.
fn tell_load() {
    let Ok(load) = std::fs::read_to_string("/proc/loadavg") else { return };
    let last_minute = load.split(' ').next().unwrap_or_default();
    if last_minute.parse().is_ok_and(|load: f64| load > 1.5) {
        eprintln!("the machine is busy (load {last_minute}): expect figures that are too bad; ratios still hold");
    }
}

/// The whole workspace as the tests build it, so that nothing is compiled twice with other features.
fn build(place: &Place) -> Result<()> {
    process::run(place.cargo("build").args(["--release", "--locked", "--workspace", "--bins", "--examples"]))
}

#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    measure: String,
    figure: String,
    budget: String,
    peer: String,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ok,
    /// Outside its budget, on this machine and today.
    Short,
    /// A ratio within this run that must hold does not.
    Failed,
    /// There is no budget.
    Told,
}

impl Verdict {
    pub(crate) fn budget(kept: bool) -> Self {
        if kept { Self::Ok } else { Self::Short }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Short => "short",
            Self::Failed => "FAILED",
            Self::Told => "",
        }
    }
}

impl Table {
    pub(crate) fn row(
        &mut self,
        measure: impl Display,
        figure: impl Display,
        budget: impl Display,
        peer: impl Display,
        verdict: Verdict,
    ) {
        self.0.push(Row {
            measure: measure.to_string(),
            figure: figure.to_string(),
            budget: budget.to_string(),
            peer: peer.to_string(),
            verdict,
        });
    }

    fn print(&self) {
        let head = ["measure", "figure", "budget", "peer in the same run", ""].map(str::to_owned);
        let rows = self.0.iter().map(|row| {
            let verdict = row.verdict.word().to_owned();
            [row.measure.clone(), row.figure.clone(), row.budget.clone(), row.peer.clone(), verdict]
        });
        let lines: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths = [0, 1, 2, 3].map(width);
        println!();
        for [measure, figure, budget, peer, verdict] in &lines {
            let [first, second, third, fourth] = widths;
            let line = format!("{measure:<first$}  {figure:>second$}  {budget:>third$}  {peer:<fourth$}  {verdict}");
            println!("{}", line.trim_end());
        }
    }

    fn gates(&self) -> Result<()> {
        let failed: Vec<&str> =
            self.0.iter().filter(|row| row.verdict == Verdict::Failed).map(|row| row.measure.as_str()).collect();
        if !failed.is_empty() {
            bail!("outside its gate: {}", failed.join("; "));
        }
        Ok(())
    }
}

/// The middle of some readings; the lower one of two middles.
pub(crate) fn median(mut readings: Vec<f64>) -> f64 {
    readings.sort_by(f64::total_cmp);
    readings.get(readings.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The reading that so many percent do not exceed.
pub(crate) fn percentile(mut readings: Vec<f64>, percent: usize) -> f64 {
    readings.sort_by(f64::total_cmp);
    let at = (readings.len() * percent).div_ceil(100).saturating_sub(1);
    readings.get(at).copied().unwrap_or(f64::NAN)
}
