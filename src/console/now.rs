//! Now: what `status` says, what to fix first, and the last days.
//!
//! Counting all users takes as long as it takes, so it is done in the background; until it is done the page shows what a
//! few reads say.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};

use super::charts::{self, Chart};
use super::render::{Frame, MenuEntry, Moment, PageResult, count, count_of, page as render};
use super::state::ConsoleState;
use super::status_cache::Known;
use crate::jobs::watch::{Glance, GraphState, QueueState, Status, SubscriptionState, Trail, words};

/// How long the first page waits for the count of a small system.
const PATIENCE: Duration = Duration::from_millis(120);

#[derive(Template)]
#[template(path = "now.html")]
struct NowPage {
    frame: Frame,
    glance: Glance,
    counted: Option<Counted>,
    is_counting: bool,
    problem: Option<String>,
    checks: Line,
    targets: Vec<TargetLine>,
    charts: Vec<Chart>,
}

/// What the count of all users says.
struct Counted {
    at: Moment,
    took: String,
    alerts: Vec<(&'static str, String)>,
    facts: Vec<Line>,
    people: Vec<Line>,
    held: u64,
    unreadable: Vec<(String, String)>,
}

/// A figure with its name.
struct Line {
    name: &'static str,
    value: String,
    note: String,
    /// Whether it asks for an operator.
    is_bad: bool,
}

struct TargetLine {
    name: String,
    queue: Line,
    agents: Vec<AgentLine>,
}

struct AgentLine {
    name: String,
    version: String,
    at: Moment,
    state: Vec<String>,
}

pub(super) async fn page(State(console): State<Arc<ConsoleState>>) -> PageResult {
    let (glance, charts, known) = tokio::join!(
        console.watch.glance(),
        charts::of_last_days(&*console.storage.blobs),
        console.status.latest(PATIENCE)
    );
    let (glance, charts) = (glance?, charts?);
    let mut frame = Frame::of(&console, MenuEntry::Now, "Now");
    let Known { measured, problem, is_running } = known;
    frame.reloads = is_running && measured.is_none();
    let counted = measured.map(|measured| Counted::of(&measured.status, measured.took));
    let targets = glance.targets.iter().map(|target| TargetLine {
        name: target.name.clone(),
        queue: queue("waiting", &target.queue),
        agents: target.agents.iter().map(agent).collect(),
    });
    let targets = targets.collect();
    let checks = queue("checks waiting", &glance.checks);
    render(&NowPage { frame, counted, is_counting: is_running, problem, checks, targets, charts, glance })
}

impl NowPage {
    fn sweep(&self) -> Vec<Line> {
        let Some(sweep) = &self.glance.sweep else {
            return vec![Line::new("last sweep", "none yet", "none was completed so far", true)];
        };
        let mut lines = vec![
            Line::new("last sweep", Moment(sweep.at).ago(), "", false),
            Line::new("users in it", count(sweep.people), format!("{} with a photo", count(sweep.with_photo)), false),
            Line::new("had changed", count(sweep.differing), "", false),
        ];
        if let Some(found) = sweep.found_by {
            let (by_notification, by_sweep) = (count(found.notification), count(found.sweep));
            lines.push(Line::new(
                "found by",
                format!("{by_notification} / {by_sweep}"),
                "notifications / sweeps, between the last two checkpoints",
                false,
            ));
        }
        lines
    }

    fn notifications(&self) -> Line {
        match &self.glance.notifications {
            Some(activity) => {
                let pause = words(SignedDuration::from_secs(activity.longest_pause_seconds));
                Line::new("last notification", Moment(activity.last_at).ago(), format!("longest pause {pause}"), false)
            }
            None => Line::new("last notification", "none yet", "", false),
        }
    }
}

impl Counted {
    fn of(status: &Status, took: Duration) -> Self {
        let took =
            if took.as_secs() > 0 { format!("{} s", took.as_secs()) } else { format!("{} ms", took.as_millis()) };
        Self {
            at: Moment(status.at),
            took,
            alerts: status.alerts.iter().map(|alert| (alert.alert, alert.text.clone())).collect(),
            facts: vec![graph(&status.graph), subscription(&status.subscription, status.at)],
            people: people(&status.trail, status.at),
            held: status.trail.held + status.trail.replaced,
            unreadable: status.unreadable.iter().map(|found| (found.reason.clone(), count(found.people))).collect(),
        }
    }
}

impl Line {
    fn new(name: &'static str, value: impl Into<String>, note: impl Into<String>, is_bad: bool) -> Self {
        Self { name, value: value.into(), note: note.into(), is_bad }
    }
}

fn queue(name: &'static str, queue: &QueueState) -> Line {
    let mut notes = Vec::new();
    if let Some(oldest) = queue.oldest {
        notes.push(format!("the oldest {}", Moment(oldest).ago()));
    }
    if queue.poison > 0 {
        notes.push(format!("{} in the poison queue", queue.poison));
    }
    Line::new(name, count(queue.waiting), notes.join(", "), queue.poison > 0)
}

fn agent(heartbeat: &photorelay_core::contract::Heartbeat) -> AgentLine {
    let mut state = Vec::new();
    if heartbeat.dry_run {
        state.push("dry run".to_owned());
    }
    state.extend(heartbeat.paused.iter().map(|paused| format!("paused: {paused}")));
    state.extend(heartbeat.withheld.iter().map(|withheld| format!("feed not published: {withheld}")));
    let refusing = heartbeat.refusing.iter();
    state.extend(
        refusing.map(|streak| format!("{} refused: {}", count_of(streak.people, "person", "people"), streak.reason)),
    );
    AgentLine { name: heartbeat.agent.clone(), version: heartbeat.version.clone(), at: Moment(heartbeat.at), state }
}

fn graph(graph: &GraphState) -> Line {
    match graph {
        GraphState::Answers => Line::new("Microsoft Graph", "answers", "", false),
        GraphState::NotAsked { reason } => Line::new("Microsoft Graph", "not asked", reason, false),
        GraphState::CredentialRefused { reason } => Line::new("Microsoft Graph", "no token", reason, true),
        GraphState::Unavailable { reason } => Line::new("Microsoft Graph", "no answer", reason, true),
    }
}

fn subscription(subscription: &SubscriptionState, now: Timestamp) -> Line {
    const NAME: &str = "subscription";
    match subscription {
        SubscriptionState::NotConfigured => Line::new(NAME, "none", "PHOTORELAY_PUBLIC_URL is not set", false),
        SubscriptionState::Alive { expires_at } => {
            Line::new(NAME, "alive", format!("for {} more", words(expires_at.duration_since(now))), false)
        }
        SubscriptionState::Missing => Line::new(NAME, "missing", "only the sweep finds changes", true),
        SubscriptionState::Unknown { reason } => Line::new(NAME, "not known", reason, false),
    }
}

fn people(trail: &Trail, now: Timestamp) -> Vec<Line> {
    let more = if trail.is_more { "or more" } else { "" };
    let oldest =
        trail.oldest_unacknowledged.map(|oldest| format!("the oldest of {} ago", words(now.duration_since(oldest))));
    let always = [
        Line::new("people in the trail", count(trail.people), "", false),
        Line::new("unacknowledged", count(trail.unacknowledged), oldest.unwrap_or_else(|| more.to_owned()), false),
        Line::new("held for an operator", count(trail.held + trail.replaced), more, trail.held + trail.replaced > 0),
    ];
    let sometimes = [
        ("not settled", trail.unsettled, false),
        ("refused photos", trail.refused, false),
        ("of these, replaced by another writer", trail.replaced, true),
        ("contested", trail.contested, true),
        ("removals that wait", trail.removals, false),
        ("not written in a dry run", trail.dry_run, false),
        ("out of scope", trail.out_of_scope, false),
        ("forgotten", trail.forgotten, false),
    ];
    let sometimes = sometimes.into_iter().filter(|(_, number, _)| *number > 0);
    always
        .into_iter()
        .chain(sometimes.map(|(name, number, is_bad)| Line::new(name, count(number), "", is_bad)))
        .collect()
}
