//! What the shipped program may depend on: no simulator, no agent, no directory client, one TLS provider.
//!
//! The layout promises this, and a line in a Cargo.toml breaks it in silence.

use anyhow::{Result, ensure};

use crate::place::Place;
use crate::process;

/// Must not be reachable from `photorelay` by normal dependencies, on any platform.
const ABSENT: [&str; 6] = ["graph-sim", "host-sim", "photorelay-agent", "ldap3", "native-tls", "ring"];

pub(crate) fn check(place: &Place) -> Result<()> {
    let mut tree = place.cargo("tree");
    tree.args(["--locked", "--package", "photorelay", "--edges", "normal", "--target", "all"]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    let tree = process::output(&mut tree)?;
    let packages: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(packages.contains(&"photorelay-core"), "cargo tree names no photorelay-core: this check sees nothing");
    let found: Vec<&str> = ABSENT.into_iter().filter(|name| packages.contains(name)).collect();
    ensure!(
        found.is_empty(),
        "the function app must not ship with {}; `cargo tree -p photorelay -e normal -i {}` shows who brings it",
        found.join(", "),
        found[0],
    );
    Ok(())
}
