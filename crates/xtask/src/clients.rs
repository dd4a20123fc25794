//! `cargo xtask clients`: whether Microsoft's own clients get along with the stand-in for Graph that the tests use.
//!
//! A stand-in that only our client understands would prove nothing. The SDK takes half a gigabyte, so this is no part of
//! the tests; what is driven, and what it must give, is in crates/graph-sim/tests/clients/.

use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::phases::Phases;
use crate::{process, tools};

const RUST_CLIENT: &str = "azure-identity";

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases) -> Result<()> {
    let folder = checkout.root.join("crates").join("graph-sim").join("tests").join("clients");
    let python = phases
        .run("install clients", || tools::python_packages(checkout, "clients", &folder.join("requirements.txt")))?;
    // On its own and without optimization: nothing is measured here.
    phases.run("build graph-sim", || {
        let mut build = checkout.cargo("build");
        process::run(build.args(["--locked", "--package", "graph-sim", "--bin", "graph-sim", "--example", RUST_CLIENT]))
    })?;
    let built = checkout.target.join("debug");
    phases.run("drive", || {
        let mut drive = Command::new(&python);
        // Nothing is written beside the sources.
        drive
            .arg(folder.join("drive.py"))
            .arg(built.join("graph-sim"))
            .arg(built.join("examples").join(RUST_CLIENT))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        process::run(&mut drive)
    })
}
