//! `POST /$batch`: up to 20 items, answered in any order, each with its own status.
//!
//! Items that the Outlook service answers (photos) run at most four at a time; items with `dependsOn` wait for theirs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use crate::auth::Caller;
use crate::inner::Inner;
use crate::journal::BatchItem;
use crate::locked;
use crate::routes::{Handled, Route};
use crate::server;
use crate::wire::{Answer, Call, Payload};

const MOST_ITEMS: usize = 20;
const OUTLOOK_AT_ONCE: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    requests: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Item {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    depends_on: Vec<String>,
}

pub(crate) async fn run(inner: &Arc<Inner>, call: &Call, caller: &Caller) -> Result<Handled, Answer> {
    if call.media_type() != "application/json" {
        return Err(inner.refuse(call, "media_type", &[("type", &call.media_type())]));
    }
    let batch: Batch = serde_json::from_slice(&call.body)
        .map_err(|problem| inner.refuse(call, "batch_malformed", &[("problem", &problem.to_string())]))?;
    checked(inner, call, &batch)?;

    let outlook = Arc::new(Semaphore::new(OUTLOOK_AT_ONCE));
    let mut done: HashMap<String, Answered> = HashMap::new();
    while done.len() < batch.requests.len() {
        let finished: HashSet<&str> = done.keys().map(String::as_str).collect();
        let ready: Vec<&Item> = batch
            .requests
            .iter()
            .filter(|item| !finished.contains(key(&item.id).as_str()))
            .filter(|item| item.depends_on.iter().all(|id| finished.contains(key(id).as_str())))
            .collect();
        let wave = ready.into_iter().map(|item| {
            let failed =
                item.depends_on.iter().any(|id| done.get(&key(id)).is_some_and(|one| one.answer.status >= 400));
            answered(inner, call, caller, item, failed, &outlook)
        });
        let wave = futures::future::join_all(wave).await;
        done.extend(wave.into_iter().map(|one| (key(&one.log.id), one)));
    }

    let in_order: Vec<&Answered> = batch.requests.iter().filter_map(|item| done.get(&key(&item.id))).collect();
    let items = in_order.iter().map(|one| one.log.clone()).collect();
    let mut responses: Vec<Value> = in_order.iter().map(|one| response(inner, one)).collect();
    locked(&inner.dice).shuffle(&mut responses);
    Ok(Handled { answer: Answer::json(200, json!({ "responses": responses })), items })
}

fn key(id: &str) -> String {
    id.to_lowercase()
}

fn checked(inner: &Inner, call: &Call, batch: &Batch) -> Result<(), Answer> {
    if batch.requests.is_empty() {
        return Err(inner.refuse(call, "batch_malformed", &[("problem", "no requests")]));
    }
    if batch.requests.len() > MOST_ITEMS {
        return Err(inner.refuse(call, "batch_too_many", &[]));
    }
    let mut ids = HashSet::new();
    for item in &batch.requests {
        if !ids.insert(key(&item.id)) {
            return Err(inner.refuse(call, "batch_duplicate_id", &[("id", &item.id)]));
        }
        if item.url.contains("://") || Method::from_bytes(item.method.as_bytes()).is_err() {
            return Err(inner.refuse(call, "batch_malformed", &[("problem", "the URL or method of an item")]));
        }
        let typed = item.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if item.body.is_some() && !typed {
            return Err(inner.refuse(call, "batch_malformed", &[("problem", "a body without Content-Type")]));
        }
    }
    // An order exists when items can be taken away one by one.
    let mut left: Vec<&Item> = batch.requests.iter().collect();
    let mut finished: HashSet<String> = HashSet::new();
    while let Some(at) = left.iter().position(|item| item.depends_on.iter().all(|id| finished.contains(&key(id)))) {
        finished.insert(key(&left.remove(at).id));
    }
    match left.first() {
        Some(stuck) => Err(inner.refuse(call, "batch_depends_on", &[("id", &stuck.id)])),
        None => Ok(()),
    }
}

#[derive(Debug)]
struct Answered {
    log: BatchItem,
    answer: Answer,
}

async fn answered(
    inner: &Arc<Inner>,
    batch: &Call,
    caller: &Caller,
    item: &Item,
    dependency_failed: bool,
    outlook: &Semaphore,
) -> Answered {
    let call = item_call(item);
    let route = Route::of(&call);
    let answer = if dependency_failed {
        inner.error("batch_failed_dependency", &[])
    } else {
        // The semaphore is never closed, so a missing permit cannot happen; an item would then just run at once.
        let _permit = if route.mailbox().is_some() { outlook.acquire().await.ok() } else { None };
        Box::pin(server::performed(inner, &call, Some(caller))).await.answer
    };
    let request_id = inner.fresh_guid();
    let client_request_id = call.header("client-request-id").or(batch.header("client-request-id")).unwrap_or_default();
    let log = BatchItem {
        id: item.id.clone(),
        method: item.method.to_uppercase(),
        target: item.url.clone(),
        template: route.template().to_owned(),
        status: answer.status,
    };
    Answered { log, answer: answer.finished(request_id, client_request_id, inner.now()) }
}

fn item_call(item: &Item) -> Call {
    let mut headers = HeaderMap::new();
    for (name, value) in &item.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            headers.insert(name, value);
        }
    }
    let body = match &item.body {
        None => Bytes::new(),
        // Bodies that are not JSON travel in base64.
        Some(Value::String(text)) => STANDARD.decode(text).map_or_else(|_| Bytes::from(text.clone()), Bytes::from),
        Some(json) => Bytes::from(json.to_string()),
    };
    let method = Method::from_bytes(item.method.to_uppercase().as_bytes()).unwrap_or_default();
    Call::new(method, &format!("/v1.0/{}", item.url.trim_start_matches('/')), headers, body, true)
}

fn response(inner: &Inner, one: &Answered) -> Value {
    // The case of header names in items varies in public samples.
    let lower = locked(&inner.dice).bool();
    let named = |name: &str| if lower { name.to_ascii_lowercase() } else { name.to_owned() };
    let mut headers = Map::new();
    for (name, value) in &one.answer.headers {
        headers.insert(named(name), json!(value));
    }
    let body = match &one.answer.payload {
        Payload::Json(value) => {
            headers.insert(named("Content-Type"), json!("application/json"));
            Some(value.clone())
        }
        Payload::Media(content_type, bytes) => {
            headers.insert(named("Content-Type"), json!(content_type));
            Some(json!(STANDARD.encode(bytes)))
        }
        Payload::Empty | Payload::Error { .. } => None,
    };
    let mut response = json!({ "id": one.log.id, "status": one.answer.status, "headers": headers });
    if let Some(body) = body {
        response["body"] = body;
    }
    response
}
