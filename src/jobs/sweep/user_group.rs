//! The users of one request, and what an answer means for each of them: observed, to be asked about again, or left to a
//! check, which can wait longer. Pure, but for the waiting.
//!
//! One user must never decide for the others: every delay and every failure is that user's own, and a request that
//! failed as a whole is repeated in halves.

use std::time::{Duration, Instant};

use photorelay_core::id::UserId;
use photorelay_core::retry;

use super::observation::{Observation, Observations};
use crate::graph::{GraphError, PhotoState};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(20);
/// Enough for throttling to pass, and for a user to be the only one of a request that fails.
const MAX_ATTEMPTS: u32 = 6;
/// Of one user who is not throttled: whatever it is, a check can wait longer for it to pass.
const MAX_ATTEMPTS_ALONE: u32 = 3;

pub(super) type BatchAnswer = Result<Vec<(UserId, Result<PhotoState, GraphError>)>, GraphError>;

/// Users to ask about in one request, and how often and how long that was put off.
pub(super) struct UserGroup {
    pub(super) users: Vec<UserId>,
    pub(super) delay: Duration,
    attempt: u32,
    /// The delays before this one.
    waited: Duration,
}

/// What an answer brought.
#[derive(Default)]
pub(super) struct SortedAnswer {
    pub(super) observations: Observations,
    /// To be asked about again after their delay: the request as a whole was not answered.
    pub(super) halves: Vec<UserGroup>,
    /// To be asked about again after a delay of their own.
    pub(super) later: Vec<UserGroup>,
    pub(super) unreadable: Vec<UserId>,
    pub(super) throttled: usize,
    /// The request failed as a whole.
    pub(super) is_whole: bool,
    /// One of the failures, if there was any.
    pub(super) error: Option<GraphError>,
}

impl UserGroup {
    pub(super) fn first(users: &[UserId]) -> Self {
        Self { users: users.to_vec(), delay: Duration::ZERO, attempt: 0, waited: Duration::ZERO }
    }

    /// Whether these are many users that no earlier request was about: not the ones who failed before.
    pub(super) fn is_unasked(&self) -> bool {
        self.attempt == 0 && self.users.len() > 1
    }

    /// The group once its delay is over, or at the deadline.
    pub(super) async fn rest(self, deadline: Option<Instant>) -> Self {
        let left = deadline.map_or(self.delay, |deadline| deadline.saturating_duration_since(Instant::now()));
        tokio::time::sleep(self.delay.min(left)).await;
        Self { delay: Duration::ZERO, ..self }
    }

    /// An `Err` ends the run.
    pub(super) fn sort(&self, answer: BatchAnswer, longest_wait: Duration) -> Result<SortedAnswer, GraphError> {
        let backoff = retry::backoff(FIRST_DELAY, MAX_DELAY, self.attempt);
        let states = match answer {
            Ok(states) => states,
            // Every retry would be answered alike, or come later than a run waits.
            Err(error) if !error.is_transient() || retry_after(&error) > longest_wait => return Err(error),
            Err(error) => return Ok(self.unanswered(error, backoff)),
        };
        let mut sorted = SortedAnswer::default();
        let mut soon = Vec::new();
        for (user, state) in states {
            let error = match state {
                Ok(state) => {
                    sorted.observations.push((user, Observation::State(state)));
                    continue;
                }
                Err(error) => error,
            };
            let attempts = if is_throttled(&error) { MAX_ATTEMPTS } else { MAX_ATTEMPTS_ALONE };
            sorted.throttled += usize::from(is_throttled(&error));
            let delay = retry_after(&error).max(backoff);
            let is_given_up =
                !error.is_transient() || self.attempt + 1 >= attempts || self.waited + delay > longest_wait;
            match delay {
                _ if is_given_up => sorted.unreadable.push(user),
                delay if delay == backoff => soon.push(user),
                delay => sorted.later.push(self.again(vec![user], delay)),
            }
            sorted.error = Some(error);
        }
        if !soon.is_empty() {
            sorted.later.push(self.again(soon, backoff));
        }
        Ok(sorted)
    }

    /// The request failed as a whole. One user may be the reason, and ends up alone.
    fn unanswered(&self, error: GraphError, backoff: Duration) -> SortedAnswer {
        let mut sorted =
            SortedAnswer { is_whole: true, throttled: usize::from(is_throttled(&error)), ..SortedAnswer::default() };
        if self.attempt + 1 >= MAX_ATTEMPTS {
            sorted.unreadable = self.users.clone();
        } else {
            // A throttled app asks for less only by waiting.
            let (part, delay) = match is_throttled(&error) {
                true => (self.users.len(), backoff),
                false => (self.users.len().div_ceil(2), FIRST_DELAY),
            };
            let delay = retry_after(&error).max(delay);
            sorted.halves = self.users.chunks(part.max(1)).map(|users| self.again(users.to_vec(), delay)).collect();
        }
        sorted.error = Some(error);
        sorted
    }

    fn again(&self, users: Vec<UserId>, delay: Duration) -> Self {
        Self { users, delay, attempt: self.attempt + 1, waited: self.waited + delay }
    }
}

fn is_throttled(error: &GraphError) -> bool {
    matches!(error, GraphError::Throttled { .. })
}

fn retry_after(error: &GraphError) -> Duration {
    error.retry_after().unwrap_or_default()
}
