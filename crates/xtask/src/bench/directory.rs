//! The way to a real domain controller: one change from Graph to Active Directory, and a first fill beside the raw rate
//! of the same modifications.

use anyhow::Result;

use super::cost::end_to_end;
use super::output::{json, number, program};
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};
use crate::services::{self, RunningServices};

const SHARE_OF_RAW: f64 = 0.9;

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
    table.add(end_to_end("changed in Graph to written in Active Directory (Samba)", &measured)?);
    let (fill, raw) = (number(&measured, "/fill_per_second")?, number(&measured, "/raw_per_second")?);
    let share = number(&measured, "/share")?;
    table.add(FigureRow {
        measure: format!("first fill of {} people in Active Directory (Samba)", number(&measured, "/people")?),
        figure: format!("{fill:.0} photos/s, {share:.2} of raw"),
        budget: format!(">= {SHARE_OF_RAW} of raw"),
        peer: format!("modifications alone: {raw:.0}/s"),
        verdict: BudgetVerdict::of(share >= SHARE_OF_RAW),
    });
    checkout::remove(&folder)
}
