//! `cargo xtask test`: everything the tests need, the tests, and how many of them ran on what.
//!
//! A run without tests, or a complete run in which no test used one of the stores, is a failure.

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::apt;
use crate::checkout::Checkout;
use crate::oracle;
use crate::package;
use crate::phases::Phases;
use crate::process;
use crate::services::{self, RunningServices};
use crate::tools;

/// Parts of a test's path that name what it ran on. A complete run must hold at least one test of each.
const STORES: [&str; 2] = ["embedded", "azurite"];

/// The cargo profile of the tests, and of what the build server builds beside them.
pub(crate) const PROFILE: &str = "suite";

#[derive(Debug, Default, Args)]
pub(crate) struct TestArgs {
    /// Build with the dev profile: quicker to build after a change, slower to run
    #[arg(long)]
    dev: bool,
    /// Passed on to `cargo nextest run`: a filter, `-p crate`, `--no-capture` ...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    nextest: Vec<String>,
}

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases, options: &TestArgs) -> Result<()> {
    let nextest = phases.run("install cargo-nextest", || tools::NEXTEST.ensure(checkout))?;
    tools::tidy(checkout)?;
    phases.run("install services", || services::install(checkout))?;
    let (reader, python) = phases.run("install Pillow", oracle::install)?;
    phases.run("install strace", || apt::ensure_program("strace", "strace"))?;

    let one_package = |argument: &String| argument.starts_with("-p") || argument.starts_with("--package");
    let whole = !options.nextest.iter().any(one_package);
    let command = |targets: &[&str]| {
        let mut command = nextest.command(checkout);
        command.args(["run", "--locked"]).args(targets);
        if !options.dev {
            command.args(["--cargo-profile", PROFILE]);
        }
        if whole {
            command.arg("--workspace");
        }
        command.args(&options.nextest);
        command
    };
    // Without the examples: linking them is of no use here, and the lints compile them too.
    let all = &["--tests"];
    phases.run("build tests", || process::run(command(all).arg("--no-run")))?;
    // Only a run over the whole workspace has just built the program.
    let package = if whole {
        let program = checkout.target.join(if options.dev { "debug" } else { PROFILE }).join("photorelay");
        Some(phases.run("package", || package::make(checkout, &program))?.zip)
    } else {
        None
    };
    let services = phases.run("start services", || RunningServices::start(checkout))?;

    // Below the checkout, wherever cargo's own target folder may be.
    let report = checkout.root.join("target").join("nextest").join("default").join("junit.xml");
    let tests = phases.run("tests", || {
        remove(&report)?;
        let mut tests = command(all);
        tests.envs(services.variables.iter().map(|(name, value)| (name, value)));
        tests.envs(package.iter().map(|zip| ("PHOTORELAY_TEST_PACKAGE", zip))).env(reader, python);
        process::run(&mut tests)?;
        let report = std::fs::read_to_string(&report)
            .with_context(|| format!("the run left no report in {}", report.display()))?;
        Ok(names(&report))
    })?;
    if whole && options.nextest.is_empty() {
        // Built anew with the system's library, which nothing else here needs.
        phases.run("tests with Kerberos", || {
            let mut kerberos = command(&["--features", "photorelay-agent/kerberos", "--test", "kerberos"]);
            process::run(kerberos.envs(services.variables.iter().map(|(name, value)| (name, value))))
        })?;
    }
    services.discard()?;

    let on = |store: &str| tests.iter().filter(|name| name.contains(store)).count();
    let counts: Vec<String> = STORES.iter().map(|store| format!("{} on {store}", on(store))).collect();
    phases.close(format!("{} tests ran, {}", tests.len(), counts.join(", ")));
    ensure!(!tests.is_empty(), "no test ran");
    if options.nextest.is_empty() {
        for store in STORES {
            ensure!(on(store) > 0, "no test ran on {store}: a complete run must use every store");
        }
    }
    Ok(())
}

/// The tests in a JUnit report, as `binary::module::test`.
fn names(report: &str) -> Vec<String> {
    let attribute = |element: &str, name: &str| {
        let (_, rest) = element.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    report
        .split("<testcase")
        .skip(1)
        .filter_map(|element| Some(format!("{}::{}", attribute(element, "classname")?, attribute(element, "name")?)))
        .collect()
}

fn remove(file: &std::path::Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} could not be removed", file.display()))
        }
        _ => Ok(()),
    }
}
