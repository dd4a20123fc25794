//! How many requests to Graph are under way at once: more while it answers them, half as many when it throttles.
//!
//! All users of the client share the limit, because Graph counts them together. It only ever delays a request, and one of
//! normal priority by no more than one of a sweep, however many of those wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::request::Priority;

const FIRST: usize = 16;
const LEAST: usize = 4;
/// Graph documents no number for an app: it counts, and throttles. More than this hides no more of the time that a request
/// takes, because the list of users comes page by page.
pub(crate) const MOST_REQUESTS_AT_ONCE: usize = 64;
/// The refusals of requests that were under way together count once.
const ONE_REFUSAL: Duration = Duration::from_secs(1);

/// Clones share the limit.
#[derive(Debug, Clone)]
pub(super) struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    /// Held by the one request of low priority that waits for a permit; the others wait for it.
    low_turn: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<LimitState>>,
}

#[derive(Debug)]
struct LimitState {
    limit: usize,
    /// Answers since the limit was last changed.
    streak: usize,
    /// Permits that are taken away when they come back.
    owed: usize,
    last_cut: Option<Instant>,
}

impl Default for ConcurrencyLimit {
    fn default() -> Self {
        let state = LimitState { limit: FIRST, streak: 0, owed: 0, last_cut: None };
        Self { permits: Arc::new(Semaphore::new(FIRST)), low_turn: Arc::default(), state: Arc::new(Mutex::new(state)) }
    }
}

impl ConcurrencyLimit {
    /// A place among the requests under way.
    pub(super) async fn permit(&self, priority: Priority) -> RequestPermit {
        let _turn = match priority {
            Priority::Low => Some(self.low_turn.lock().await),
            Priority::Normal => None,
        };
        // The semaphore is never closed, so that a permit is always given.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok();
        RequestPermit { permit, limit: self.clone() }
    }

    /// Graph answered a request without throttling it. Until it first throttles, each answer makes room for one more.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.streak += 1;
        let is_enough = state.last_cut.is_none() || state.streak > state.limit;
        if !is_enough || state.limit >= MOST_REQUESTS_AT_ONCE {
            return;
        }
        (state.limit, state.streak) = (state.limit + 1, 0);
        match state.owed {
            0 => self.permits.add_permits(1),
            _ => state.owed -= 1,
        }
    }

    pub(super) fn throttled(&self) {
        let mut state = self.state();
        if state.last_cut.is_some_and(|at| at.elapsed() < ONE_REFUSAL) {
            return;
        }
        let limit = (state.limit / 2).max(LEAST);
        let fewer = state.limit - limit;
        state.owed += fewer - self.permits.forget_permits(fewer);
        (state.limit, state.streak, state.last_cut) = (limit, 0, Some(Instant::now()));
        tracing::debug!(limit, "Graph throttles: fewer requests at once");
    }

    fn state(&self) -> MutexGuard<'_, LimitState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held while a request is under way.
#[derive(Debug)]
pub(super) struct RequestPermit {
    permit: Option<OwnedSemaphorePermit>,
    limit: ConcurrencyLimit,
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let mut state = self.limit.state();
        if state.owed > 0
            && let Some(permit) = self.permit.take()
        {
            state.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Takes as many places as there are.
    fn all(limit: &ConcurrencyLimit) -> Vec<RequestPermit> {
        std::iter::from_fn(|| limit.permit(Priority::Low).now_or_never()).collect()
    }

    #[test]
    fn a_change_waits_behind_one_request_of_a_sweep_and_not_behind_all_of_them() {
        let limit = ConcurrencyLimit::default();
        let mut under_way = all(&limit);
        let mut sweep: Vec<_> = (0..10).map(|_| Box::pin(limit.permit(Priority::Low))).collect();
        assert!(sweep.iter_mut().all(|request| request.now_or_never().is_none()));
        let mut change = Box::pin(limit.permit(Priority::Normal));
        assert!((&mut change).now_or_never().is_none());

        under_way.truncate(FIRST - 2);
        assert!(sweep[0].as_mut().now_or_never().is_some());
        assert!(change.now_or_never().is_some(), "nine more requests of the sweep wait");
    }

    #[test]
    fn each_answer_makes_room_for_one_more_request_up_to_the_most() {
        let limit = ConcurrencyLimit::default();
        (0..3).for_each(|_| limit.answered());
        assert_eq!(all(&limit).len(), FIRST + 3);
        (0..1000).for_each(|_| limit.answered());
        assert_eq!(all(&limit).len(), MOST_REQUESTS_AT_ONCE);
    }

    #[test]
    fn throttling_halves_the_requests_also_those_that_are_under_way() {
        let limit = ConcurrencyLimit::default();
        let under_way = all(&limit);
        limit.throttled();
        limit.throttled();
        assert!(all(&limit).is_empty());
        drop(under_way);
        assert_eq!(all(&limit).len(), FIRST / 2, "refusals that come together count once");
    }

    #[test]
    fn after_throttling_room_grows_slowly_and_there_is_always_some() {
        let limit = ConcurrencyLimit::default();
        for _ in 0..10 {
            limit.throttled();
            limit.state().last_cut = Some(Instant::now() - ONE_REFUSAL);
        }
        assert_eq!(all(&limit).len(), LEAST);
        (0..=LEAST).for_each(|_| limit.answered());
        assert_eq!(all(&limit).len(), LEAST + 1);
    }
}
