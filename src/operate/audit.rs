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
    print(&report, out)?;
    Ok(report)
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    let verdict = if report.findings.is_empty() { "the trail is intact" } else { "the trail is NOT intact" };
    writeln!(out, "{} people, {} entries, {} findings: {verdict}", report.people, report.entries, report.findings.len())
}
