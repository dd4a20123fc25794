//! `cargo xtask infra`: what can be checked of infra/ without Azure.
//!
//! Every Bicep file is parsed by a grammar, and everything but the Graph extension, which the scanner cannot read yet, is
//! scanned for weak settings, images and manifests included. A file that is not parsed fails the check, and so does a
//! scanner that finds nothing: it has to find planted faults. API versions are compared with the table of what was
//! looked up. Queries are parsed against the tables that they read. Shell scripts are
//! linted. The names that code and infra share are compared by tests, tests/it/infra.rs and monitoring.rs.

mod api_versions;
mod files;
mod grammar;
mod queries;
mod scan;
mod scripts;

pub(crate) use files::files_with;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::phases::Phases;

pub(crate) fn run(checkout: &Checkout, phases: &mut Phases) -> Result<()> {
    let infra = checkout.root.join("infra");
    phases.run("infra grammar", || grammar::check(&infra))?;
    phases.run("API versions", || api_versions::check(&infra))?;
    phases.run("queries", || queries::check(checkout, &infra))?;
    phases.run("infra scan", || scan::check(checkout, &infra))?;
    phases.run("scripts", || scripts::check(checkout))
}
