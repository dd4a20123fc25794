//! One `$batch` about up to twenty users: `JSON batching` on learn.microsoft.com.
//!
//! Responses come in any order and are matched by id; each has its own status and its own `Retry-After`. A user without
//! a response is unavailable, and the others are not affected. A batch that fails as a whole is sent in parts, because
//! one user can be the reason. It owns the failure "one user makes every request fail that names them".

use std::collections::BTreeMap;

use jiff::Timestamp;
use photorelay_core::id::UserId;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::Graph;
use super::error::{Envelope, GraphError, RequestContext};
use super::log_text::token_like;
use super::request::{PRIORITY_HEADER, PRIORITY_LOW, Priority, Request};
use super::response::{ItemBody, ItemResponse, is_granted};
use super::retry_after;
use super::throttle_gauge::LIMIT_HEADER;

/// The most requests that Graph takes in one batch.
pub const MAX_BATCH: usize = 20;
/// Failures without any answer after which the failure is Graph's, not one user's. Finding one user among
/// [`MAX_BATCH`] takes fewer, and so does finding two that stand side by side.
const MAX_FAILURES: u32 = 8;

/// A request within a batch.
#[derive(Serialize)]
pub(super) struct BatchEntry {
    /// Its place in the batch.
    id: String,
    method: &'static str,
    url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl BatchEntry {
    pub(super) fn get(url: String) -> Self {
        Self { id: String::new(), method: "GET", url, headers: BTreeMap::new(), body: None }
    }

    pub(super) fn post(url: String, body: Value) -> Self {
        let headers = BTreeMap::from([("Content-Type", "application/json")]);
        Self { method: "POST", headers, body: Some(body), ..Self::get(url) }
    }
}

#[derive(Serialize)]
struct WireRequests {
    requests: Vec<BatchEntry>,
}

/// Each item is parsed by itself, so that one that cannot be read takes no other with it.
#[derive(Deserialize)]
pub(super) struct WireBatch<'a> {
    #[serde(borrow)]
    responses: Vec<&'a RawValue>,
}

/// A sweep reads one for every user, so its parts stay as they came until they are wanted.
#[derive(Deserialize)]
pub(super) struct WireItem<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    pub(super) status: u16,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) body: Option<&'a RawValue>,
}

impl<'a> WireBatch<'a> {
    /// The items of a batch whose ids are those of users, in the order of `users`. None if one cannot be read, bears
    /// another id, or comes twice.
    pub(super) fn named(&self, users: &[UserId]) -> Option<Vec<Option<WireItem<'a>>>> {
        let mut items: Vec<Option<WireItem<'a>>> = users.iter().map(|_| None).collect();
        for item in &self.responses {
            let item: WireItem<'a> = serde_json::from_str(item.get()).ok()?;
            let id: String = serde_json::from_str(item.id.get()).ok()?;
            let index = users.iter().position(|user| user.to_string() == id)?;
            let slot = items.get_mut(index)?;
            if slot.replace(item).is_some() {
                return None;
            }
        }
        Some(items)
    }
}

impl WireItem<'_> {
    /// Its status, and how much of its limit the tenant has used.
    pub(super) fn throttling(&self) -> (u16, Option<String>) {
        (self.status, self.header(LIMIT_HEADER))
    }

    /// The case of header names varies, and numbers come as text or as numbers. Parsed on demand and only if the name
    /// occurs at all: most items' headers are never read.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers?.get();
        if !headers.as_bytes().windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes())) {
            return None;
        }
        let headers: BTreeMap<String, Value> = serde_json::from_str(headers).ok()?;
        headers.into_iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).find_map(|(_, value)| match value {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }
}

impl Graph {
    /// Sends one GET for each user in one request and returns the responses in the order of `users`.
    pub(super) async fn batch(
        &self,
        operation: &'static str,
        needs: &'static str,
        users: &[UserId],
        priority: Priority,
        path: impl Fn(UserId) -> String,
    ) -> Result<Vec<(UserId, Result<ItemResponse, GraphError>)>, GraphError> {
        self.batch_of(operation, needs, users, priority, |user| BatchEntry::get(path(user))).await
    }

    /// Sends the item of each user in one request and returns the responses in the order of `users`.
    ///
    /// A request that fails as a whole is sent again in halves until the user it fails for is alone; the failure is
    /// that user's, and the others are answered. An `Err` is a failure that concerns all of them.
    pub(super) async fn batch_of(
        &self,
        operation: &'static str,
        needs: &'static str,
        users: &[UserId],
        priority: Priority,
        item: impl Fn(UserId) -> BatchEntry,
    ) -> Result<Vec<(UserId, Result<ItemResponse, GraphError>)>, GraphError> {
        if users.len() > MAX_BATCH {
            let mut trace = RequestContext::of(operation, None);
            trace.message = Some(format!("{} users, more than the {MAX_BATCH} of one batch", users.len()));
            return Err(GraphError::Invalid { at: Box::new(trace) });
        }
        let batch = BatchRequest { graph: self, operation, needs, priority, item };
        let mut answers = Vec::with_capacity(users.len());
        let mut failures = 0;
        // The next part is the last of the list, so that parts are answered in the order of `users`.
        let mut parts: Vec<&[UserId]> = if users.is_empty() { Vec::new() } else { vec![users] };
        while let Some(part) = parts.pop() {
            let error = match batch.send(part).await {
                Ok(mut some) => {
                    answers.append(&mut some);
                    continue;
                }
                Err(error) => error,
            };
            failures += 1;
            let is_general = failures == MAX_FAILURES && answers.iter().all(|(_, answer)| answer.is_err());
            if is_general || !error.may_concern_one_user() {
                return Err(error);
            }
            if let [user] = part {
                answers.push((*user, Err(error)));
            } else {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
        }
        if failures > 0 {
            let failed = answers.iter().filter(|(_, answer)| answer.is_err()).count();
            tracing::debug!(operation, users = users.len(), failed, "a batch failed as a whole and was sent in parts");
        }
        Ok(answers)
    }
}

/// What the parts of one batch have in common.
struct BatchRequest<'a, F> {
    graph: &'a Graph,
    operation: &'static str,
    needs: &'static str,
    priority: Priority,
    item: F,
}

impl<F: Fn(UserId) -> BatchEntry> BatchRequest<'_, F> {
    async fn send(&self, users: &[UserId]) -> Result<Vec<(UserId, Result<ItemResponse, GraphError>)>, GraphError> {
        let transport = &self.graph.transport;
        let requests = users.iter().enumerate().map(|(index, user)| {
            let mut request = BatchEntry { id: index.to_string(), ..(self.item)(*user) };
            if self.priority == Priority::Low {
                request.headers.insert(PRIORITY_HEADER, PRIORITY_LOW);
            }
            request
        });
        let requests = WireRequests { requests: requests.collect() };
        let request = Request::new(self.operation, self.needs, Method::POST, transport.url(&["$batch"]))
            .priority(self.priority)
            .json(&requests);
        let request = if let [user] = users { request.about(*user) } else { request };
        let answer = transport.send(request).await?;
        if !answer.status.is_success() {
            return Err(answer.into_error());
        }
        let batch: WireBatch<'_> = answer.parse()?;

        let mut items: Vec<Option<WireItem<'_>>> = users.iter().map(|_| None).collect();
        for item in batch.responses.iter().filter_map(|item| serde_json::from_str::<WireItem<'_>>(item.get()).ok()) {
            let slot = index_of(item.id).and_then(|index| items.get_mut(index));
            if let Some(slot @ None) = slot {
                *slot = Some(item);
            }
        }
        transport.note_throttling(items.iter().flatten().map(WireItem::throttling));
        let now = Timestamp::now();
        Ok(users
            .iter()
            .zip(items)
            .map(|(user, item)| {
                let response = item_response(item, *user, self.needs, &answer.trace, now);
                let is_granted = |status| is_granted(status, self.needs, &answer.token);
                (*user, response.map(|response| ItemResponse { is_granted: is_granted(response.status), ..response }))
            })
            .collect())
    }
}

/// The id comes back as text, or as a number.
fn index_of(id: &RawValue) -> Option<usize> {
    let id = id.get();
    id.strip_prefix('"').and_then(|id| id.strip_suffix('"')).unwrap_or(id).parse().ok()
}

pub(super) fn item_response(
    item: Option<WireItem<'_>>,
    user: UserId,
    needs: &'static str,
    outer: &RequestContext,
    now: Timestamp,
) -> Result<ItemResponse, GraphError> {
    let mut trace = RequestContext { user: Some(user), ..outer.clone() };
    let Some(item) = item else {
        let reason = "the batch has no response for this user".to_owned();
        return Err(GraphError::Unavailable { reason, retry_after: None, at: Box::new(trace) });
    };
    trace.status = Some(item.status);
    let retry_after = item.header("retry-after").and_then(|value| retry_after::parse(&value, now));
    // A success is not reported; its request is that of the batch.
    if !(200..300).contains(&item.status) {
        if let Some(request_id) = item.header("request-id") {
            trace.request_id = Some(token_like(&request_id));
        }
        trace = trace.with_envelope(item.body.and_then(|body| Envelope::from_bytes(body.get().as_bytes())));
    }
    let body = match item.body {
        None => ItemBody::Empty,
        Some(text) if text.get() == "\"\"" => ItemBody::Empty,
        Some(json) if json.get().starts_with('{') => ItemBody::Json(json.to_owned()),
        Some(_) => ItemBody::Other,
    };
    Ok(ItemResponse { status: item.status, retry_after, body, is_from_graph: true, is_granted: false, needs, trace })
}
