//! The page of the audit trail: its checkpoints, and what a verification has found.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use photorelay_core::audit::{self, Report, StoredCheckpoint};

use super::render::{Frame, MenuEntry, Moment, PageError, PageResult, count, done, page as render};
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
    findings: u64,
}

struct VerifiedView {
    at: Moment,
    seconds: i64,
    people: String,
    entries: String,
    unreferenced: u64,
    unattributed: u64,
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
            let (people, findings) = (count(progress.people()), progress.findings());
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
        Self {
            at: Moment(at),
            seconds,
            people: count(report.people),
            entries: count(report.entries),
            unreferenced: report.unreferenced,
            unattributed: report.unattributed,
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
