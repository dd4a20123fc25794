//! `photorelay audit verify`: walks the trail and names the first broken link of everybody.

use std::io::{self, Write};

use anyhow::Result;
use photorelay_core::audit::{self, Report};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;

/// Verifies one person's trail or everybody's, and prints what was found. The report says whether all is well.
pub async fn verify(storage: &Storage, user: Option<UserId>, out: &mut dyn Write) -> Result<Report> {
    let report = match user {
        Some(user) => audit::verify_person(&*storage.blobs, user).await?,
        None => audit::verify_all(&*storage.blobs).await?,
    };
    print(&report, user.is_none(), out)?;
    Ok(report)
}

fn print(report: &Report, of_everybody: bool, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    match report.newest_checkpoint {
        _ if !of_everybody => {}
        Some((day, sha256)) => {
            writeln!(out, "{} checkpoints, the newest of {day} with SHA-256 {sha256}", report.checkpoints)?;
        }
        None => writeln!(out, "no checkpoint: what was cut off is told by heads and receipts alone")?,
    }
    let verdict = if report.findings.is_empty() { "the trail is intact" } else { "the trail is NOT intact" };
    writeln!(out, "{} people, {} entries, {} findings: {verdict}", report.people, report.entries, report.findings.len())
}
