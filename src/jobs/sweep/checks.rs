//! Checks that a sweep has decided on and not sent yet, collected so that messages are full.

use photorelay_core::contract::{CauseKind, FetchPolicy, MAX_PEOPLE_PER_CHECK};
use photorelay_core::id::UserId;
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::QueueStore;
use photorelay_core::store::StoreError;
use photorelay_core::trace::TraceContext;

use crate::jobs::notify::{checks, checks_at};

/// Messages that are sent by one call.
const MESSAGES_AT_ONCE: usize = 32;

#[derive(Default)]
pub(super) struct PendingChecks {
    if_changed: Vec<UserId>,
    always: Vec<UserId>,
    /// Each in a message of its own: Graph has failed for them.
    alone: Vec<(UserId, FetchPolicy)>,
}

impl PendingChecks {
    pub(super) fn add(&mut self, user: UserId, policy: FetchPolicy) {
        match policy {
            FetchPolicy::IfChanged => self.if_changed.push(user),
            FetchPolicy::Always => self.always.push(user),
        }
    }

    /// The check of a user for whom Graph has failed.
    pub(super) fn add_alone(&mut self, user: UserId, policy: FetchPolicy) {
        self.alone.push((user, policy));
    }

    /// Sends the checks that fill whole messages.
    pub(super) async fn send_full(&mut self, queues: &dyn QueueStore, trace: &TraceContext) -> Result<(), StoreError> {
        let full = |waiting: &Vec<UserId>| waiting.len() - waiting.len() % MAX_PEOPLE_PER_CHECK;
        let (if_changed, always) = (full(&self.if_changed), full(&self.always));
        self.send(if_changed, always, queues, trace).await
    }

    pub(super) async fn send_all(&mut self, queues: &dyn QueueStore, trace: &TraceContext) -> Result<(), StoreError> {
        self.send(self.if_changed.len(), self.always.len(), queues, trace).await
    }

    async fn send(
        &mut self,
        if_changed: usize,
        always: usize,
        queues: &dyn QueueStore,
        trace: &TraceContext,
    ) -> Result<(), StoreError> {
        let if_changed: Vec<UserId> = self.if_changed.drain(..if_changed).collect();
        let always: Vec<UserId> = self.always.drain(..always).collect();
        let mut messages = checks(&if_changed, CauseKind::Sweep, FetchPolicy::IfChanged, trace);
        messages.extend(checks(&always, CauseKind::Sweep, FetchPolicy::Always, trace));
        for (user, policy) in self.alone.drain(..) {
            messages.extend(checks_at(1, &[user], CauseKind::Sweep, policy, trace));
        }
        for some in messages.chunks(MESSAGES_AT_ONCE) {
            queues.send(CHECKS_QUEUE, some.to_vec()).await?;
        }
        Ok(())
    }
}
