//! `cargo xtask ci`: every check that blocks a change, cheapest first, in one run that reads no input.
//!
//! A check that is not reliable enough to block a change does not belong here. The build server looks up advisories in a
//! job of its own, because they change without a change of ours.

use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::phases::Phases;
use crate::{infra, process, shape, test, tools};

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases) -> Result<()> {
    let cargo = |line: &str| {
        let (subcommand, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let mut command = checkout.cargo(subcommand);
        command.args(arguments.split_whitespace());
        command
    };

    let profile = format!("--profile {}", test::PROFILE);
    phases.run("install components", || components(checkout))?;
    phases.run("format", || {
        process::run(&mut cargo("fmt --all --check"))?;
        // A workspace of its own.
        process::run(&mut cargo("fmt --manifest-path fuzz/Cargo.toml --check"))
    })?;
    phases.run("dependency shape", || shape::check(checkout))?;
    // As the tests are built, because the C code and the macros are then built once.
    phases.run("lints", || {
        process::run(&mut cargo(&format!("clippy {profile} --workspace --all-targets --locked -- -D warnings")))
    })?;
    phases.run("fuzzers", || {
        let options = format!("check {profile} --manifest-path fuzz/Cargo.toml --all-targets --locked --target-dir");
        let mut check = cargo(&options);
        process::run(check.arg(&checkout.target))
    })?;
    phases.run("documentation", || {
        let mut doc = cargo(&format!("doc {profile} --workspace --no-deps --document-private-items --locked"));
        process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    phases.run("install cargo-deny", || tools::DENY.ensure(checkout))?;
    phases.run("licences and sources", || deny(checkout, "--hide-inclusion-graph bans licenses sources"))?;
    infra::run(checkout, phases)?;
    test::run(checkout, phases, &test::TestArgs::default())?;
    phases.run("demo", || {
        // Together with the tests, which are built already: on its own it would need other features of the dependencies,
        // and all of them would be compiled a second time.
        process::run(&mut cargo(&format!("build {profile} --workspace --locked --tests --bin demo")))?;
        let mut demo = Command::new(checkout.target.join(test::PROFILE).join("demo"));
        process::run(demo.args(["--once", "--users", "20", "--changes", "60"]).current_dir(&checkout.root))
    })
}

/// Looks up every dependency in the RustSec database, which is fetched for it.
pub(crate) fn advisories(checkout: &Checkout) -> Result<()> {
    deny(checkout, "advisories")
}

fn deny(checkout: &Checkout, checks: &str) -> Result<()> {
    let mut deny = tools::DENY.ensure(checkout)?.command(checkout);
    process::run(deny.args(["--locked", "check"]).args(checks.split_whitespace()))
}

/// A minimal toolchain has neither of them.
fn components(checkout: &Checkout) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !process::works(checkout.cargo(subcommand).arg("--version")) {
            process::run(Command::new("rustup").args(["component", "add", component]).current_dir(&checkout.root))?;
        }
    }
    Ok(())
}
