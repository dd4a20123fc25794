//! `photorelay audit verify`: walks the trail and reports the first broken link of every user.

use std::io::{self, Write};

use anyhow::Result;
use photorelay_core::audit::{self, Report};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;

/// Verifies one user's trail or all trails, and prints the findings. The report says whether the trail is intact.
pub async fn verify(storage: &Storage, user: Option<UserId>, out: &mut dyn Write) -> Result<Report> {
    let report = match user {
        Some(user) => audit::verify_person(&*storage.blobs, user).await?,
        None => audit::verify_all(&*storage.blobs).await?,
    };
    print(&report, user.is_none(), out)?;
    Ok(report)
}

fn print(report: &Report, of_all: bool, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    match report.newest_checkpoint {
        _ if !of_all => {}
        Some((day, sha256)) => {
            writeln!(out, "{} checkpoints, the newest of {day} with SHA-256 {sha256}", report.checkpoints)?;
        }
        None => writeln!(out, "no checkpoint: only heads and receipts can reveal a trail that was cut off")?,
    }
    if report.unreferenced > 0 {
        writeln!(
            out,
            "{} photos and renditions belong to no entry: their worker ended before it could commit; they harm nothing",
            report.unreferenced
        )?;
    }
    let verdict = if report.findings.is_empty() { "the trail is intact" } else { "the trail is NOT intact" };
    writeln!(out, "{} people, {} entries, {} findings: {verdict}", report.people, report.entries, report.findings.len())
}
