//! Notifications in, check messages out: the fast path, which may lose any of them.
//!
//! Every item is judged by itself. One that is not ours is counted and dropped, and the caller never learns why. A POST
//! must be acknowledged only after a check of every accepted notification is stored. Nothing is fetched here.

use std::borrow::Cow;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

use bytes::Bytes;
use photorelay_core::contract::{self, Cause, CauseKind, CheckMessage, FetchPolicy, MAX_PEOPLE_PER_CHECK, V1};
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

use super::scope::Scope;

/// Takes what Graph posts to the webhook.
#[derive(Debug)]
pub struct Notify {
    queues: Arc<dyn QueueStore>,
    tenant: TenantId,
    client_states: Arc<ClientStates>,
    scope: Scope,
}

/// The longest `clientState` that Graph allows, in bytes. A longer one is not ours and never hashed.
pub const MAX_CLIENT_STATE_BYTES: usize = 128;

/// The secrets that a notification may carry: the current one, and the one before while it is being rotated. Kept as
/// digests, which have one length, so that a comparison takes the same time whatever is compared.
pub struct ClientStates(Vec<Digest>);

impl ClientStates {
    pub fn new<'a>(current: &'a str, previous: impl IntoIterator<Item = &'a str>) -> Self {
        Self(std::iter::once(current).chain(previous).map(|secret| Digest::of(secret.as_bytes())).collect())
    }

    /// For a program that receives no notifications: none is accepted.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn accept(&self, given: &str) -> bool {
        if given.len() > MAX_CLIENT_STATE_BYTES {
            return false;
        }
        let given = Digest::of(given.as_bytes());
        let is_equal = |secret: &Digest| secret.as_bytes().ct_eq(given.as_bytes());
        self.0.iter().fold(Choice::from(0), |found, secret| found | is_equal(secret)).into()
    }
}

impl fmt::Debug for ClientStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientStates").field(&"[redacted]").finish()
    }
}

/// What became of a POST whose envelope could be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Items that are ours and led to a check or a renewal.
    pub notifications: usize,
    /// Items that are not ours or not readable.
    pub dropped: usize,
}

impl AddAssign for Accepted {
    fn add_assign(&mut self, more: Self) {
        self.notifications += more.notifications;
        self.dropped += more.dropped;
    }
}

#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("the body is not a collection of notifications")]
    NotACollection,
    /// Nothing may be acknowledged: Graph sends it again.
    #[error("the notifications could not be stored: {0}")]
    NotStored(#[from] StoreError),
}

impl Notify {
    pub fn new(queues: Arc<dyn QueueStore>, tenant: TenantId, client_states: Arc<ClientStates>) -> Self {
        Self { queues, tenant, client_states, scope: Scope::default() }
    }

    /// Drops notifications about users who are certainly not in this scope.
    pub fn within(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Stores a check of every user that the notifications name.
    pub async fn accept(&self, body: &[u8], traceparent: Option<&str>) -> Result<Accepted, NotifyError> {
        let items = items::<Item<'_>>(body)?;
        let mut users: Vec<UserId> = items.iter().flatten().filter_map(|item| self.user_of(item)).collect();
        let accepted = Accepted { notifications: users.len(), dropped: items.len() - users.len() };
        users.retain(|user| self.scope.admits(*user) != Some(false));
        users.sort_unstable();
        users.dedup();
        if !users.is_empty() {
            let span = tracing::debug_span!("notification", trace.id = tracing::field::Empty);
            let trace = telemetry::step(&span, traceparent);
            let checks = checks(&users, CauseKind::Notification, FetchPolicy::IfChanged, &trace);
            self.queues.send(CHECKS_QUEUE, checks).instrument(span).await?;
            for user in &users {
                tracing::debug!(user.id = %user, %trace, "notified");
            }
        }
        metrics::notifications(accepted.notifications, accepted.dropped);
        Ok(accepted)
    }

    /// The user that an item names, if the item is meant for this deployment.
    fn user_of(&self, item: &Item<'_>) -> Option<UserId> {
        let authentic = self.client_states.accept(text(&item.client_state));
        let ours = text(&item.tenant_id).parse() == Ok(self.tenant);
        if !(authentic && ours) {
            return None;
        }
        let (collection, id) = text(&item.resource).trim_start_matches('/').split_once('/')?;
        let named: UserId = id.parse().ok()?;
        let agrees = match item.resource_data.as_ref().and_then(|data| data.id.as_ref()) {
            Some(Text(id)) => id.parse() == Ok(named),
            None => true,
        };
        (collection.eq_ignore_ascii_case("users") && agrees).then_some(named)
    }
}

/// Check messages of up to [`MAX_PEOPLE_PER_CHECK`] users each.
pub fn checks(users: &[UserId], cause: CauseKind, fetch_policy: FetchPolicy, trace: &TraceContext) -> Vec<Outgoing> {
    checks_at(0, users, cause, fetch_policy, trace)
}

/// The same for users whose check has failed so often.
pub(super) fn checks_at(
    attempt: u32,
    users: &[UserId],
    cause: CauseKind,
    fetch_policy: FetchPolicy,
    trace: &TraceContext,
) -> Vec<Outgoing> {
    let cause = Cause::now(cause, trace.trace_id());
    let messages = users.chunks(MAX_PEOPLE_PER_CHECK).map(|users| CheckMessage {
        v: V1,
        cause: cause.clone(),
        users: users.to_vec(),
        fetch_policy,
        attempt,
        absence: None,
        traceparent: Some(trace.to_string()),
    });
    messages.map(|message| Outgoing::now(Bytes::from(contract::to_bytes(&message)))).collect()
}

/// The items of a POST; none stands for one that cannot be read, which must not make the others unreadable.
pub(super) fn items<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Vec<Option<T>>, NotifyError> {
    if let Ok(collection) = serde_json::from_slice::<Collection<T>>(body) {
        return Ok(collection.value.into_iter().map(Some).collect());
    }
    let raw: Collection<&RawValue> = serde_json::from_slice(body).map_err(|_| NotifyError::NotACollection)?;
    Ok(raw.value.into_iter().map(|item| serde_json::from_str(item.get()).ok()).collect())
}

pub(super) fn text<'a>(member: &'a Option<Text<'_>>) -> &'a str {
    member.as_ref().map_or("", |Text(text)| text)
}

/// `changeNotificationCollection`: <https://learn.microsoft.com/graph/api/resources/changenotificationcollection>.
#[derive(Deserialize)]
struct Collection<T> {
    value: Vec<T>,
}

/// `changeNotification`, as far as it is used.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(borrow)]
    client_state: Option<Text<'a>>,
    #[serde(borrow)]
    tenant_id: Option<Text<'a>>,
    #[serde(borrow)]
    resource: Option<Text<'a>>,
    #[serde(borrow)]
    resource_data: Option<ResourceData<'a>>,
}

#[derive(Deserialize)]
struct ResourceData<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
}

/// A text that is borrowed from the body unless it is escaped there.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
