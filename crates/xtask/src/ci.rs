//! `cargo xtask ci`: every check that blocks a change, cheapest first, in one run that reads no input.
//!
//! A check that is not reliable enough to block a change has no place here. Advisories are looked up by the build
//! server in a job of its own, because their answer changes without a change of ours.

use std::process::Command;

use anyhow::Result;

use crate::phases::Phases;
use crate::place::Place;
use crate::{infra, process, shape, test, tools};

pub(crate) fn run(place: &Place, phases: &mut Phases) -> Result<()> {
    let cargo = |line: &str| {
        let (subcommand, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let mut command = place.cargo(subcommand);
        command.args(arguments.split_whitespace());
        command
    };

    phases.run("install components", || components(place))?;
    phases.run("format", || process::run(&mut cargo("fmt --all --check")))?;
    phases.run("dependency shape", || shape::check(place))?;
    // In release, because the C code and the macros are then built once for the lints, the tests and the demo.
    phases.run("lints", || {
        process::run(&mut cargo("clippy --release --workspace --all-targets --locked -- -D warnings"))
    })?;
    phases.run("documentation", || {
        let mut doc = cargo("doc --release --workspace --no-deps --document-private-items --locked");
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    phases.run("install cargo-deny", || tools::DENY.ensure(place))?;
    phases.run("licences and sources", || deny(place, "--hide-inclusion-graph bans licenses sources"))?;
    infra::run(place, phases)?;
    test::run(place, phases, &test::Options::default())?;
    phases.run("demo", || {
        // With the whole workspace in view, as the tests were built: alone it would want other features of the
        // dependencies, and all of them would be compiled a second time.
        process::run(&mut cargo("build --release --workspace --locked --example demo"))?;
        let mut demo = Command::new(place.target.join("release").join("examples").join("demo"));
        process::run(demo.args(["--once", "--users", "20", "--changes", "60"]).current_dir(&place.root))
    })
}

/// Looks every dependency up in the RustSec database, which is fetched for it.
pub(crate) fn advisories(place: &Place) -> Result<()> {
    deny(place, "advisories")
}

fn deny(place: &Place, checks: &str) -> Result<()> {
    let mut deny = tools::DENY.ensure(place)?.command(place);
    process::run(deny.args(["--locked", "check"]).args(checks.split_whitespace()))
}

/// A minimal toolchain has neither of them.
fn components(place: &Place) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !process::works(place.cargo(subcommand).arg("--version")) {
            process::run(Command::new("rustup").args(["component", "add", component]).current_dir(&place.root))?;
        }
    }
    Ok(())
}
