//! What the directory calls the users on a page: kept in memory, because Graph may take longer than a page may.
//!
//! A page waits a moment for Graph and shows ids where it does not answer; the next page then has the names. Where Graph is
//! not configured, no page has names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use photorelay_core::id::UserId;
use tokio_util::task::TaskTracker;

use crate::graph::{DirectoryName, Graph, MAX_BATCH};

/// How long a page waits for names.
const PATIENCE: Duration = Duration::from_millis(120);
/// More than an operator looks at; then the memory is emptied.
const MAX_KEPT: usize = 5_000;

#[derive(Debug)]
pub(super) struct NameCache {
    graph: Option<Arc<Graph>>,
    tasks: TaskTracker,
    /// None for a user whom Graph does not know.
    known: Arc<Mutex<NamesById>>,
}

impl NameCache {
    pub(super) fn new(graph: Option<Arc<Graph>>, tasks: TaskTracker) -> Self {
        Self { graph, tasks, known: Arc::default() }
    }

    /// Remembers what a search has found.
    pub(super) fn learn(&self, found: &[DirectoryName]) {
        let mut known = locked(&self.known);
        make_room(&mut known);
        known.extend(found.iter().map(|name| (name.id, Some(name.clone()))));
    }

    /// The names that are known, or come within a moment.
    pub(super) async fn of(&self, users: &[UserId]) -> HashMap<UserId, DirectoryName> {
        let missing: Vec<UserId> = {
            let known = locked(&self.known);
            users.iter().filter(|user| !known.contains_key(user)).copied().collect()
        };
        if let (Some(graph), false) = (self.graph.clone(), missing.is_empty()) {
            let known = Arc::clone(&self.known);
            let asking = self.tasks.spawn(async move {
                for some in missing.chunks(MAX_BATCH) {
                    // A page without names is complete; `doctor` says why Graph does not answer.
                    let Ok(found) = graph.names_of(some).await else { return };
                    let mut known = locked(&known);
                    make_room(&mut known);
                    known.extend(some.iter().map(|user| (*user, None)));
                    known.extend(found.into_iter().map(|name| (name.id, Some(name))));
                }
            });
            let _ = tokio::time::timeout(PATIENCE, asking).await;
        }
        let known = locked(&self.known);
        users.iter().filter_map(|user| Some((*user, known.get(user)?.clone()?))).collect()
    }
}

type NamesById = HashMap<UserId, Option<DirectoryName>>;

fn make_room(known: &mut NamesById) {
    if known.len() >= MAX_KEPT {
        known.clear();
    }
}

fn locked(known: &Mutex<NamesById>) -> MutexGuard<'_, NamesById> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
