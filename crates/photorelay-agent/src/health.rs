//! What the agent knows of its own health, and the heartbeat that reports it. Health is the age of the oldest unfinished
//! item, not that the process is up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use photorelay_core::contract::{Heartbeat, V1};
use photorelay_core::id::UserId;
use tokio::sync::Notify;

use crate::writeback::WritebackSettings;

/// At most so many unfinished items are tracked.
const MAX_UNFINISHED: usize = 10_000;
/// An item that was not seen again for so many seconds was finished by another agent: items come back within an hour.
const FORGOTTEN_AFTER: i64 = 2 * 3600;

#[derive(Debug)]
pub(crate) struct Health {
    started_at: Timestamp,
    state: Mutex<HealthState>,
    /// The agent paused or continued: worth a heartbeat of its own.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct HealthState {
    last_success_at: Option<Timestamp>,
    /// Since when an item has been waiting, and when it was tried last.
    unfinished: HashMap<(UserId, u32), (Timestamp, Timestamp)>,
    paused: Option<String>,
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
            dry_run: settings.dry_run,
            certificate_expires_at: settings.certificate_expires_at,
        }
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
