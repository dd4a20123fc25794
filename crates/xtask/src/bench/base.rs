//! Another revision of this project, cloned and built to be measured in the same run as this one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::checkout::{self, Checkout};
use crate::process;

/// The whole workspace as the tests build it, so that nothing is compiled twice with other features.
pub(super) const BUILD: [&str; 5] = ["build", "--release", "--locked", "--workspace", "--bins"];

/// A clean clone of one revision, without anything that was built before.
pub(super) struct CleanClone {
    pub(super) root: PathBuf,
}

impl CleanClone {
    /// Replaces what an earlier run left in the folder. The revision may be anything that names a commit of this checkout.
    pub(super) fn new(checkout: &Checkout, folder: &Path, revision: &str) -> Result<Self> {
        let commit = format!("{revision}^{{commit}}");
        let mut resolve = Command::new("git");
        resolve.args(["rev-parse", "--verify", "--quiet", &commit]).current_dir(&checkout.root);
        let commit = process::output(&mut resolve).with_context(|| format!("git knows no commit {revision}"))?;
        checkout::remove(folder)?;
        process::run(Command::new("git").args(["clone", "--quiet", "--no-checkout"]).arg(&checkout.root).arg(folder))?;
        let clone = Self { root: folder.to_owned() };
        let mut detach = Command::new("git");
        process::run(detach.args(["checkout", "--quiet", "--detach", commit.trim()]).current_dir(&clone.root))?;
        Ok(clone)
    }

    /// A command that uses nothing of this checkout's target folder, wherever the environment puts it.
    pub(super) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).env("CARGO_TARGET_DIR", self.root.join("target")).current_dir(&self.root);
        // The revision may name a toolchain of its own.
        cargo.env_remove("RUSTUP_TOOLCHAIN");
        cargo
    }
}

/// The program of a revision, built as that of this checkout is.
pub(super) fn program(checkout: &Checkout, revision: &str) -> Result<PathBuf> {
    let clone = CleanClone::new(checkout, &checkout.target.join("bench").join("base"), revision)?;
    process::run(&mut clone.cargo(&BUILD))?;
    Ok(clone.root.join("target/release/photorelay"))
}
