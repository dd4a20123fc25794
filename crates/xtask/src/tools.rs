//! Tools that come from crates.io: used if an installed one is new enough, else built once at a pinned version into
//! `target/tools`.
//!
//! They are built without optimisation: on a fresh machine their compilation takes far longer than anything that they do
//! here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::checkout::{self, Checkout};
use crate::process;

#[derive(Debug)]
pub(crate) struct Tool {
    /// The crate, which is also the name of its program.
    name: &'static str,
    /// What follows `cargo` on the command line.
    subcommand: &'static str,
    /// Installed when there is none; an installed one of the same series and at least `oldest` is used as it is.
    version: &'static str,
    oldest: Version,
    options: &'static [&'static str],
}

pub(crate) const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    subcommand: "nextest",
    version: "0.9.151",
    oldest: Version(0, 9, 100),
    // Without the part that replaces its own program.
    options: &["--no-default-features", "--features", "default-no-update"],
};

pub(crate) const DENY: Tool =
    Tool { name: "cargo-deny", subcommand: "deny", version: "0.20.2", oldest: Version(0, 20, 0), options: &[] };

/// Links with `zig cc`, which knows the symbols of older C libraries.
pub(crate) const ZIGBUILD: Tool =
    Tool { name: "cargo-zigbuild", subcommand: "zigbuild", version: "0.24.1", oldest: Version(0, 24, 0), options: &[] };

impl Tool {
    /// Makes sure that the tool is installed; returns what to call.
    pub(crate) fn ensure(&self, checkout: &Checkout) -> Result<InstalledTool> {
        let folder = checkout.tools().join(format!("{}-{}", self.name, self.version));
        let built = folder.join("bin").join(self.name).with_extension(std::env::consts::EXE_EXTENSION);
        if built.exists() {
            return Ok(InstalledTool { program: built, subcommand: self.subcommand });
        }
        if self.installed().is_some_and(|version| self.oldest.covers(version)) {
            return Ok(InstalledTool { program: self.name.into(), subcommand: self.subcommand });
        }
        let work = work(checkout);
        let mut install = Command::new("cargo");
        // Not at the root of the checkout: its configuration is not meant for other programs.
        std::fs::create_dir_all(&work).with_context(|| format!("{} could not be made", work.display()))?;
        install
            .args(["install", "--quiet", "--locked", "--debug", self.name, "--version", self.version])
            .args(self.options)
            .arg("--root")
            .arg(&folder)
            .env("CARGO_TARGET_DIR", &work)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_DEV_INCREMENTAL", "false")
            .current_dir(&work);
        eprintln!("building {} {} once (some minutes)", self.name, self.version);
        process::run(&mut install)?;
        Ok(InstalledTool { program: built, subcommand: self.subcommand })
    }

    fn installed(&self) -> Option<Version> {
        let mut command = Command::new(self.name);
        let output = command.args([self.subcommand, "--version"]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().find_map(Version::parse)
    }
}

/// The folder that the tools were compiled in. They share it, because they have many dependencies in common; once all
/// of them are built it is of no use.
pub(crate) fn tidy(checkout: &Checkout) -> Result<()> {
    checkout::remove(&work(checkout))
}

fn work(checkout: &Checkout) -> PathBuf {
    checkout.tools().join("build")
}

/// A tool that is installed.
#[derive(Debug)]
pub(crate) struct InstalledTool {
    program: PathBuf,
    subcommand: &'static str,
}

impl InstalledTool {
    pub(crate) fn command(&self, checkout: &Checkout) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.subcommand).current_dir(&checkout.root);
        command
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.').map(|part| part.parse().ok());
        Some(Self(parts.next()??, parts.next()??, parts.next()??))
    }

    /// Below 1.0 the second number is the one that promises compatibility.
    fn covers(self, other: Self) -> bool {
        (other.0, other.1) == (self.0, self.1) && other >= self
    }
}

/// A virtual environment that holds exactly this requirement; returns its Python.
pub(crate) fn python(checkout: &Checkout, name: &str, requirement: &str) -> Result<PathBuf> {
    let folder = checkout.tools().join(format!("{name}-{}", requirement.replace("==", "-")));
    environment(&folder, requirement, &[requirement.as_ref()])
}

/// A virtual environment that holds the packages of a requirements file and no others; returns its Python.
pub(crate) fn python_packages(checkout: &Checkout, name: &str, requirements: &Path) -> Result<PathBuf> {
    let text =
        std::fs::read_to_string(requirements).with_context(|| format!("{} cannot be read", requirements.display()))?;
    let arguments = ["--no-deps".as_ref(), "--requirement".as_ref(), requirements.as_os_str()];
    environment(&checkout.tools().join(name), &text, &arguments)
}

/// Makes the environment unless it was made from the same text.
fn environment(folder: &Path, text: &str, arguments: &[&OsStr]) -> Result<PathBuf> {
    let python = folder.join("bin").join("python");
    // Written last, so that an install that was cut off is made again.
    let done = folder.join("installed");
    if !std::fs::read_to_string(&done).is_ok_and(|installed| installed == text) {
        checkout::remove(folder)?;
        process::run(Command::new("python3").args(["-m", "venv"]).arg(folder))
            .context("python3 with its venv module is needed (Debian: python3-venv)")?;
        process::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(arguments))?;
        std::fs::write(&done, text).with_context(|| format!("{} could not be written", done.display()))?;
    }
    Ok(python)
}
