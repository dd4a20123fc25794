//! The way to a real domain controller: one change from Graph to Active Directory, and a first fill beside the raw rate
//! of the same modifications.

use anyhow::Result;
use serde_json::Value;

use super::output::{json, number, program};
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};
use crate::services::{self, RunningServices};

const SHARE_OF_RAW_ON_ONE: f64 = 0.95;
const SHARE_OF_RAW_ON_FOUR: f64 = 0.9;
const CHANGE_P50_MS: f64 = 50.0;
const CHANGE_P99_MS: f64 = 100.0;

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable) -> Result<()> {
    let folder = checkout.target.join("bench").join("directory");
    checkout::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    services::install(checkout)?;
    let services = RunningServices::start(checkout)?;
    let variable = |name: &str| services.variable(&format!("PHOTORELAY_TEST_LDAP_{name}"));
    let mut bench = program(checkout, "directory_bench");
    bench.args(["--url", variable("URL")?, "--ca-file", variable("CA_FILE")?]);
    bench.args(["--base", &format!("OU=bench,OU=People,{}", variable("BASE_DN")?)]);
    bench.args(["--bind-as", variable("BIND_DN")?, "--password-file", variable("PASSWORD_FILE")?]);
    bench.args(["--admin", variable("ADMIN_DN")?, "--admin-password-file", variable("ADMIN_PASSWORD_FILE")?]);
    let measured = json(bench.arg("--dir").arg(&folder))?;
    services.discard()?;
    let (p50, p99) = (number(&measured, "/p50_ms")?, number(&measured, "/p99_ms")?);
    table.add(FigureRow {
        measure: "changed in Graph to written in Active Directory (Samba)".to_owned(),
        figure: format!("p50 {p50:.0} ms, p99 {p99:.0} ms"),
        budget: format!("p50 < {CHANGE_P50_MS} ms, p99 < {CHANGE_P99_MS} ms"),
        peer: format!(
            "one modification alone: p50 {:.0} ms, p99 {:.0} ms",
            number(&measured, "/alone/p50_ms")?,
            number(&measured, "/alone/p99_ms")?
        ),
        verdict: BudgetVerdict::of(p50 < CHANGE_P50_MS && p99 < CHANGE_P99_MS),
    });
    for (connections, least) in [("one", SHARE_OF_RAW_ON_ONE), ("four", SHARE_OF_RAW_ON_FOUR)] {
        table.add(first_fill(&measured, connections, least)?);
    }
    checkout::remove(&folder)
}

/// By one connection or by four, beside the modifications alone by as many.
fn first_fill(measured: &Value, connections: &str, least: f64) -> Result<FigureRow> {
    let figure = |name: &str| number(measured, &format!("/{connections}/{name}"));
    let (fill, raw, share) = (figure("fill_per_second")?, figure("raw_per_second")?, figure("share")?);
    let people = number(measured, "/people")?;
    Ok(FigureRow {
        measure: format!("first fill of {people} people in Active Directory (Samba), connections: {connections}"),
        figure: format!("{fill:.0} photos/s, {share:.2} of raw"),
        budget: format!(">= {least} of raw"),
        peer: format!("modifications alone: {raw:.0}/s"),
        verdict: if share >= least { BudgetVerdict::Kept } else { BudgetVerdict::GateFailed },
    })
}
