//! Packages from npm: installed once, exactly as a committed lock file says, into `target/tools`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::checkout;
use crate::process;

/// `.npmrc` keeps the registry's host out of the lock file.
const MANIFEST: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Makes sure that `folder` holds what the lock file in `source` pins, and nothing else.
pub(crate) fn install(source: &Path, folder: &Path) -> Result<()> {
    let stamp = folder.join(".installed");
    let lock = source.join("package-lock.json");
    let lock = fs::read(&lock).with_context(|| format!("{} is missing", lock.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    ensure!(
        process::works(Command::new("npm").arg("--version")),
        "npm does not answer: install Node.js 20 or later with npm (Debian: apt-get install nodejs npm)"
    );
    checkout::remove(folder)?;
    fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    for file in MANIFEST {
        fs::copy(source.join(file), folder.join(file)).with_context(|| format!("{file} is missing"))?;
    }
    // No script of a package runs while it is installed.
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--omit=dev", "--loglevel=error"]).current_dir(folder);
    process::prepare(&mut npm)?;
    // Written last, so that an installation that was cut off is done again.
    fs::write(&stamp, lock).with_context(|| format!("{} could not be written", stamp.display()))
}
