//! `photorelay audit verify`: walks the trail and reports the first broken link of every user.

use std::io::{self, Write};

use anyhow::Result;
use photorelay_core::answer::print_json;
use photorelay_core::audit::{self, Report, VerifyProgress};
use photorelay_core::id::UserId;
use photorelay_core::progress::ProgressLine;
use photorelay_core::storage::Storage;
use photorelay_core::wording::counted;
use serde_json::{Value, json};

/// Verifies one user's trail or all trails, and prints the findings. The report says whether the trail is intact.
pub async fn verify(storage: &Storage, user: Option<UserId>, json: bool, out: &mut dyn Write) -> Result<Report> {
    let report = match user {
        Some(user) => audit::verify_person(&*storage.blobs, user).await?,
        None => watched(storage).await?,
    };
    if json {
        print_json(out, &as_json(&report))?;
    } else {
        print(&report, user.is_none(), out)?;
    }
    Ok(report)
}

/// Shows how far it has come.
async fn watched(storage: &Storage) -> Result<Report> {
    let progress = VerifyProgress::default();
    let says = |_| {
        let people = counted(progress.people(), "person", "people");
        format!("{people} verified, {}", findings(progress.findings()))
    };
    let verifying = audit::verify_all_watched(&*storage.blobs, &progress);
    Ok(ProgressLine::default().beside(verifying, says).await?)
}

fn findings(number: u64) -> String {
    counted(number, "finding", "findings")
}

/// docs/commands.md names these members.
fn as_json(report: &Report) -> Value {
    let findings = report.findings.iter().map(|finding| {
        let blob_of = finding.user.map(|user| user.to_string());
        json!({ "user": blob_of, "seq": finding.about(), "says": finding.problem.says(), "mend": finding.problem.fix() })
    });
    json!({
        "intact": report.is_clean(),
        "people": report.people,
        "entries": report.entries,
        "blobs": report.blobs,
        "unreferenced": report.unreferenced,
        "unattributed": report.unattributed,
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
        let blobs = counted(report.unreferenced, "photo or rendition belongs", "photos and renditions belong");
        writeln!(out, "{blobs} to no entry: their worker ended before it could commit; they harm nothing")?;
    }
    if report.unattributed > 0 {
        let blobs = counted(report.unattributed, "photo or rendition", "photos and renditions");
        writeln!(
            out,
            "{blobs} may belong to an entry that is missing or cannot be read: keep what the entry may name"
        )?;
    }
    let verdict = if report.findings.is_empty() { "the trail is intact" } else { "the trail is NOT intact" };
    let people = counted(report.people, "person", "people");
    let entries = counted(report.entries, "entry", "entries");
    let findings = findings(report.findings.len() as u64);
    writeln!(out, "{people}, {entries}, {findings}: {verdict}")
}
