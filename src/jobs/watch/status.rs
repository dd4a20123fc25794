//! How everything is: what `photorelay status` prints, for people and as JSON.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Heartbeat, NotificationActivity, SweptLast};
use photorelay_core::id::Digest;
use serde::Serialize;

use super::alerts::Alert;

/// The members are stable: monitoring reads them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub at: Timestamp,
    pub subscription: SubscriptionState,
    /// None if no notification ever came.
    pub notifications: Option<NotificationActivity>,
    /// The last sweep that came to its end.
    pub sweep: Option<SweptLast>,
    pub checks: QueueState,
    pub targets: Vec<TargetState>,
    pub trail: Trail,
    pub checkpoint: Option<CheckpointState>,
    pub alerts: Vec<Alert>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SubscriptionState {
    /// There is no public URL: only the sweep finds changes.
    NotConfigured,
    Alive {
        expires_at: Timestamp,
    },
    /// None that reaches us, or expired.
    Missing,
    /// Graph does not tell.
    Unknown {
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueState {
    /// Messages, hidden ones included.
    pub waiting: u64,
    /// Since when the oldest that could be handled now waits.
    pub oldest: Option<Timestamp>,
    /// Messages that could never be handled.
    pub poison: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetState {
    pub name: String,
    pub queue: QueueState,
    pub agents: Vec<Heartbeat>,
}

/// Everybody who has a past.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    pub people: u64,
    pub unsettled: u64,
    pub out_of_scope: u64,
    pub forgotten: u64,
    /// People whose newest entry no agent has acknowledged, nor left a note why.
    pub unacknowledged: u64,
    pub oldest_unacknowledged: Option<Timestamp>,
    /// People whose newest entry waits for an operator, a mode or the scope, as an agent's note says.
    pub held: u64,
    /// Removals among those that wait.
    pub removals: u64,
    /// There are more who wait than were looked at.
    pub is_more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointState {
    pub day: Date,
    pub sha256: Digest,
    /// None if it cannot be read.
    pub people: Option<u64>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ago = |at: Timestamp| format!("{} ago", words(self.at.duration_since(at)));
        write!(f, "subscription   ")?;
        match &self.subscription {
            SubscriptionState::NotConfigured => writeln!(f, "none: PHOTORELAY_PUBLIC_URL is not set")?,
            SubscriptionState::Alive { expires_at } => {
                writeln!(f, "alive, for {} more", words(expires_at.duration_since(self.at)))?;
            }
            SubscriptionState::Missing => writeln!(f, "MISSING")?,
            SubscriptionState::Unknown { reason } => writeln!(f, "not known: {reason}")?,
        }
        match &self.notifications {
            Some(activity) => {
                let pause = words(SignedDuration::from_secs(activity.longest_pause_seconds));
                writeln!(f, "notifications  last {}, longest pause {pause}", ago(activity.last_at))?;
            }
            None => writeln!(f, "notifications  none so far")?,
        }
        match &self.sweep {
            Some(sweep) => {
                let (people, found) = (sweep.people, sweep.differing);
                writeln!(f, "last sweep     {}, {people} people, {found} had changed", ago(sweep.at))?;
            }
            None => writeln!(f, "last sweep     none came to its end so far")?,
        }
        if let Some(found) = self.sweep.as_ref().and_then(|sweep| sweep.found_by) {
            writeln!(f, "changes        {} found by notifications, {} by sweeps", found.notification, found.sweep)?;
        }
        write_queue(f, "checks", &self.checks, &ago)?;
        for target in &self.targets {
            write_queue(f, &format!("to {}", target.name), &target.queue, &ago)?;
            if target.agents.is_empty() {
                writeln!(f, "  no agent     has ever told of itself")?;
            }
            for agent in &target.agents {
                write!(f, "  agent        {} {}, told of itself {}", agent.agent, agent.version, ago(agent.at))?;
                if agent.dry_run {
                    write!(f, ", dry run")?;
                }
                if let Some(paused) = &agent.paused {
                    write!(f, ", paused: {paused}")?;
                }
                writeln!(f)?;
            }
        }
        let trail = &self.trail;
        write!(f, "trail          {} people", trail.people)?;
        let counts = [
            ("not settled", trail.unsettled),
            ("out of scope", trail.out_of_scope),
            ("forgotten", trail.forgotten),
            ("held", trail.held),
        ];
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        writeln!(f)?;
        match trail.oldest_unacknowledged {
            Some(oldest) => {
                let more = if trail.is_more { " or more" } else { "" };
                writeln!(f, "unacknowledged {}{more}, the oldest of {}", trail.unacknowledged, ago(oldest))?;
            }
            None => writeln!(f, "unacknowledged 0")?,
        }
        match &self.checkpoint {
            Some(checkpoint) => writeln!(f, "checkpoint     {}, SHA-256 {}", checkpoint.day, checkpoint.sha256)?,
            None => writeln!(f, "checkpoint     none so far")?,
        }
        if self.alerts.is_empty() {
            return write!(f, "alerts         none");
        }
        write!(f, "alerts         {}", self.alerts.len())?;
        self.alerts.iter().try_for_each(|alert| write!(f, "\n  {}: {}", alert.alert, alert.text))
    }
}

fn write_queue(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    queue: &QueueState,
    ago: &dyn Fn(Timestamp) -> String,
) -> fmt::Result {
    write!(f, "{name:<14} {} waiting", queue.waiting)?;
    if let Some(oldest) = queue.oldest {
        write!(f, ", the oldest since {}", ago(oldest))?;
    }
    if queue.poison > 0 {
        write!(f, ", {} in the poison queue", queue.poison)?;
    }
    writeln!(f)
}

/// A time span in its largest unit.
pub(super) fn words(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
