//! Notifications in, check messages out: the fast path, which may lose any of them.
//!
//! Every item is judged by itself. One that is not ours is counted and dropped, and the caller never learns why. A POST
//! must be acknowledged only after a check of every accepted notification is stored. Nothing is fetched here.

use std::borrow::Cow;
use std::fmt;
use std::ops::AddAssign;
use std::sync::Arc;

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
    /// As text, because every item carries it: a GUID in another case is the same one.
    tenant: String,
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
        let given = words(&Digest::of(given.as_bytes()));
        let is_equal = |secret: &Digest| words(secret).ct_eq(&given);
        self.0.iter().fold(Choice::from(0), |found, secret| found | is_equal(secret)).into()
    }
}

/// Compared in words, not byte by byte.
fn words(digest: &Digest) -> [u64; 4] {
    let (words, _) = digest.as_bytes().as_chunks();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

/// Judges the `clientState` of each item of one POST. All of them nearly always carry the same text, which is hashed once;
/// that it is recognised tells the sender only what the sender has written.
struct PostedClientStates<'s, 'a> {
    known: &'s ClientStates,
    last: Option<(&'a str, bool)>,
}

impl<'a> PostedClientStates<'_, 'a> {
    fn accept(&mut self, given: &'a str) -> bool {
        match self.last {
            Some((last, accepted)) if last == given => accepted,
            _ => {
                let accepted = self.known.accept(given);
                self.last = Some((given, accepted));
                accepted
            }
        }
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
        Self { queues, tenant: tenant.to_string(), client_states, scope: Scope::default() }
    }

    /// Drops notifications about users who are certainly not in this scope.
    pub fn within(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Stores a check of every user that the notifications name.
    pub async fn accept(&self, body: &[u8], traceparent: Option<&str>) -> Result<Accepted, NotifyError> {
        let items = items::<Item<'_>>(body)?;
        let mut states = PostedClientStates { known: &self.client_states, last: None };
        let ours = items.iter().flatten().filter_map(|item| self.user_of(item, &mut states));
        let mut users: Vec<UserId> = ours.collect();
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
    fn user_of<'a>(&self, item: &'a Item<'_>, states: &mut PostedClientStates<'_, 'a>) -> Option<UserId> {
        let authentic = states.accept(text(&item.client_state));
        let ours = text(&item.tenant_id).eq_ignore_ascii_case(&self.tenant);
        if !(authentic && ours) {
            return None;
        }
        let (collection, id) = text(&item.resource).trim_start_matches('/').split_once('/')?;
        let named: UserId = id.parse().ok()?;
        let agrees = match item.resource_data.as_ref().and_then(|data| data.id.as_ref()) {
            Some(Text(again)) => again.eq_ignore_ascii_case(id),
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
    let mut message = CheckMessage {
        v: V1,
        cause: Cause::now(cause, trace.trace_id()),
        users: Vec::new(),
        fetch_policy,
        attempt,
        absence: None,
        traceparent: Some(trace.to_string()),
    };
    let messages = users.chunks(MAX_PEOPLE_PER_CHECK).map(|users| {
        users.clone_into(&mut message.users);
        Outgoing::now(contract::to_bytes(&message))
    });
    messages.collect()
}

/// The items of a POST; none stands for one that cannot be read, which must not make the others unreadable.
pub(super) fn items<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Vec<Option<T>>, NotifyError> {
    // Where all of it is UTF-8, which is checked at once, no text is checked by itself.
    let collection = match std::str::from_utf8(body) {
        Ok(body) => serde_json::from_str::<Collection<T>>(body),
        Err(_) => serde_json::from_slice(body),
    };
    if let Ok(collection) = collection {
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
