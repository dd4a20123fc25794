//! The feed for Microsoft Identity Manager at 100,000 people: the first feed, one change, and imports by the scripts,
//! beside the published way, which asks for every photo again.

use anyhow::Result;
use serde_json::Value;

use super::output::{json, number, program};
use super::table::{BudgetVerdict, FigureRow, FigureTable};
use crate::checkout::{self, Checkout};

const PEOPLE: u32 = 100_000;
const CHANGES: u32 = 100;
/// Asked by the published way; it takes as long for each of them.
const ASKED: u32 = 1_000;
const PEAK_MIB: f64 = 64.0;
const CHANGE_CPU_MS: f64 = 50.0;
const CHANGE_BYTES: f64 = 200.0 * 1024.0;
/// `current` and the manifest.
const IDLE_FILES: f64 = 2.0;

pub(super) fn measure(checkout: &Checkout, table: &mut FigureTable) -> Result<()> {
    let feed = checkout.target.join("bench").join("mim");
    checkout::remove(&feed)?;
    std::fs::create_dir_all(&feed)?;
    let run = |arguments: &[&str]| json(program(checkout, "mim_bench").args(arguments));
    let (folder, scripts) = (feed.display().to_string(), checkout.root.join("infra/mim").display().to_string());
    let filled = run(&["fill", &folder, &PEOPLE.to_string()])?;
    let changed = run(&["change", &folder, "1"])?;
    let imported = run(&["import", &folder, &scripts, &CHANGES.to_string()])?;
    let published = run(&["published", &ASKED.to_string()])?;
    feed_rows(&filled, &changed, table)?;
    import_rows(&imported, &published, table)?;
    checkout::remove(&feed)
}

fn feed_rows(filled: &Value, changed: &Value, table: &mut FigureTable) -> Result<()> {
    let (rate, peak) = (number(filled, "/accepted_per_second")?, number(filled, "/peak_mib")?);
    table.add(FigureRow {
        measure: format!("first MIM feed of {PEOPLE} people"),
        figure: format!("{rate:.0} people/s, {peak:.0} MiB"),
        budget: format!("<= {PEAK_MIB} MiB"),
        verdict: BudgetVerdict::of(peak <= PEAK_MIB),
        ..FigureRow::default()
    });
    let (cpu, bytes) = (number(changed, "/publish_cpu_ms")?, number(changed, "/publish_bytes")?);
    table.add(FigureRow {
        measure: "one change published in it, processor time and bytes".to_owned(),
        figure: format!("{cpu:.0} ms, {:.0} KiB", bytes / 1024.0),
        budget: format!("<= {CHANGE_CPU_MS} ms, <= {:.0} KiB", CHANGE_BYTES / 1024.0),
        peer: format!("all of it: {:.0} ms", number(filled, "/publish_ms")?),
        verdict: BudgetVerdict::of(cpu <= CHANGE_CPU_MS && bytes <= CHANGE_BYTES),
    });
    Ok(())
}

fn import_rows(imported: &Value, published: &Value, table: &mut FigureTable) -> Result<()> {
    let asked = number(published, "/seconds")? * f64::from(PEOPLE) / f64::from(ASKED);
    let peer = format!("asking for every photo, Graph answering at once: {asked:.0} s");
    let (full, pages) = (number(imported, "/full_seconds")?, number(imported, "/full_pages")?);
    table.add(FigureRow {
        measure: format!("full import by the scripts (interpreted), {pages:.0} pages"),
        figure: format!("{full:.1} s"),
        peer: peer.clone(),
        ..FigureRow::default()
    });
    let idle = number(imported, "/idle_opened")?;
    table.add(FigureRow {
        measure: "delta import in which nothing changed".to_owned(),
        figure: format!("{idle:.0} files opened"),
        budget: format!("<= {IDLE_FILES:.0}"),
        peer: peer.clone(),
        verdict: BudgetVerdict::of(idle <= IDLE_FILES),
    });
    let (delta, opened) = (number(imported, "/delta_seconds")?, number(imported, "/delta_opened")?);
    let most = 2.0 * f64::from(CHANGES) + IDLE_FILES;
    table.add(FigureRow {
        measure: format!("delta import of {CHANGES} changes"),
        figure: format!("{delta:.2} s, {opened:.0} files opened"),
        budget: format!("<= {most:.0} files"),
        peer,
        verdict: BudgetVerdict::of(opened <= most),
    });
    Ok(())
}
