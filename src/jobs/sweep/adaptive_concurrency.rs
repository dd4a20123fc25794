//! Reads the ETags of many users as fast as Graph allows: fewer concurrent requests when it throttles, slowly more when
//! it does not.
//!
//! A user that Graph does not answer about delays no other; if it answers about none, the sweep ends for now.

use std::collections::VecDeque;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use photorelay_core::id::UserId;
use photorelay_core::retry;
use tokio::sync::{mpsc, watch};

use super::run::Progress;
use crate::graph::{Graph, GraphError, MAX_BATCH, PhotoState, Priority};

const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(20);
const MAX_ATTEMPTS: u32 = 6;
/// Graph is down if this many requests in a row fail as a whole; the client has already retried each of them.
const MAX_FAILURES_IN_A_ROW: u32 = 4;

/// What Graph shows of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    State(PhotoState),
    /// Every attempt failed for this one; a check can wait longer for an answer.
    Unreadable,
}

impl Observation {
    pub(super) fn is_photo(&self) -> bool {
        matches!(self, Observation::State(PhotoState::Present { .. }))
    }
}

pub(super) struct AdaptiveConcurrency {
    /// Requests that may be under way at once now.
    limit: usize,
    max: usize,
    /// Answers without failure since the limit was last changed.
    streak: usize,
    longest_wait: Duration,
    failures_in_a_row: u32,
    pub(super) requests: u64,
    pub(super) throttled: u64,
}

/// Users to ask about in one request, and how often that has failed.
struct UserGroup {
    users: Vec<UserId>,
    attempt: u32,
    delay: Duration,
}

/// Users without an answer, and the failure that asks for the longest delay.
struct Unanswered {
    users: Vec<UserId>,
    error: GraphError,
}

type Observations = Vec<(UserId, Observation)>;

impl AdaptiveConcurrency {
    pub(super) fn new(max: usize, longest_wait: Duration) -> Self {
        let max = max.max(1);
        Self { limit: max.div_ceil(2), max, streak: 0, longest_wait, failures_in_a_row: 0, requests: 0, throttled: 0 }
    }

    /// Asks about all of the users and sends the observations as they come.
    pub(super) async fn read(
        &mut self,
        graph: &Graph,
        users: &[UserId],
        observed: mpsc::UnboundedSender<Observations>,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), GraphError> {
        let groups = users.chunks(MAX_BATCH);
        let groups = groups.map(|users| UserGroup { users: users.to_vec(), attempt: 0, delay: Duration::ZERO });
        let mut waiting: VecDeque<UserGroup> = groups.collect();
        let mut is_any_observed = false;
        let mut unreadable = Vec::new();
        let mut last_error = None;
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.limit
                && let Some(group) = waiting.pop_front()
            {
                self.requests += 1;
                under_way.push(ask(graph, group));
            }
            let Some((group, answer)) = under_way.next().await else { break };
            let (observations, unanswered) = self.sort(group.users, answer)?;
            if !observations.is_empty() {
                is_any_observed = true;
                self.report(progress, observations.len());
                // The receiver is gone only if the sweep has failed otherwise.
                let _ = observed.send(observations);
            }
            let Some(Unanswered { users, error }) = unanswered else {
                self.speed_up(graph.limit_percentage());
                continue;
            };
            match self.retry_delay(&error, group.attempt)? {
                Some(delay) => waiting.push_front(UserGroup { users, attempt: group.attempt + 1, delay }),
                None => unreadable.extend(users),
            }
            last_error = Some(error);
        }
        match last_error {
            Some(error) if !is_any_observed && users.len() >= MAX_BATCH => Err(error),
            _ => {
                self.report(progress, unreadable.len());
                let _ = observed.send(unreadable.into_iter().map(|user| (user, Observation::Unreadable)).collect());
                Ok(())
            }
        }
    }

    /// What an answer shows of its users, and which of them it leaves out. An `Err` ends the run.
    fn sort(
        &mut self,
        users: Vec<UserId>,
        answer: BatchAnswer,
    ) -> Result<(Observations, Option<Unanswered>), GraphError> {
        let states = match answer {
            Ok(states) => states,
            // Every retry would be answered alike.
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) => {
                self.failures_in_a_row += 1;
                let is_down = self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW;
                return if is_down { Err(error) } else { Ok((Vec::new(), Some(Unanswered { users, error }))) };
            }
        };
        self.failures_in_a_row = 0;
        let mut observations = Vec::with_capacity(states.len());
        let mut unanswered: Option<Unanswered> = None;
        for (user, state) in states {
            match (state, &mut unanswered) {
                (Ok(state), _) => observations.push((user, Observation::State(state))),
                (Err(error), None) => unanswered = Some(Unanswered { users: vec![user], error }),
                (Err(error), Some(unanswered)) => {
                    unanswered.users.push(user);
                    if error.retry_after() > unanswered.error.retry_after() {
                        unanswered.error = error;
                    }
                }
            }
        }
        Ok((observations, unanswered))
    }

    /// When to ask again; none if it has failed too often. An `Err` ends the run: Graph asks to wait too long.
    fn retry_delay(&mut self, error: &GraphError, attempt: u32) -> Result<Option<Duration>, GraphError> {
        if matches!(error, GraphError::Throttled { .. }) {
            self.slow_down();
        }
        let retry_after = error.retry_after().unwrap_or_default();
        if retry_after > self.longest_wait {
            return Err(error.clone());
        }
        let is_given_up = attempt + 1 >= MAX_ATTEMPTS || !error.is_transient();
        Ok((!is_given_up).then(|| retry::backoff(FIRST_DELAY, MAX_DELAY, attempt).max(retry_after)))
    }

    fn report(&self, progress: &watch::Sender<Progress>, done: usize) {
        progress.send_modify(|progress| {
            progress.done += done;
            (progress.requests, progress.throttled, progress.concurrency) = (self.requests, self.throttled, self.limit);
        });
    }

    /// `used` is how much of its limit the tenant has used, if Graph has said so within the last seconds.
    fn speed_up(&mut self, used: Option<f64>) {
        match used {
            // Over the limit already: the next requests would be refused.
            Some(used) if used >= 1.0 => (self.limit, self.streak) = ((self.limit - 1).max(1), 0),
            // Near it.
            Some(_) => self.streak = 0,
            None => {
                self.streak += 1;
                if self.streak > self.limit && self.limit < self.max {
                    (self.limit, self.streak) = (self.limit + 1, 0);
                }
            }
        }
    }

    fn slow_down(&mut self) {
        self.throttled += 1;
        (self.limit, self.streak) = ((self.limit / 2).max(1), 0);
    }
}

type BatchAnswer = Result<Vec<(UserId, Result<PhotoState, GraphError>)>, GraphError>;

/// Waits inside, so that a group with a delay counts towards the limit.
async fn ask(graph: &Graph, group: UserGroup) -> (UserGroup, BatchAnswer) {
    if !group.delay.is_zero() {
        tokio::time::sleep(group.delay).await;
    }
    let answer = Box::pin(graph.photo_states(&group.users, Priority::Low)).await;
    (group, answer)
}
