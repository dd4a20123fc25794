//! Programs of the system that Debian's packages bring, installed when we may.

use std::process::{Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::process;

/// Makes sure that a program exists, by installing this package if need be.
pub(crate) fn ensure_program(program: &str, package: &str) -> Result<()> {
    let exists = || process::works(Command::new("sh").args(["-c", "command -v \"$0\"", program]));
    if !exists() && is_root()? && is_available() {
        install(&[package])?;
    }
    ensure!(exists(), "{program} is missing: apt-get install {package}");
    Ok(())
}

pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !is_available() {
        bail!("there is no apt-get here: install {} by other means", packages.join(", "));
    }
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], packages].concat())
}

pub(crate) fn is_root() -> Result<bool> {
    Ok(process::output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn is_available() -> bool {
    process::works(Command::new("apt-get").arg("--version"))
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(["--quiet=2", "--option", "DPkg::Lock::Timeout=300"]).args(arguments).stdout(Stdio::null());
    process::run(apt.env("DEBIAN_FRONTEND", "noninteractive"))
}
