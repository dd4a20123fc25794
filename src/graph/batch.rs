//! One `$batch` about up to twenty people: `JSON batching` on learn.microsoft.com.
//!
//! Answers come in any order and are matched by id; each has its own status and its own `Retry-After`. A person
//! without an answer is unavailable, and nobody else suffers from it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use photorelay_core::id::UserId;
use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::{Envelope, GraphError, RequestContext, token_like};
use super::request::{ItemResponse, PRIORITY_HEADER, PRIORITY_LOW, ReplyBody, Request};
use super::throttle_gauge::LIMIT_HEADER;
use super::{Graph, Priority, retry_after};

/// Graph answers as many requests at once.
pub const MAX_BATCH: usize = 20;

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
    /// The case of header names varies, and numbers come as text or as numbers. Parsed only when asked for, and if it
    /// can be there at all: of most items nobody wants to know a header.
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
    /// Sends one GET for each person in one request and gives the replies in the order of `users`.
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

    /// The same with a POST of this body for each person.
    pub(super) async fn batch_post(
        &self,
        operation: &'static str,
        needs: &'static str,
        users: &[UserId],
        priority: Priority,
        path: impl Fn(UserId) -> String,
        body: &Value,
    ) -> Result<Vec<(UserId, Result<ItemResponse, GraphError>)>, GraphError> {
        let headers = json!({"Content-Type": "application/json"});
        let item = |user| json!({"method": "POST", "url": path(user), "headers": headers, "body": body});
        self.batch_of(operation, needs, users, priority, item).await
    }

    async fn batch_of(
        &self,
        operation: &'static str,
        needs: &'static str,
        users: &[UserId],
        priority: Priority,
        item: impl Fn(UserId) -> Value,
    ) -> Result<Vec<(UserId, Result<ItemResponse, GraphError>)>, GraphError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        if users.len() > MAX_BATCH {
            let mut trace = RequestContext::of(operation, None);
            trace.message = Some(format!("{} people, more than the {MAX_BATCH} of one batch", users.len()));
            return Err(GraphError::Invalid { at: Box::new(trace) });
        }
        let requests: Vec<Value> = users
            .iter()
            .enumerate()
            .map(|(index, user)| {
                let mut request = item(*user);
                request["id"] = json!(index.to_string());
                if priority == Priority::Low {
                    request["headers"][PRIORITY_HEADER] = json!(PRIORITY_LOW);
                }
                request
            })
            .collect();
        let call = Request::new(operation, needs, Method::POST, self.inner.url(&["$batch"]))
            .priority(priority)
            .json(&json!({"requests": requests}));
        let answer = self.inner.send(call).await?;
        let outer = answer.trace.clone();
        let batch: WireBatch = answer.json()?;

        let mut items: Vec<Option<WireItem>> = users.iter().map(|_| None).collect();
        for item in batch.responses.into_iter().filter_map(|item| serde_json::from_str::<WireItem>(item.get()).ok()) {
            let slot = index_of(&item.id).and_then(|index| items.get_mut(index));
            if let Some(slot @ None) = slot {
                *slot = Some(item);
            }
        }
        for used in items.iter().flatten().filter_map(|item| item.header(LIMIT_HEADER)) {
            self.inner.pressure().heard(&used);
        }
        let now = Timestamp::now();
        Ok(users.iter().zip(items).map(|(user, item)| (*user, reply(item, *user, needs, &outer, now))).collect())
    }
}

fn index_of(id: &Value) -> Option<usize> {
    match id {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| usize::try_from(number).ok()),
    }
}

fn reply(
    item: Option<WireItem>,
    user: UserId,
    needs: &'static str,
    outer: &RequestContext,
    now: Timestamp,
) -> Result<ItemResponse, GraphError> {
    let mut trace = RequestContext { user: Some(user), ..outer.clone() };
    let Some(item) = item else {
        let reason = "the batch has no answer for this user".to_owned();
        return Err(GraphError::Unavailable { reason, retry_after: None, at: Box::new(trace) });
    };
    trace.status = Some(item.status);
    let is_good = (200..300).contains(&item.status);
    // What went well is not told of; then the request of the batch is enough.
    if !is_good && let Some(request_id) = item.header("request-id") {
        trace.request_id = Some(token_like(&request_id));
    }
    let hint = item.header("retry-after").and_then(|value| retry_after::parse(&value, now));
    let trace = trace.with_envelope(Envelope::from_value(&item.body));
    let body = match item.body {
        Value::Null => ReplyBody::Empty,
        Value::String(text) if text.is_empty() => ReplyBody::Empty,
        body @ Value::Object(_) => ReplyBody::Json(body),
        _ => ReplyBody::Other,
    };
    Ok(ItemResponse { status: item.status, hint, body, is_from_graph: true, needs, trace })
}
