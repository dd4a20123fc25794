//! The page of the audit trail: its checkpoints, and what a verification has found.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use photorelay_core::audit::{self, Report, StoredCheckpoint};

use super::render::{Frame, MenuEntry, Moment, PageError, PageResult, count_of, done, page as render};
use super::security::FormFields;
use super::state::ConsoleState;
use super::verification::VerificationStage;

/// Checkpoints on the page: a month of days.
const CHECKPOINTS: usize = 30;
/// Findings on the page; `audit verify` lists all.
const FINDINGS: usize = 200;

#[derive(Template)]
#[template(path = "trail.html")]
struct TrailPage {
    frame: Frame,
    checkpoints: Vec<StoredCheckpoint>,
    running: Option<RunningView>,
    verified: Option<VerifiedView>,
    /// Why the last verification did not come to its end.
    problem: Option<String>,
}

struct RunningView {
    since: Moment,
    people: String,
    findings: String,
}

struct VerifiedView {
    at: Moment,
    seconds: i64,
    people: String,
    entries: String,
    /// None if there are none.
    unreferenced: Option<String>,
    unattributed: Option<String>,
    all_findings: String,
    findings: Vec<String>,
    /// Findings that the page has no room for.
    more: usize,
}

pub(super) async fn page(State(console): State<Arc<ConsoleState>>) -> PageResult {
    let checkpoints = audit::recent_checkpoints(&*console.storage.blobs, CHECKPOINTS).await?;
    let mut frame = Frame::of(&console, MenuEntry::Trail, "Trail");
    let (mut running, mut verified, mut problem) = (None, None, None);
    match console.verification.stage() {
        VerificationStage::NeverAsked => {}
        VerificationStage::Runs { since, progress } => {
            frame.reloads = true;
            let people = count_of(progress.people(), "person", "people");
            let findings = count_of(progress.findings(), "finding", "findings");
            running = Some(RunningView { since: Moment(since), people, findings });
        }
        VerificationStage::Done { at, seconds, result } => match &*result {
            Ok(report) => verified = Some(VerifiedView::of(report, at, seconds)),
            Err(error) => problem = Some(error.clone()),
        },
    }
    render(&TrailPage { frame, checkpoints, running, verified, problem })
}

impl VerifiedView {
    fn of(report: &Report, at: Timestamp, seconds: i64) -> Self {
        let some = |number: u64, one: &str, many: &str| (number > 0).then(|| count_of(number, one, many));
        Self {
            at: Moment(at),
            seconds,
            people: count_of(report.people, "person", "people"),
            entries: count_of(report.entries, "entry", "entries"),
            unreferenced: some(report.unreferenced, "photo or rendition belongs", "photos and renditions belong"),
            unattributed: some(report.unattributed, "photo or rendition", "photos and renditions"),
            all_findings: count_of(report.findings.len() as u64, "finding", "findings"),
            findings: report.findings.iter().take(FINDINGS).map(ToString::to_string).collect(),
            more: report.findings.len().saturating_sub(FINDINGS),
        }
    }
}

pub(super) async fn verify(State(console): State<Arc<ConsoleState>>, _: FormFields) -> Result<Response, PageError> {
    let outcome = match console.verification.start() {
        true => Ok("The verification has begun.".to_owned()),
        false => Err("A verification is running already.".to_owned()),
    };
    Ok(done(&console, "/trail", outcome))
}
