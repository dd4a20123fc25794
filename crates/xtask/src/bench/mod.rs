//! `cargo xtask bench`: one table of what things cost, beside their budgets and beside peers measured in the same run.
//!
//! The programs of crates/bench measure; this compares. Machines differ, so a missed budget is printed and nothing more.
//! Only ratios between figures of one run are gates: they fail the command.

mod base;
mod console;
mod cost;
mod directory;
mod fill;
mod first_minute;
mod mim;
mod output;
mod photo;
mod program;
mod sweep;
mod table;
mod webhook;

use anyhow::Result;
use clap::Args;

use crate::checkout::Checkout;
use crate::package;
use crate::phases::Phases;
use crate::process;

use table::FigureTable;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only these parts
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Also sweep a tenant of 1,000,000 people, which takes minutes
    #[arg(long)]
    large: bool,
    /// Measure this revision beside the checkout, where a figure is compared with an earlier one
    #[arg(long)]
    base: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    Webhook,
    Photo,
    Program,
    Cost,
    Sweep,
    Directory,
    Mim,
    Console,
    /// The demo and the tests from nothing, only where it is named: half an hour, and an hour with --base
    FirstMinute,
}

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases, options: &BenchArgs) -> Result<()> {
    let wanted = |part| options.parts.is_empty() || options.parts.contains(&part);
    warn_if_busy();
    let mut table = FigureTable::default();
    if options.parts.contains(&Part::FirstMinute) {
        phases.run("first minute", || first_minute::measure(checkout, &mut table, options.base.as_deref()))?;
    }
    if options.parts != [Part::FirstMinute] {
        phases.run("build", || build(checkout))?;
    }
    if wanted(Part::Program) {
        let program = package::program(checkout, phases)?;
        phases.run("program", || program::measure(checkout, &program, &mut table))?;
    }
    if wanted(Part::Photo) {
        phases.run("photo", || photo::measure(checkout, &mut table))?;
    }
    if wanted(Part::Webhook) {
        phases.run("webhook", || webhook::measure(checkout, &mut table))?;
    }
    if wanted(Part::Cost) {
        phases.run("cost", || cost::measure(checkout, &mut table))?;
    }
    if wanted(Part::Sweep) {
        let build = |revision: &str| phases.run("build the base", || base::program(checkout, revision));
        let base = options.base.as_deref().map(build).transpose()?;
        phases.run("first fill", || fill::measure(checkout, &mut table, base.as_deref()))?;
        phases.run("sweep", || sweep::measure(checkout, &mut table, options.large))?;
    }
    if wanted(Part::Directory) {
        phases.run("directory", || directory::measure(checkout, &mut table))?;
    }
    if wanted(Part::Mim) {
        phases.run("mim", || mim::measure(checkout, &mut table))?;
    }
    if wanted(Part::Console) {
        phases.run("console", || console::measure(checkout, &mut table))?;
    }
    table.print();
    table.check_gates()
}

/// A busy machine gives worse figures than it could.
fn warn_if_busy() {
    let Ok(load) = std::fs::read_to_string("/proc/loadavg") else { return };
    let last_minute = load.split(' ').next().unwrap_or_default();
    if last_minute.parse().is_ok_and(|load: f64| load > 1.5) {
        eprintln!("the machine is busy (load {last_minute}): expect poor figures; ratios still hold");
    }
}

fn build(checkout: &Checkout) -> Result<()> {
    let [subcommand, options @ ..] = base::BUILD;
    process::run(checkout.cargo(subcommand).args(options))
}
