//! Notifications in, check messages out: the fast path, and only a hint.
//!
//! Every item is judged by itself. One that is not ours is counted and dropped, and the caller never learns why.
//! This step must answer "accepted" only after every accepted hint is stored. It fetches nothing.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::contract::{self, Cause, CauseKind, CheckMessage, Look, MAX_PEOPLE_PER_CHECK, V1};
use photorelay_core::id::{Digest, TenantId, UserId};
use photorelay_core::names::CHECKS_QUEUE;
use photorelay_core::queue::{Outgoing, QueueStore};
use photorelay_core::store::StoreError;
use photorelay_core::telemetry::{self, metrics};
use photorelay_core::trace::TraceContext;
use serde::Deserialize;
use serde_json::value::RawValue;
use subtle::{Choice, ConstantTimeEq};
use tracing::Instrument;

/// Takes what Graph posts to the webhook.
#[derive(Debug)]
pub struct Notify {
    queues: Arc<dyn QueueStore>,
    tenant: TenantId,
    client_states: ClientStates,
}

/// The secrets that a notification may carry: the current one, and the one before while it is being rotated.
/// Only their digests are kept, so that comparing takes the same time whatever the length.
#[derive(Debug)]
pub struct ClientStates(Vec<Digest>);

impl ClientStates {
    pub fn new<'a>(current: &'a str, previous: impl IntoIterator<Item = &'a str>) -> Self {
        let all = std::iter::once(current).chain(previous);
        Self(all.map(|secret| Digest::of(secret.as_bytes())).collect())
    }

    fn accept(&self, given: &str) -> bool {
        let given = Digest::of(given.as_bytes());
        let matches = self.0.iter().map(|secret| secret.as_bytes().ct_eq(given.as_bytes()));
        matches.fold(Choice::from(0), |found, this| found | this).into()
    }
}

/// What became of a POST whose envelope could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Items that led to a check.
    pub hints: usize,
    /// Items that are not ours or not readable.
    pub dropped: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("the body is not a collection of notifications")]
    NotACollection,
    /// Nothing may be acknowledged: Graph sends it again.
    #[error("the hints could not be stored: {0}")]
    NotStored(#[from] StoreError),
}

impl Notify {
    pub fn new(queues: Arc<dyn QueueStore>, tenant: TenantId, client_states: ClientStates) -> Self {
        Self { queues, tenant, client_states }
    }

    /// Stores a check for everybody whom the notifications name.
    pub async fn accept(&self, body: &[u8], traceparent: Option<&str>) -> Result<Accepted, NotifyError> {
        let collection: Collection<'_> = serde_json::from_slice(body).map_err(|_| NotifyError::NotACollection)?;
        let mut seen = HashSet::new();
        let mut users = Vec::new();
        let mut hints = 0;
        for item in &collection.value {
            let Some(user) = self.user_of(item) else { continue };
            hints += 1;
            if seen.insert(user) {
                users.push(user);
            }
        }
        let accepted = Accepted { hints, dropped: collection.value.len() - hints };
        if !users.is_empty() {
            let span = tracing::debug_span!("notification", trace.id = tracing::field::Empty);
            let trace = telemetry::step(&span, traceparent);
            let checks = checks(&users, CauseKind::Notification, Look::IfChanged, &trace);
            self.queues.send(CHECKS_QUEUE, checks).instrument(span).await?;
            for user in &users {
                tracing::debug!(user.id = %user, %trace, "notified");
            }
        }
        metrics::hints(accepted.hints, accepted.dropped);
        Ok(accepted)
    }

    /// The person whom an item names, if the item is meant for us.
    fn user_of(&self, item: &RawValue) -> Option<UserId> {
        let item: Item<'_> = serde_json::from_str(item.get()).ok()?;
        let authentic = self.client_states.accept(item.client_state.as_deref().unwrap_or_default());
        let ours = item.tenant_id.parse() == Ok(self.tenant);
        if !(authentic && ours) {
            return None;
        }
        let (collection, id) = item.resource.trim_start_matches('/').split_once('/')?;
        let named: UserId = id.parse().ok()?;
        let agrees = match item.resource_data.and_then(|data| data.id) {
            Some(id) => id.parse() == Ok(named),
            None => true,
        };
        (collection.eq_ignore_ascii_case("users") && agrees).then_some(named)
    }
}

/// Check messages of up to [`MAX_PEOPLE_PER_CHECK`] people each.
pub fn checks(users: &[UserId], cause: CauseKind, look: Look, trace: &TraceContext) -> Vec<Outgoing> {
    let messages = users.chunks(MAX_PEOPLE_PER_CHECK).map(|people| CheckMessage {
        v: V1,
        cause: Cause { kind: cause, id: trace.trace_id() },
        users: people.to_vec(),
        look,
        attempt: 0,
        absence: None,
        traceparent: Some(trace.to_string()),
    });
    messages.map(|message| Outgoing::now(Bytes::from(contract::to_bytes(&message)))).collect()
}

/// `changeNotificationCollection`; items stay raw, so that a strange one does not make the others unreadable.
/// <https://learn.microsoft.com/graph/api/resources/changenotificationcollection>
#[derive(Deserialize)]
struct Collection<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

/// `changeNotification`, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    client_state: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tenant_id: Cow<'a, str>,
    #[serde(borrow)]
    resource: Cow<'a, str>,
    #[serde(borrow)]
    resource_data: Option<ResourceData<'a>>,
}

#[derive(Deserialize)]
struct ResourceData<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}
