//! The status of the whole system: what `photorelay status` prints, as text and as JSON.

use std::fmt;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use photorelay_core::contract::{Heartbeat, NotificationActivity, SweptLast};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::wording::counted;
use serde::Serialize;

/// The members are stable: monitoring reads them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub at: Timestamp,
    pub graph: GraphState,
    pub subscription: SubscriptionState,
    /// None if no notification ever came.
    pub notifications: Option<NotificationActivity>,
    /// The last sweep that came to its end.
    pub sweep: Option<SweptLast>,
    pub checks: QueueState,
    pub targets: Vec<TargetState>,
    pub trail: Trail,
    /// Users for whom Graph fails, by what it answers.
    pub unreadable: Vec<UnreadableCount>,
    pub checkpoint: Option<CheckpointState>,
    pub alerts: Vec<Alert>,
}

/// What a few reads show: the part of a status that does not depend on how many users there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Glance {
    /// None if no notification ever came.
    pub notifications: Option<NotificationActivity>,
    /// The last sweep that came to its end.
    pub sweep: Option<SweptLast>,
    pub checks: QueueState,
    pub targets: Vec<TargetState>,
    pub checkpoint: Option<CheckpointState>,
}

/// One thing to fix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// A stable word that monitoring can look for.
    pub alert: &'static str,
    /// What is wrong, and what to do.
    pub text: String,
}

/// Whether Graph answers this deployment now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GraphState {
    Answers,
    /// This command's settings do not say how: that says nothing about the deployment.
    NotAsked {
        reason: String,
    },
    /// Entra ID gives no token for the credential.
    CredentialRefused {
        reason: String,
    },
    /// Entra ID or Graph does not answer, or not as it should.
    Unavailable {
        reason: String,
    },
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
    /// Graph did not answer.
    Unknown {
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueState {
    /// Messages, hidden ones included.
    pub waiting: u64,
    /// Since when the oldest visible message has waited.
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

/// All users that the storage knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trail {
    pub people: u64,
    pub unsettled: u64,
    pub out_of_scope: u64,
    pub forgotten: u64,
    /// Users whose newest photo was refused: targets show the one before it.
    pub refused: u64,
    /// Users whose newest entry no agent has acknowledged, nor left a note about.
    pub unacknowledged: u64,
    pub oldest_unacknowledged: Option<Timestamp>,
    /// Users whose newest entry waits for an operator or the scope, according to an agent's note.
    pub held: u64,
    /// Users whose newest entry would be written if the agent were not in a dry run.
    pub dry_run: u64,
    /// Users whose photo another writer has replaced after photorelay wrote it, and no operator has decided.
    pub replaced: u64,
    /// Pairs of users who are one object of a target and both live: neither is written.
    pub contested: u64,
    /// Removals among those that wait.
    pub removals: u64,
    /// More users wait than were counted.
    pub is_more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadableCount {
    /// Such as `403 ErrorAccessDenied`.
    pub reason: String,
    pub people: u64,
}

/// A user's newest photo, if it was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedPhoto {
    pub user_id: UserId,
    /// The entry of the trail.
    pub seq: u32,
    pub at: Timestamp,
    pub reason: String,
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
        match &self.graph {
            GraphState::Answers => {}
            GraphState::NotAsked { reason } => writeln!(f, "graph          not asked: {reason}")?,
            GraphState::CredentialRefused { reason } => writeln!(f, "graph          NO TOKEN: {reason}")?,
            GraphState::Unavailable { reason } => writeln!(f, "graph          NO ANSWER: {reason}")?,
        }
        self.write_subscription(f)?;
        self.write_sweep(f)?;
        self.write_queue(f, "checks", &self.checks)?;
        for target in &self.targets {
            self.write_target(f, target)?;
        }
        self.write_trail(f)?;
        if self.alerts.is_empty() {
            return write!(f, "alerts         none");
        }
        write!(f, "alerts         {}", self.alerts.len())?;
        self.alerts.iter().try_for_each(|alert| write!(f, "\n  {}: {}", alert.alert, alert.text))
    }
}

impl Status {
    fn ago(&self, at: Timestamp) -> String {
        format!("{} ago", words(self.at.duration_since(at)))
    }

    fn write_subscription(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subscription   ")?;
        match &self.subscription {
            SubscriptionState::NotConfigured => writeln!(f, "none: PHOTORELAY_PUBLIC_URL is not set")?,
            SubscriptionState::Alive { expires_at } => {
                writeln!(f, "alive, for {} more", words(expires_at.duration_since(self.at)))?;
            }
            SubscriptionState::Missing => writeln!(f, "MISSING")?,
            SubscriptionState::Unknown { .. } => writeln!(f, "not known")?,
        }
        match &self.notifications {
            Some(activity) => {
                let pause = words(SignedDuration::from_secs(activity.longest_pause_seconds));
                writeln!(f, "notifications  last {}, longest pause {pause}", self.ago(activity.last_at))
            }
            None => writeln!(f, "notifications  none so far"),
        }
    }

    fn write_sweep(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(sweep) = &self.sweep else { return writeln!(f, "last sweep     none was completed so far") };
        let (people, found) = (sweep.people, sweep.differing);
        writeln!(
            f,
            "last sweep     {}, {}, {found} had changed",
            self.ago(sweep.at),
            counted(people, "person", "people")
        )?;
        match sweep.found_by {
            Some(found) => {
                let (notification, sweep) = (found.notification, found.sweep);
                write!(f, "changes        {notification} found by notifications, {sweep} by sweeps")?;
                writeln!(f, ", between the last two checkpoints")
            }
            None => Ok(()),
        }
    }

    fn write_queue(&self, f: &mut fmt::Formatter<'_>, name: &str, queue: &QueueState) -> fmt::Result {
        write!(f, "{name:<14} {} waiting", queue.waiting)?;
        if let Some(oldest) = queue.oldest {
            write!(f, ", the oldest since {}", self.ago(oldest))?;
        }
        if queue.poison > 0 {
            write!(f, ", {} in the poison queue", queue.poison)?;
        }
        writeln!(f)
    }

    fn write_target(&self, f: &mut fmt::Formatter<'_>, target: &TargetState) -> fmt::Result {
        self.write_queue(f, &format!("to {}", target.name), &target.queue)?;
        if target.agents.is_empty() {
            writeln!(f, "  no agent     has ever reported")?;
        }
        for agent in &target.agents {
            write!(f, "  agent        {} {}, last reported {}", agent.agent, agent.version, self.ago(agent.at))?;
            if agent.dry_run {
                write!(f, ", dry run")?;
            }
            if let Some(paused) = &agent.paused {
                write!(f, ", paused: {paused}")?;
            }
            if let Some(withheld) = &agent.withheld {
                write!(f, ", feed not published: {withheld}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn write_unreadable(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> =
            self.unreadable.iter().map(|UnreadableCount { reason, people }| format!("{people} ({reason})")).collect();
        writeln!(f, "unreadable     {}", reasons.join(", "))
    }

    fn write_trail(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trail = &self.trail;
        write!(f, "trail          {}", counted(trail.people, "person", "people"))?;
        let counts = [
            ("not settled", trail.unsettled),
            ("out of scope", trail.out_of_scope),
            ("forgotten", trail.forgotten),
            ("refused", trail.refused),
            ("held", trail.held),
            ("not written because of a dry run", trail.dry_run),
            ("replaced by another writer", trail.replaced),
            ("contested", trail.contested),
        ];
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        writeln!(f)?;
        match trail.oldest_unacknowledged {
            Some(oldest) => {
                let more = if trail.is_more { " or more" } else { "" };
                writeln!(f, "unacknowledged {}{more}, the oldest of {}", trail.unacknowledged, self.ago(oldest))?;
            }
            None => writeln!(f, "unacknowledged 0")?,
        }
        self.write_unreadable(f)?;
        match &self.checkpoint {
            Some(checkpoint) => writeln!(f, "checkpoint     {}, SHA-256 {}", checkpoint.day, checkpoint.sha256),
            None => writeln!(f, "checkpoint     none so far"),
        }
    }
}

/// A time span in its largest unit.
pub fn words(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
