//! One `$batch` about up to twenty users: `JSON batching` on learn.microsoft.com.
//!
//! Responses come in any order and are matched by id; each has its own status and its own `Retry-After`. A user without
//! a response is unavailable, and the others are not affected. A batch that fails as a whole is sent in parts, because
//! one user can be the reason. It owns the failure "one user makes every request fail that names them".

use std::collections::BTreeMap;

use jiff::Timestamp;
use photorelay_core::id::UserId;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

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

/// Each item is parsed by itself, so that one that cannot be read takes no other with it.
#[derive(Deserialize)]
struct WireBatch {
    responses: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WireItem {
    id: Value,
    status: u16,
    #[serde(default)]
    headers: Option<Box<RawValue>>,
    #[serde(default)]
    body: Value,
}

impl WireItem {
    /// The case of header names varies, and numbers come as text or as numbers. Parsed on demand and only if the name
    /// occurs at all: most items' headers are never read.
    fn header(&self, name: &str) -> Option<String> {
        let headers = self.headers.as_ref()?.get();
        if !headers.to_ascii_lowercase().contains(name) {
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
        self.batch_of(operation, needs, users, priority, |user| json!({"method": "GET", "url": path(user)})).await
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
        item: impl Fn(UserId) -> Value,
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

impl<F: Fn(UserId) -> Value> BatchRequest<'_, F> {
    async fn send(&self, users: &[UserId]) -> Result<Vec<(UserId, Result<ItemResponse, GraphError>)>, GraphError> {
        let transport = &self.graph.transport;
        let requests: Vec<Value> = users
            .iter()
            .enumerate()
            .map(|(index, user)| {
                let mut request = (self.item)(*user);
                request["id"] = json!(index.to_string());
                if self.priority == Priority::Low {
                    request["headers"][PRIORITY_HEADER] = json!(PRIORITY_LOW);
                }
                request
            })
            .collect();
        let request = Request::new(self.operation, self.needs, Method::POST, transport.url(&["$batch"]))
            .priority(self.priority)
            .json(&json!({"requests": requests}));
        let request = if let [user] = users { request.about(*user) } else { request };
        let answer = transport.send(request).await?;
        let (outer, token) = (answer.trace.clone(), answer.token.clone());
        let batch: WireBatch = answer.json()?;

        let mut items: Vec<Option<WireItem>> = users.iter().map(|_| None).collect();
        for item in batch.responses.into_iter().filter_map(|item| serde_json::from_str::<WireItem>(item.get()).ok()) {
            let slot = index_of(&item.id).and_then(|index| items.get_mut(index));
            if let Some(slot @ None) = slot {
                *slot = Some(item);
            }
        }
        for used in items.iter().flatten().filter_map(|item| item.header(LIMIT_HEADER)) {
            transport.throttle().record(&used);
        }
        let now = Timestamp::now();
        Ok(users
            .iter()
            .zip(items)
            .map(|(user, item)| {
                let response = item_response(item, *user, self.needs, &outer, now);
                let is_granted = |status| is_granted(status, self.needs, &token);
                (*user, response.map(|response| ItemResponse { is_granted: is_granted(response.status), ..response }))
            })
            .collect())
    }
}

fn index_of(id: &Value) -> Option<usize> {
    match id {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| usize::try_from(number).ok()),
    }
}

fn item_response(
    item: Option<WireItem>,
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
    let is_good = (200..300).contains(&item.status);
    // A success is not reported; its request is that of the batch.
    if !is_good && let Some(request_id) = item.header("request-id") {
        trace.request_id = Some(token_like(&request_id));
    }
    let retry_after = item.header("retry-after").and_then(|value| retry_after::parse(&value, now));
    let trace = trace.with_envelope(Envelope::from_value(&item.body));
    let body = match item.body {
        Value::Null => ItemBody::Empty,
        Value::String(text) if text.is_empty() => ItemBody::Empty,
        body @ Value::Object(_) => ItemBody::Json(body),
        _ => ItemBody::Other,
    };
    Ok(ItemResponse { status: item.status, retry_after, body, is_from_graph: true, is_granted: false, needs, trace })
}
