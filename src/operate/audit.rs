//! `photorelay audit verify`: walks the trail and reports the first broken link of every user.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;
use photorelay_core::audit::{self, Report, VerifyProgress};
use photorelay_core::id::UserId;
use photorelay_core::storage::Storage;
use photorelay_core::wording::counted;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What takes longer shows how far it has come.
const PATIENCE: Duration = Duration::from_secs(2);
const REFRESH: Duration = Duration::from_millis(200);

/// Verifies one user's trail or all trails, and prints the findings. The report says whether the trail is intact.
pub async fn verify(storage: &Storage, user: Option<UserId>, json: bool, out: &mut dyn Write) -> Result<Report> {
    let report = match user {
        Some(user) => audit::verify_person(&*storage.blobs, user).await?,
        None => watched(storage).await?,
    };
    if json {
        writeln!(out, "{:#}", as_json(&report))?;
    } else {
        print(&report, user.is_none(), out)?;
    }
    Ok(report)
}

/// Shows on a terminal how far it has come, if it takes longer than a moment.
async fn watched(storage: &Storage) -> Result<Report> {
    let progress = VerifyProgress::default();
    let verifying = audit::verify_all_watched(&*storage.blobs, &progress);
    if !io::stderr().is_terminal() {
        return Ok(verifying.await?);
    }
    let mut verifying = std::pin::pin!(verifying);
    let mut refresh = tokio::time::interval_at(Instant::now() + PATIENCE, REFRESH);
    let mut line = None;
    let report = loop {
        tokio::select! {
            report = &mut verifying => break report?,
            _ = refresh.tick() => {
                let spinner = line.get_or_insert_with(ProgressBar::new_spinner);
                let people = counted(progress.people(), "person", "people");
                spinner.set_message(format!("{people} verified, {}", findings(progress.findings())));
                spinner.tick();
            }
        }
    };
    if let Some(line) = line {
        line.finish_and_clear();
    }
    Ok(report)
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
