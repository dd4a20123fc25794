//! The way to a real domain controller: one change from Graph to Active Directory, and a first fill beside the raw rate
//! of the same modifications.

use std::process::Command;

use anyhow::{Context, Result};

use super::cost::{json, number};
use super::{Table, Verdict};
use crate::place::{self, Place};
use crate::services::{self, Running};

const WAY_P50_MS: f64 = 250.0;
const WAY_P99_MS: f64 = 1000.0;
const SHARE_OF_RAW: f64 = 0.9;

pub(super) fn measure(place: &Place, table: &mut Table) -> Result<()> {
    let folder = place.target.join("bench").join("directory");
    place::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    services::install(place)?;
    let services = Running::start(place)?;
    let variable = |name: &str| {
        let found = services
            .variables
            .iter()
            .find(|(variable, _)| variable.strip_prefix("PHOTORELAY_TEST_LDAP_") == Some(name));
        found.map(|(_, value)| value.clone()).with_context(|| format!("the services gave no {name}"))
    };
    let mut bench = Command::new(place.target.join("release/examples/directory_bench"));
    bench.args(["--url", &variable("URL")?, "--ca-file", &variable("CA_FILE")?]);
    bench.args(["--base", &format!("OU=bench,OU=People,{}", variable("BASE_DN")?)]);
    bench.args(["--bind-as", &variable("BIND_DN")?, "--password-file", &variable("PASSWORD_FILE")?]);
    bench.args(["--admin", &variable("ADMIN_DN")?, "--admin-password-file", &variable("ADMIN_PASSWORD_FILE")?]);
    let measured = json(bench.arg("--dir").arg(&folder))?;
    services.discard()?;
    let (p50, p99) = (number(&measured, "/p50_ms")?, number(&measured, "/p99_ms")?);
    table.row(
        "changed in Graph to written in Active Directory (Samba)",
        format!("p50 {p50:.0} ms, p99 {p99:.0} ms"),
        format!("p50 < {WAY_P50_MS} ms, p99 < {WAY_P99_MS} ms"),
        "",
        Verdict::budget(p50 < WAY_P50_MS && p99 < WAY_P99_MS),
    );
    let (fill, raw, share) =
        (number(&measured, "/fill_per_second")?, number(&measured, "/raw_per_second")?, number(&measured, "/share")?);
    table.row(
        format!("first fill of {} people in Active Directory (Samba)", number(&measured, "/people")?),
        format!("{fill:.0} photos/s, {share:.2} of raw"),
        format!(">= {SHARE_OF_RAW} of raw"),
        format!("modifications alone: {raw:.0}/s"),
        Verdict::budget(share >= SHARE_OF_RAW),
    );
    place::remove(&folder)
}
