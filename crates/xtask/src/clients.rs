//! `cargo xtask clients`: whether clients that are not ours get along with what the tests use and with what the agent serves.
//!
//! A stand-in that only our client understands would prove nothing, and neither would an endpoint. Microsoft's SDK takes
//! half a gigabyte, so this is no part of the tests; what is driven, and what it must give, is in the folders
//! `tests/clients` of graph-sim and of the agent.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::phases::Phases;
use crate::{process, tools};

const RUST_CLIENT: &str = "azure-identity";
const CONSUMERS: &str = "consumers";

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases) -> Result<()> {
    let examples = checkout.target.join("debug").join("examples");
    let graph = phases.run("install clients of Graph", || ClientDriver::install(checkout, "graph-sim", "clients"))?;
    // On its own and without optimization: nothing is measured here.
    phases.run("build graph-sim", || {
        let mut build = checkout.cargo("build");
        process::run(build.args(["--locked", "--package", "graph-sim", "--bin", "graph-sim", "--example", RUST_CLIENT]))
    })?;
    let simulator = checkout.target.join("debug").join("graph-sim");
    phases.run("drive graph-sim", || graph.drive(&[simulator, examples.join(RUST_CLIENT)]))?;

    let photos = phases
        .run("install clients of photos", || ClientDriver::install(checkout, "photorelay-agent", "photo-clients"))?;
    phases.run("build the agent", || {
        process::run(checkout.cargo("build").args([
            "--locked",
            "--package",
            "photorelay-agent",
            "--example",
            CONSUMERS,
        ]))
    })?;
    phases.run("drive the agent", || photos.drive(&[examples.join(CONSUMERS)]))
}

/// The clients of one crate, installed, and the script that drives them.
struct ClientDriver {
    python: PathBuf,
    script: PathBuf,
}

impl ClientDriver {
    fn install(checkout: &Checkout, of: &str, environment: &str) -> Result<Self> {
        let folder = checkout.root.join("crates").join(of).join("tests").join("clients");
        let python = tools::python_packages(checkout, environment, &folder.join("requirements.txt"))?;
        Ok(Self { python, script: folder.join("drive.py") })
    }

    fn drive(&self, programs: &[PathBuf]) -> Result<()> {
        // Nothing is written beside the sources.
        let mut drive = Command::new(&self.python);
        process::run(drive.arg(&self.script).args(programs).env("PYTHONDONTWRITEBYTECODE", "1"))
    }
}
