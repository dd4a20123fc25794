//! Reads the ETags of many people, as fast as Graph lets us: fewer requests at once when it asks to slow down, slowly
//! more when it does not.
//!
//! One person whom Graph will not tell about holds nobody up; when it tells about nobody, the sweep ends for now.

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
/// Graph is down if so many requests in a row fail as a whole; each of them was repeated by the client already.
const MAX_FAILURES_IN_A_ROW: u32 = 4;

/// What Graph says about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    State(PhotoState),
    /// It fails for this one again and again; a check can wait longer for an answer.
    Unreadable,
}

impl Observation {
    pub(super) fn is_photo(&self) -> bool {
        matches!(self, Observation::State(PhotoState::Present { .. }))
    }
}

pub(super) struct AdaptiveConcurrency {
    at_once: usize,
    most: usize,
    /// Good answers since the number at once was last changed.
    streak: usize,
    longest_wait: Duration,
    failures_in_a_row: u32,
    pub(super) requests: u64,
    pub(super) throttled: u64,
}

/// People to ask about, and how often that has failed.
struct Group {
    users: Vec<UserId>,
    attempt: u32,
    delay: Duration,
}

impl AdaptiveConcurrency {
    pub(super) fn new(most: usize, longest_wait: Duration) -> Self {
        let most = most.max(1);
        Self {
            at_once: most.div_ceil(2),
            most,
            streak: 0,
            longest_wait,
            failures_in_a_row: 0,
            requests: 0,
            throttled: 0,
        }
    }

    /// Asks about all of them and tells the answers as they come.
    pub(super) async fn read(
        &mut self,
        graph: &Graph,
        users: &[UserId],
        told: mpsc::UnboundedSender<Vec<(UserId, Observation)>>,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), GraphError> {
        let mut waiting: VecDeque<Group> = users
            .chunks(MAX_BATCH)
            .map(|users| Group { users: users.to_vec(), attempt: 0, delay: Duration::ZERO })
            .collect();
        let mut anybody_was_told = false;
        let mut unreadable = Vec::new();
        let mut last_error = None;
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < self.at_once
                && let Some(group) = waiting.pop_front()
            {
                self.requests += 1;
                under_way.push(ask(graph, group));
            }
            let Some((group, answer)) = under_way.next().await else { break };
            let (mut failed, mut error) = (Vec::new(), None);
            match answer {
                Ok(states) => {
                    self.failures_in_a_row = 0;
                    let mut sights = Vec::with_capacity(states.len());
                    for (user, state) in states {
                        match state {
                            Ok(state) => sights.push((user, Observation::State(state))),
                            Err(wrong) => {
                                failed.push(user);
                                error = Some(longer(error, wrong));
                            }
                        }
                    }
                    anybody_was_told |= !sights.is_empty();
                    self.tell(progress, sights.len());
                    // Nobody listens any more only when the sweep has failed otherwise.
                    let _ = told.send(sights);
                }
                // Nobody will answer differently before somebody has done something.
                Err(wrong) if !wrong.is_transient() => return Err(wrong),
                Err(wrong) => {
                    self.failures_in_a_row += 1;
                    if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW {
                        return Err(wrong);
                    }
                    failed = group.users;
                    error = Some(wrong);
                }
            }
            let Some(error) = error else {
                self.went_well(graph.limit_percentage());
                continue;
            };
            let asked = error.retry_after().unwrap_or_default();
            if matches!(error, GraphError::Throttled { .. }) {
                self.was_throttled();
            }
            if asked > self.longest_wait {
                return Err(error);
            }
            if group.attempt + 1 >= MAX_ATTEMPTS || !error.is_transient() {
                unreadable.extend(failed);
            } else {
                let delay = retry::backoff(FIRST_DELAY, MAX_DELAY, group.attempt).max(asked);
                waiting.push_front(Group { users: failed, attempt: group.attempt + 1, delay });
            }
            last_error = Some(error);
        }
        match last_error {
            Some(error) if !anybody_was_told && users.len() >= MAX_BATCH => Err(error),
            _ => {
                self.tell(progress, unreadable.len());
                let _ = told.send(unreadable.into_iter().map(|user| (user, Observation::Unreadable)).collect());
                Ok(())
            }
        }
    }

    fn tell(&self, progress: &watch::Sender<Progress>, done: usize) {
        progress.send_modify(|progress| {
            progress.done += done;
            (progress.requests, progress.throttled, progress.at_once) = (self.requests, self.throttled, self.at_once);
        });
    }

    /// `used` is how much of its limit the tenant has used, where Graph has said so lately.
    fn went_well(&mut self, used: Option<f64>) {
        match used {
            // Over the limit already: the next answers would be refusals.
            Some(used) if used >= 1.0 => (self.at_once, self.streak) = ((self.at_once - 1).max(1), 0),
            // Near it.
            Some(_) => self.streak = 0,
            None => {
                self.streak += 1;
                if self.streak > self.at_once && self.at_once < self.most {
                    (self.at_once, self.streak) = (self.at_once + 1, 0);
                }
            }
        }
    }

    fn was_throttled(&mut self) {
        self.throttled += 1;
        (self.at_once, self.streak) = ((self.at_once / 2).max(1), 0);
    }
}

type Answer = Result<Vec<(UserId, Result<PhotoState, GraphError>)>, GraphError>;

/// Waits inside, so that a group that has to wait takes the place of one that could be asked.
async fn ask(graph: &Graph, group: Group) -> (Group, Answer) {
    if !group.delay.is_zero() {
        tokio::time::sleep(group.delay).await;
    }
    let answer = Box::pin(graph.photo_states(&group.users, Priority::Low)).await;
    (group, answer)
}

/// Of two failures, the one that asks to wait longer.
fn longer(one: Option<GraphError>, other: GraphError) -> GraphError {
    match one {
        Some(one) if one.retry_after() >= other.retry_after() => one,
        _ => other,
    }
}
