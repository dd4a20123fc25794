//! Strict stand-in for the PowerShell management agent (PSMA) of Microsoft Identity Manager, for tests of the scripts in
//! `infra/mim/`.
//!
//! Three layers, each usable without the ones above it: an interpreter of exactly the PowerShell that these scripts use
//! (`parse`, `evaluate`), the management agent in five versions that differ in what they hand to a script and what they
//! keep between pages (`psma`), and a connector space with MIM's rules (`mim`). It was written from the published sources
//! and documents of PSMA and MIM; it has never been compared with either. What it does not know it refuses, at once and
//! where no script can catch it.

use std::path::{Path, PathBuf};

mod evaluate;
mod files;
mod mim;
mod parse;
mod psma;
mod syntax;
mod value;

pub use evaluate::{KNOWN_COMMANDS, KNOWN_METHODS, KNOWN_STATICS, KNOWN_TYPES};
pub use mim::{AttributeValue, ConnectorObject, ConnectorSpace};
pub use parse::{node_kinds, parse};
pub use psma::agent::{ExportedObject, ManagementAgent};
pub use psma::run::{Import, Operation, RunReport, RunResult};
pub use psma::schema::{AttributeKind, ObjectClass, SchemaAttribute};
pub use psma::versions::PsmaVersion;
pub use syntax::{Script, Vocabulary};

/// The folder of the scripts that ship.
pub fn shipped_scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/mim")
}
