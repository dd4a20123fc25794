//! Reads the ETags of many users as fast as Graph allows: fewer concurrent requests when it throttles, slowly more when
//! it does not.
//!
//! A user that Graph does not answer about, or asks to wait for, delays no other: the others are asked about without
//! that one. If Graph answers about none, the run ends for now.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use photorelay_core::id::UserId;
use tokio::sync::{mpsc, watch};

use super::observation::{Observation, Observations};
use super::run::Progress;
use super::user_group::{BatchAnswer, SortedAnswer, UserGroup};
use crate::graph::{Graph, GraphError, MAX_BATCH, Priority};

/// Graph is down if this many requests in a row bring no answer about any user. That is more than run at once, so that a
/// few users for whom every request fails do not look like it.
const MAX_FAILURES_IN_A_ROW: u32 = 12;

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

impl AdaptiveConcurrency {
    pub(super) fn new(max: usize, longest_wait: Duration) -> Self {
        let max = max.max(1);
        Self { limit: max.div_ceil(2), max, streak: 0, longest_wait, failures_in_a_row: 0, requests: 0, throttled: 0 }
    }

    /// Asks about all of the users and sends the observations as they come. After the deadline, no request begins but the
    /// first, so that every run gets ahead; users without an observation are left to the next run.
    pub(super) async fn read(
        &mut self,
        graph: &Graph,
        users: &[UserId],
        deadline: Option<Instant>,
        observed: mpsc::UnboundedSender<Observations>,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), GraphError> {
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let mut waiting: VecDeque<UserGroup> = users.chunks(MAX_BATCH).map(UserGroup::first).collect();
        let mut is_any_observed = false;
        let mut unreadable = Vec::new();
        let mut last_error = None;
        let mut under_way = FuturesUnordered::new();
        // What single users wait for takes no place among the requests.
        let mut resting = FuturesUnordered::new();
        loop {
            while under_way.len() < self.limit
                && (self.requests == 0 || !is_over())
                && let Some(group) = waiting.pop_front()
            {
                self.requests += 1;
                under_way.push(ask(graph, group, deadline));
            }
            let (group, answer) = tokio::select! {
                Some(answered) = under_way.next() => match answered {
                    (group, Some(answer)) => (group, answer),
                    (_, None) => continue,
                },
                Some(rested) = resting.next(), if !is_over() => {
                    waiting.push_front(rested);
                    continue;
                }
                else => break,
            };
            let sorted = group.sort(answer, self.longest_wait)?;
            self.adapt(&group, &sorted, graph.limit_percentage())?;
            if !sorted.observations.is_empty() {
                is_any_observed = true;
                self.report(progress, sorted.observations.len());
                // The receiver is gone only if the sweep has failed otherwise.
                let _ = observed.send(sorted.observations);
            }
            unreadable.extend(sorted.unreadable);
            sorted.halves.into_iter().rev().for_each(|half| waiting.push_front(half));
            resting.extend(sorted.later.into_iter().map(|group| group.rest(deadline)));
            last_error = sorted.error.or(last_error);
        }
        match last_error {
            Some(error) if !is_any_observed && users.len() >= MAX_BATCH && !is_over() => Err(error),
            _ => {
                self.report(progress, unreadable.len());
                let _ = observed.send(unreadable.into_iter().map(|user| (user, Observation::Unreadable)).collect());
                Ok(())
            }
        }
    }

    /// Fewer or more requests after this answer. An `Err` ends the run: Graph is down, or throttles all requests.
    fn adapt(&mut self, group: &UserGroup, sorted: &SortedAnswer, used: Option<f64>) -> Result<(), GraphError> {
        if !sorted.observations.is_empty() {
            self.failures_in_a_row = 0;
        } else if let Some(error) = sorted.error.as_ref().filter(|_| sorted.is_whole || group.is_unasked()) {
            self.failures_in_a_row += 1;
            if self.failures_in_a_row >= MAX_FAILURES_IN_A_ROW {
                return Err(error.clone());
            }
        }
        self.throttled += u64::from(sorted.throttled > 0);
        match &sorted.error {
            None => self.speed_up(used),
            // One user alone is throttled by their own mailbox.
            Some(_) if sorted.throttled > 1 || (sorted.is_whole && sorted.throttled > 0) => self.slow_down(),
            Some(_) => {}
        }
        Ok(())
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
        (self.limit, self.streak) = ((self.limit / 2).max(1), 0);
    }
}

/// Waits inside, so that a group with a delay counts towards the limit. There is no answer if it would have to wait
/// beyond the deadline.
async fn ask(graph: &Graph, group: UserGroup, deadline: Option<Instant>) -> (UserGroup, Option<BatchAnswer>) {
    if deadline.is_some_and(|deadline| !group.delay.is_zero() && Instant::now() + group.delay >= deadline) {
        return (group, None);
    }
    if !group.delay.is_zero() {
        tokio::time::sleep(group.delay).await;
    }
    let answer = Box::pin(graph.photo_states(&group.users, Priority::Low)).await;
    (group, Some(answer))
}
