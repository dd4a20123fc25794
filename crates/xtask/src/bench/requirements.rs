//! Programs of the system that the bench compares with or measures by.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// Makes sure that a program is there; Debian's package of it is installed when we may.
pub(crate) fn ensure(program: &str, package: &str) -> Result<()> {
    let there = || process::works(Command::new("sh").args(["-c", "command -v \"$0\"", program]));
    if there() {
        return Ok(());
    }
    let root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
    if root && process::works(Command::new("apt-get").arg("--version")) {
        let apt = || {
            let mut apt = Command::new("apt-get");
            apt.env("DEBIAN_FRONTEND", "noninteractive");
            apt
        };
        process::run(apt().args(["update", "-qq"]))?;
        process::run(apt().args(["install", "-y", "-qq", "--no-install-recommends", package]))?;
    }
    if !there() {
        bail!("{program} is missing: apt-get install {package}");
    }
    Ok(())
}
