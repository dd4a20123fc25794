//! Each photo's way and times: seen in the program's own log events, so that nothing has to be measured inside it.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

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
}

/// A photo has reached a stage.
pub(crate) struct StageReached {
    stage: Stage,
    user: UserId,
    seq: u64,
    photo: String,
    at: Instant,
}

/// Sends the hops that it finds among the log events.
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
            _ => return,
        };
        let Ok(user) = fields.user.parse() else { return };
        // The receiver is gone only when the demo ends.
        let _ = self.0.send(StageReached { stage, user, seq: fields.seq, photo: fields.photo, at: Instant::now() });
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

/// Changes under way, each with the time after which it reached a stage.
#[derive(Default)]
pub(crate) struct StageTable(HashMap<UserId, (Instant, Vec<(Stage, Duration)>)>);

impl StageTable {
    pub(crate) const HEAD: &str = "person       notified     stored     queued    written";

    pub(crate) fn changed(&mut self, user: UserId) {
        self.0.insert(user, (Instant::now(), Vec::new()));
    }

    /// Notes the first time that a change reached this stage; its row once it is written.
    pub(crate) fn record(&mut self, hop: &StageReached) -> Option<String> {
        let (changed, stages) = self.0.get_mut(&hop.user)?;
        if !stages.iter().any(|(stage, _)| *stage == hop.stage) {
            stages.push((hop.stage, hop.at.saturating_duration_since(*changed)));
        }
        if hop.stage != Stage::Written {
            return None;
        }
        let (_, stages) = self.0.remove(&hop.user)?;
        Some(row(hop.user, &stages))
    }
}

fn row(user: UserId, stages: &[(Stage, Duration)]) -> String {
    let time = |wanted| match stages.iter().find(|(stage, _)| *stage == wanted) {
        Some((_, after)) => format!("{:.1} ms", after.as_secs_f64() * 1000.0),
        None => "-".to_owned(),
    };
    let [notified, stored, queued, written] = [Stage::Notified, Stage::Stored, Stage::Queued, Stage::Written].map(time);
    format!("{:<10} {notified:>10} {stored:>10} {queued:>10} {written:>10}", &user.to_string()[..8])
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
    let stored = seen.iter().filter(|hop| hop.stage == Stage::Stored);
    let photos: HashMap<(UserId, u64), &str> = stored.map(|hop| ((hop.user, hop.seq), hop.photo.as_str())).collect();
    let mut latencies = Vec::new();
    for (index, change) in made.iter().enumerate() {
        let same_user = made[index..].iter().filter(|later| later.user == change.user);
        let covering: Vec<&str> = same_user.filter_map(|later| later.photo.as_deref()).collect();
        let written = seen.iter().find(|hop| {
            hop.stage == Stage::Written
                && hop.user == change.user
                && hop.at >= change.at
                && photos.get(&(hop.user, hop.seq)).is_some_and(|photo| covering.contains(photo))
        });
        latencies.extend(written.map(|hop| hop.at.duration_since(change.at).as_secs_f64() * 1000.0));
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

pub(crate) fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).map(|value| (value * 10.0).round() / 10.0)
}
