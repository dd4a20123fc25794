//! What the agent knows of its own health, and the heartbeat that reports it. Health is the age of the oldest unfinished
//! item, not that the process is up.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::{Heartbeat, RefusalStreak, V1};
use photorelay_core::id::UserId;
use photorelay_core::store::StoreError;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::writeback::{WritebackOutcome, WritebackSettings};

const HEARTBEAT: Duration = Duration::from_secs(60);
/// At most so many unfinished items are tracked.
const MAX_UNFINISHED: usize = 10_000;
/// An item that was not seen again for so many seconds was finished by another agent: items come back within an hour.
const FORGOTTEN_AFTER: i64 = 2 * 3600;
/// So many users who are refused in a row for one reason are no coincidence.
const REFUSED_IN_A_ROW: usize = 3;

#[derive(Debug)]
pub(crate) struct Health {
    started_at: Timestamp,
    state: Mutex<HealthState>,
    /// The agent paused or continued: worth a heartbeat of its own.
    changed: Notify,
}

#[derive(Debug, Default)]
struct HealthState {
    last_success_at: Option<Timestamp>,
    /// Since when an item has been waiting, and when it was tried last.
    unfinished: HashMap<(UserId, u32), (Timestamp, Timestamp)>,
    paused: Option<String>,
    withheld: Option<String>,
    refusals: Option<Refusals>,
}

/// Users refused in a row.
#[derive(Debug)]
struct Refusals {
    /// What the reasons have in common.
    kind: String,
    reason: String,
    users: BTreeSet<UserId>,
    since: Timestamp,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self { started_at: Timestamp::now(), state: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn finished(&self, item: (UserId, u32), successfully: bool) {
        let mut state = self.state();
        state.unfinished.remove(&item);
        if successfully {
            state.last_success_at = Some(Timestamp::now());
        }
    }

    /// How one user was brought up, whatever asked for it. A note is neither a success nor a refusal of the target.
    pub(crate) fn brought_up(&self, user: UserId, outcome: &WritebackOutcome) {
        let mut state = self.state();
        let before = state.refusing().is_some();
        match outcome {
            WritebackOutcome::Receipt { .. } => state.refusals = None,
            WritebackOutcome::Refused { reason, .. } => state.refused(user, reason),
            WritebackOutcome::Noted(_) => {}
        }
        let now = state.refusing();
        if now.is_some() != before {
            if let Some(streak) = now {
                tracing::warn!(
                    alert = "target_refuses",
                    people = streak.people,
                    reason = streak.reason,
                    "several users in a row were refused for one reason: run `photorelay-agent doctor`"
                );
            }
            self.changed.notify_one();
        }
    }

    pub(crate) fn unfinished(&self, item: (UserId, u32), waits_since: Timestamp) {
        let mut state = self.state();
        if state.unfinished.len() < MAX_UNFINISHED {
            state.unfinished.entry(item).or_insert((waits_since, waits_since)).1 = Timestamp::now();
        }
    }

    /// Why nothing is written now; none once the agent continues.
    pub(crate) fn pause(&self, why: Option<&str>) {
        let mut state = self.state();
        if state.paused.as_deref() != why {
            state.paused = why.map(str::to_owned);
            self.changed.notify_one();
        }
    }

    /// Why the feed is not published; none once it is.
    pub(crate) fn withhold(&self, why: Option<&str>) {
        let mut state = self.state();
        if state.withheld.as_deref() != why {
            state.withheld = why.map(str::to_owned);
            self.changed.notify_one();
        }
    }

    /// Writes the heartbeat at the start, every minute, whenever the agent pauses or resumes, and at the end.
    pub(crate) async fn report_until<F: Future<Output = Result<(), StoreError>>>(
        &self,
        stop: &CancellationToken,
        write_heartbeat: impl Fn() -> F,
    ) {
        loop {
            let stopping = stop.is_cancelled();
            if let Err(error) = write_heartbeat().await {
                tracing::warn!(%error, "the heartbeat could not be written");
            }
            if stopping {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(HEARTBEAT) => {}
                () = self.changed.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    pub(crate) fn heartbeat(&self, settings: &WritebackSettings) -> Heartbeat {
        let now = Timestamp::now();
        let mut state = self.state();
        state.unfinished.retain(|_, (_, tried)| now.as_second() - tried.as_second() < FORGOTTEN_AFTER);
        Heartbeat {
            v: V1,
            target: settings.target.clone(),
            agent: settings.agent.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            at: now,
            last_success_at: state.last_success_at,
            oldest_unfinished_at: state.unfinished.values().map(|(since, _)| *since).min(),
            paused: state.paused.clone(),
            refusing: state.refusing(),
            withheld: state.withheld.clone(),
            dry_run: settings.dry_run,
            certificate_expires_at: settings.certificate_expires_at,
        }
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HealthState {
    fn refused(&mut self, user: UserId, reason: &str) {
        let kind = kind(reason);
        let now = Timestamp::now();
        let mut refusals = self.refusals.take().filter(|refusals| refusals.kind == kind).unwrap_or_else(|| Refusals {
            kind,
            reason: String::new(),
            users: BTreeSet::new(),
            since: now,
        });
        reason.clone_into(&mut refusals.reason);
        if refusals.users.len() < MAX_UNFINISHED {
            refusals.users.insert(user);
        }
        self.refusals = Some(refusals);
    }

    fn refusing(&self) -> Option<RefusalStreak> {
        let refusals = self.refusals.as_ref().filter(|refusals| refusals.users.len() >= REFUSED_IN_A_ROW)?;
        Some(RefusalStreak {
            people: refusals.users.len() as u64,
            reason: refusals.reason.clone(),
            since: refusals.since,
        })
    }
}

/// A reason without what differs between users: what stands in brackets, numbers and ids.
pub(crate) fn kind(reason: &str) -> String {
    let sentence = reason.split(" (").next().unwrap_or_default();
    let words = sentence.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reason_is_one_whoever_it_is_about() {
        let two = |one: &str, other: &str| kind(one) == kind(other);
        assert!(two(
            "the rendition has 9000 bytes, and the target takes 10",
            "the rendition has 8 bytes, and the target takes 10"
        ));
        assert!(two("anchor and SID do not agree (anchor: none)", "anchor and SID do not agree (anchor: a1b2)"));
        assert!(!two("no user is found", "several users are found"));
        assert!(two(
            "the directory answered 19 constraintViolation: x",
            "the directory answered 21 constraintViolation: x"
        ));
    }
}
