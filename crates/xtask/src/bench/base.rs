//! Another revision of this project, cloned and built to be measured in the same run as this one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::checkout::{self, Checkout};
use crate::process;

/// A clean clone of one revision, without anything that was built before.
pub(super) struct CleanClone {
    pub(super) root: PathBuf,
}

impl CleanClone {
    /// Replaces what an earlier run left in the folder.
    pub(super) fn new(checkout: &Checkout, folder: &Path, revision: &str) -> Result<Self> {
        checkout::remove(folder)?;
        process::run(Command::new("git").args(["clone", "--quiet", "--no-checkout"]).arg(&checkout.root).arg(folder))?;
        let clone = Self { root: folder.to_owned() };
        process::run(Command::new("git").args(["checkout", "--quiet", "--detach", revision]).current_dir(&clone.root))?;
        Ok(clone)
    }

    /// A command that uses nothing of this checkout's target folder, wherever the environment puts it.
    pub(super) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).env("CARGO_TARGET_DIR", self.root.join("target")).current_dir(&self.root);
        cargo
    }
}

/// The program as a revision ships it, built in release mode.
pub(super) fn program(checkout: &Checkout, revision: &str) -> Result<PathBuf> {
    let clone = CleanClone::new(checkout, &checkout.target.join("bench").join("base"), revision)?;
    process::run(&mut clone.cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "photorelay",
        "--bin",
        "photorelay",
    ]))?;
    Ok(clone.root.join("target/release/photorelay"))
}
