//! `cargo xtask infra`: what can be checked of infra/ without Azure.
//!
//! Every Bicep file is parsed by a grammar, and everything but the Graph extension, which the scanner cannot read yet, is
//! scanned for weak settings, images and manifests included. A file that is not parsed fails the check, and so does a
//! scanner that finds nothing: it has to find planted faults. Shell scripts are linted. The names that code and infra
//! share are compared by a test, tests/it/infra.rs.

mod grammar;
mod scan;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::checkout::Checkout;
use crate::phases::Phases;

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases) -> Result<()> {
    let infra = checkout.root.join("infra");
    phases.run("infra grammar", || grammar::check(&infra))?;
    phases.run("infra scan", || scan::check(checkout, &infra))?;
    phases.run("scripts", || scripts::check(checkout))
}

/// All files below a folder with one of these extensions, in order.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files(&path, extensions)?);
        } else if path.extension().is_some_and(|is| extensions.iter().any(|wanted| is == *wanted)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
