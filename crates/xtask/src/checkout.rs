//! Where things are: the checkout, cargo's target folder, and our own folders in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

#[derive(Debug)]
pub(crate) struct Checkout {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Checkout {
    /// Asks cargo, because the target folder may have been moved by an environment variable or a configuration file.
    pub(crate) fn find() -> Result<Self> {
        let mut cargo = Command::new("cargo");
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let metadata: serde_json::Value =
            serde_json::from_str(&process::output(&mut cargo)?).context("cargo metadata did not answer in JSON")?;
        let path = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).with_context(|| format!("cargo metadata names no {key}"))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// A cargo command that runs at the root of the checkout.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.arg(subcommand).current_dir(&self.root);
        cargo
    }

    /// Tools that were installed for this checkout, one folder for each version.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// The folder of one service, for work by hand or for one test run.
    pub(crate) fn service(&self, run: &str, service: &str) -> PathBuf {
        self.services(run).join(service)
    }

    pub(crate) fn services(&self, run: &str) -> PathBuf {
        self.target.join("services").join(run)
    }

    /// Files that are committed beside the source of this program.
    pub(crate) fn xtask(&self) -> PathBuf {
        self.root.join("crates").join("xtask")
    }
}

/// Removes a folder that may be absent.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} could not be removed", folder.display())),
    }
}
