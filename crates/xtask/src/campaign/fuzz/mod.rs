//! `cargo xtask campaign fuzz`: coverage-guided fuzzing of every parser of outside input, by libFuzzer.
//!
//! The targets are the programs of `fuzz/`, a workspace of its own. They are built on the stable toolchain, with the
//! instrumentation that cargo-fuzz would use and without a sanitizer: our code has no `unsafe`. What a target finds is
//! kept below `target/fuzz`; `--keep` takes the smallest part of it into `fuzz/corpus`, which is committed.

mod corpus;
mod fuzzer;

use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::checkout::Checkout;
use crate::phases::Phases;
use crate::process;

use fuzzer::{FuzzTarget, TargetReport, Workshop};

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// Processor time of all targets together
    #[arg(long, default_value_t = 3600)]
    cpu_seconds: u64,
    /// Take new inputs into fuzz/corpus, as few and as small ones as reach the same code
    #[arg(long)]
    keep: bool,
    /// Only these targets
    targets: Vec<String>,
}

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases, options: &FuzzArgs) -> Result<()> {
    let host = host()?;
    let target = checkout.target.join("fuzz");
    let programs = target.join(&host).join("release");
    let workshop = Workshop { sources: checkout.root.join("fuzz"), target, programs };
    let all = names(&workshop)?;
    if let Some(unknown) = options.targets.iter().find(|name| !all.contains(name)) {
        bail!("there is no target `{unknown}`, only {}", all.join(", "));
    }
    let names = if options.targets.is_empty() { all.clone() } else { options.targets.clone() };
    phases.run("build targets", || build(&workshop, &host))?;
    let budget = Duration::from_secs(options.cpu_seconds) / u32::try_from(names.len())?;
    let reports = phases.run("fuzz", || fuzz(checkout, &workshop, &names, budget))?;
    if options.keep {
        phases.run("keep inputs", || {
            names.iter().try_for_each(|name| {
                let target = FuzzTarget::new(checkout, &workshop, name);
                corpus::keep(&target, all.len())
            })
        })?;
    }
    let reports =
        reports.into_iter().map(|report| (corpus::count(&workshop, &report.name), report)).collect::<Vec<_>>();
    phases.close(line(&reports));
    let crashes: Vec<String> = reports.iter().flat_map(|(_, report)| report.reproductions()).collect();
    ensure!(crashes.is_empty(), "{} crashes; each of these shows one again:\n{}", crashes.len(), crashes.join("\n"));
    Ok(())
}

/// The triple of this machine. Named in the build, so that build scripts are not instrumented.
fn host() -> Result<String> {
    let version = process::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

/// One target for each program.
fn names(workshop: &Workshop) -> Result<Vec<String>> {
    let folder = workshop.sources.join("src").join("bin");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let files = entries.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path());
    let mut names: Vec<String> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    ensure!(!names.is_empty(), "{} has no target", folder.display());
    Ok(names)
}

/// In its own folder, because its flags are in a configuration file there.
fn build(workshop: &Workshop, host: &str) -> Result<()> {
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--bins", "--target", host, "--target-dir"]).arg(&workshop.target);
    process::run(build.current_dir(&workshop.sources).env_remove("RUSTFLAGS"))
}

/// As many targets at once as there are processors.
fn fuzz(checkout: &Checkout, workshop: &Workshop, names: &[String], budget: Duration) -> Result<Vec<TargetReport>> {
    let waiting = Mutex::new(names.iter().collect::<VecDeque<_>>());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        let mut reports = Vec::new();
        while let Some(name) = next() {
            let report = FuzzTarget::new(checkout, workshop, name).run(budget)?;
            eprintln!("{report}");
            reports.push(report);
        }
        Ok(reports)
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(names.len());
    let mut reports: Vec<TargetReport> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().expect("a worker does not panic"));
        joined.collect::<Result<Vec<Vec<_>>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(reports)
}

fn line(reports: &[(usize, TargetReport)]) -> String {
    let sum = |of: fn(&TargetReport) -> u64| reports.iter().map(|(_, report)| of(report)).sum::<u64>();
    let targets: Vec<_> = reports
        .iter()
        .map(|(corpus, report)| {
            json!({
                "name": report.name,
                "executions": report.executions,
                "coverage": report.coverage,
                "corpus": corpus,
                "contained": report.contained,
                "crashes": report.crashes.len(),
                "seconds": report.cpu_seconds,
            })
        })
        .collect();
    json!({
        "campaign": "fuzz",
        "targets": targets,
        "executions": sum(|report| report.executions),
        "contained": sum(|report| report.contained),
        "crashes": sum(|report| report.crashes.len() as u64),
        "cpu_seconds": sum(|report| report.cpu_seconds),
    })
    .to_string()
}
