//! Each photo's way and times by the demo's own clock: seen in the program's own log events, so that nothing has to be
//! measured inside it.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use photorelay_core::id::UserId;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Notified,
    Stored,
    Queued,
    Written,
    /// An agent left the target as it is.
    NotWritten,
}

/// A photo has reached a stage.
pub(crate) struct StageReached {
    pub(crate) stage: Stage,
    pub(crate) user: UserId,
    pub(crate) seq: u64,
    pub(crate) photo: String,
    pub(crate) at: Instant,
    pub(crate) time: Timestamp,
}

/// Sends the stages that it finds among the log events.
pub(crate) struct StageRecorder(mpsc::UnboundedSender<StageReached>);

impl StageRecorder {
    pub(crate) fn channel() -> (Self, mpsc::UnboundedReceiver<StageReached>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl<S: tracing::Subscriber> Layer<S> for StageRecorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("photorelay") {
            return;
        }
        let mut fields = StageFields::default();
        event.record(&mut fields);
        let stage = match fields.message.as_str() {
            "notified" => Stage::Notified,
            "committed" => Stage::Stored,
            "announced" => Stage::Queued,
            "brought up" => Stage::Written,
            "not written" => Stage::NotWritten,
            _ => return,
        };
        let Ok(user) = fields.user.parse() else { return };
        let (at, time) = (Instant::now(), Timestamp::now());
        // The receiver is gone only when the demo ends.
        let _ = self.0.send(StageReached { stage, user, seq: fields.seq, photo: fields.photo, at, time });
    }
}

#[derive(Default)]
struct StageFields {
    message: String,
    user: String,
    photo: String,
    seq: u64,
}

impl Visit for StageFields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "seq" {
            self.seq = value;
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = match field.name() {
            "message" => &mut self.message,
            "user.id" => &mut self.user,
            "photo.sha256" => &mut self.photo,
            _ => return,
        };
        *text = format!("{value:?}");
    }
}

/// Changes under way, each with the time after which it reached a stage, and what all of them come to.
#[derive(Default)]
pub(crate) struct StageTable {
    names: HashMap<UserId, String>,
    under_way: HashMap<UserId, (Instant, Vec<(Stage, Duration)>)>,
    totals: Vec<f64>,
    not_written: usize,
}

impl StageTable {
    pub(crate) const HEAD: &str = "person                  notified     stored     queued    written      total";

    pub(crate) fn of(names: HashMap<UserId, String>) -> Self {
        Self { names, ..Self::default() }
    }

    pub(crate) fn changed(&mut self, user: UserId) {
        self.under_way.insert(user, (Instant::now(), Vec::new()));
    }

    /// Notes the first time that a change reached this stage; its row once it is written, or left alone.
    pub(crate) fn record(&mut self, reached: &StageReached) -> Option<String> {
        let (changed, stages) = self.under_way.get_mut(&reached.user)?;
        if !stages.iter().any(|(stage, _)| *stage == reached.stage) {
            stages.push((reached.stage, reached.at.saturating_duration_since(*changed)));
        }
        if !matches!(reached.stage, Stage::Written | Stage::NotWritten) {
            return None;
        }
        let (_, stages) = self.under_way.remove(&reached.user)?;
        Some(self.row(reached.user, &stages))
    }

    /// What each hop took, and all of them together.
    fn row(&mut self, user: UserId, stages: &[(Stage, Duration)]) -> String {
        let name = self.names.get(&user).cloned().unwrap_or_else(|| user.to_string());
        let mut before = Duration::ZERO;
        let mut row = format!("{:<20}", name.chars().take(20).collect::<String>());
        for wanted in [Stage::Notified, Stage::Stored, Stage::Queued, Stage::Written] {
            let after = stages.iter().find(|(stage, _)| *stage == wanted).map(|(_, after)| *after);
            let hop = after.map(|after| after.saturating_sub(std::mem::replace(&mut before, after)));
            row += &format!(" {:>10}", hop.map_or("-".to_owned(), milliseconds));
        }
        if stages.iter().any(|(stage, _)| *stage == Stage::NotWritten) {
            self.not_written += 1;
            return row + "   waits for an operator";
        }
        self.totals.push(before.as_secs_f64() * 1000.0);
        row + &format!(" {:>10}", milliseconds(before))
    }

    /// What all changes that were shown come to.
    pub(crate) fn summary(&mut self) -> String {
        self.totals.sort_by(f64::total_cmp);
        let at = |percent| percentile(&self.totals, percent).map_or("-".to_owned(), |value| format!("{value:.1} ms"));
        let written = self.totals.len();
        let waits = match self.not_written {
            0 => String::new(),
            waits => format!(", {waits} wait for an operator"),
        };
        format!(
            "{written} photos written{waits}; from the change to the write: half within {}, all within {}",
            at(50),
            at(100)
        )
    }
}

fn milliseconds(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1000.0)
}

/// A photo that the demo changed.
pub(crate) struct MadeChange {
    pub(crate) user: UserId,
    /// SHA-256 of what the simulator showed then.
    pub(crate) photo: Option<String>,
    pub(crate) at: Instant,
}

/// For each change, the time until it or a later photo of the same person was written, in milliseconds, sorted.
pub(crate) fn latencies(made: &[MadeChange], seen: &[StageReached]) -> Vec<f64> {
    let stored = seen.iter().filter(|reached| reached.stage == Stage::Stored);
    let photos: HashMap<(UserId, u64), &str> =
        stored.map(|reached| ((reached.user, reached.seq), reached.photo.as_str())).collect();
    let mut latencies = Vec::new();
    for (index, change) in made.iter().enumerate() {
        let same_user = made[index..].iter().filter(|later| later.user == change.user);
        let covering: Vec<&str> = same_user.filter_map(|later| later.photo.as_deref()).collect();
        let written = seen.iter().find(|reached| {
            reached.stage == Stage::Written
                && reached.user == change.user
                && reached.at >= change.at
                && photos.get(&(reached.user, reached.seq)).is_some_and(|photo| covering.contains(photo))
        });
        latencies.extend(written.map(|reached| reached.at.duration_since(change.at).as_secs_f64() * 1000.0));
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

pub(crate) fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).map(|value| (value * 10.0).round() / 10.0)
}
