//! The status of the system, computed in the background: it counts all users, which no page may wait for.
//!
//! One computation runs at a time. Pages show the newest result with its age, and ask for another when it is old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};
use tokio_util::task::TaskTracker;

use crate::jobs::watch::{Status, Watch};

/// A result older than this is computed again when a page is opened.
const FRESH: Duration = Duration::from_secs(20);

/// A status, and what it took to compute it.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) status: Status,
    pub(super) took: Duration,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The newest result.
    pub(super) measured: Option<Arc<Measured>>,
    /// Why the last computation failed.
    pub(super) problem: Option<String>,
    pub(super) is_running: bool,
}

#[derive(Debug)]
pub(super) struct StatusCache {
    watch: Watch,
    tasks: TaskTracker,
    known: watch::Sender<Known>,
    /// When the last computation ended.
    ended: Arc<Mutex<Option<Instant>>>,
}

impl StatusCache {
    pub(super) fn new(watch: Watch, tasks: TaskTracker) -> Self {
        Self { watch, tasks, known: watch::Sender::default(), ended: Arc::default() }
    }

    /// What is known, after at most this long if nothing is known yet.
    pub(super) async fn latest(&self, patience: Duration) -> Known {
        self.refresh().await;
        let mut known = self.known.subscribe();
        let is_first = known.borrow().measured.is_none();
        if is_first {
            // Whether or not it came in time, what is known is shown.
            let _ = tokio::time::timeout(patience, known.wait_for(|known| !known.is_running)).await;
        }
        known.borrow().clone()
    }

    async fn refresh(&self) {
        let ended = *self.ended.lock().await;
        if ended.is_some_and(|ended| ended.elapsed() < FRESH) {
            return;
        }
        let begins = self.known.send_if_modified(|known| !std::mem::replace(&mut known.is_running, true));
        if !begins {
            return;
        }
        let (watch, known, ended) = (self.watch.clone(), self.known.clone(), Arc::clone(&self.ended));
        self.tasks.spawn(async move {
            let began = Instant::now();
            let found = watch.status(Timestamp::now()).await;
            *ended.lock().await = Some(Instant::now());
            known.send_modify(|known| {
                known.is_running = false;
                known.problem = found.as_ref().err().map(ToString::to_string);
                if let Ok(status) = found {
                    known.measured = Some(Arc::new(Measured { status, took: began.elapsed() }));
                }
            });
        });
    }
}
