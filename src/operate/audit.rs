//! `photorelay audit verify`: walks the trail and reports the first broken link of every user.

use std::io::{self, Write};

use anyhow::Result;
use photorelay_core::audit::{self, Report};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::wording::counted;
use serde_json::{Value, json};

/// Verifies one user's trail or all trails, and prints the findings. The report says whether the trail is intact.
pub async fn verify(storage: &Storage, user: Option<UserId>, json: bool, out: &mut dyn Write) -> Result<Report> {
    let report = match user {
        Some(user) => audit::verify_person(&*storage.blobs, user).await?,
        None => audit::verify_all(&*storage.blobs).await?,
    };
    if json {
        writeln!(out, "{:#}", as_json(&report))?;
    } else {
        print(&report, user.is_none(), out)?;
    }
    Ok(report)
}

/// docs/commands.md names these members.
fn as_json(report: &Report) -> Value {
    let findings = report.findings.iter().map(|finding| {
        let blob_of = finding.user.map(|user| user.to_string());
        json!({ "user": blob_of, "seq": finding.seq, "says": finding.problem.to_string(), "mend": finding.problem.fix() })
    });
    json!({
        "intact": report.is_clean(),
        "people": report.people,
        "entries": report.entries,
        "blobs": report.blobs,
        "unreferenced": report.unreferenced,
        "checkpoints": report.checkpoints,
        "newestCheckpoint": report.newest_checkpoint.map(|(day, sha256)| json!({ "day": day, "sha256": sha256 })),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn print(report: &Report, of_all: bool, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    match report.newest_checkpoint {
        _ if !of_all => {}
        Some((day, sha256)) => {
            let checkpoints = counted(report.checkpoints, "checkpoint", "checkpoints");
            writeln!(out, "{checkpoints}, the newest of {day} with SHA-256 {sha256}")?;
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
    let people = counted(report.people, "person", "people");
    let entries = counted(report.entries, "entry", "entries");
    let findings = counted(report.findings.len() as u64, "finding", "findings");
    writeln!(out, "{people}, {entries}, {findings}: {verdict}")
}
