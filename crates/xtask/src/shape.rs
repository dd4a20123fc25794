//! What the shipped program may depend on: no simulator, no agent, no directory client, one TLS provider.
//!
//! The layout promises this, and one line in a Cargo.toml can break it silently.

use anyhow::{Result, ensure};

use crate::checkout::Checkout;
use crate::process;

/// Must not be reachable from `photorelay` by normal dependencies, on any platform.
const ABSENT: [&str; 7] =
    ["graph-sim", "host-sim", "photorelay-agent", "photorelay-bench", "ldap3", "native-tls", "ring"];

pub(crate) fn check(checkout: &Checkout) -> Result<()> {
    let mut tree = checkout.cargo("tree");
    tree.args(["--locked", "--package", "photorelay", "--edges", "normal", "--target", "all"]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    let tree = process::output(&mut tree)?;
    let packages: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(packages.contains(&"photorelay-core"), "cargo tree names no photorelay-core: this check proves nothing");
    let found: Vec<&str> = ABSENT.into_iter().filter(|name| packages.contains(name)).collect();
    ensure!(
        found.is_empty(),
        "the function app must not ship with {}; `cargo tree -p photorelay -e normal -i {}` shows why",
        found.join(", "),
        found[0],
    );
    Ok(())
}
