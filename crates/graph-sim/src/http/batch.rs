//! `POST /$batch`: every item goes the way of a request of its own and has its own status; the order is any.
//!
//! Items that the Outlook service answers (photos) run at most four at a time; items with `dependsOn` wait for theirs.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;

use super::batch_body::{BatchBody, BatchItem};
use super::pipeline::{CarriedOut, perform};
use super::request_log::RecordedItem;
use super::response::ApiBody;
use super::route::Route;
use super::sign_in::bearer;
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller, dispatch};

const OUTLOOK_AT_ONCE: usize = 4;

pub(crate) async fn respond(state: &ApiState, call: &ApiCall) -> CarriedOut {
    run(state, call).await.unwrap_or_else(CarriedOut::from)
}

async fn run(state: &ApiState, call: &ApiCall) -> ApiResult<CarriedOut> {
    dispatch::check_request(state, &Route::Batch, call)?;
    let caller = bearer(state, call)?;
    let batch = BatchBody::of(state, call)?;
    let runner = BatchRunner { state, batch: call, caller: &caller, outlook: Semaphore::new(OUTLOOK_AT_ONCE) };
    let mut done: HashMap<String, ItemOutcome> = HashMap::new();
    while done.len() < batch.requests.len() {
        let is_done = |key: &String| done.contains_key(key);
        let ready =
            batch.requests.iter().filter(|item| !is_done(&item.key()) && item.dependencies().all(|key| is_done(&key)));
        let wave: Vec<_> = ready
            .map(|item| {
                let dependency_failed = item.dependencies().any(|key| done[&key].response.status >= 400);
                runner.item(item, dependency_failed)
            })
            .collect();
        let wave = futures::future::join_all(wave).await;
        done.extend(wave.into_iter().map(|outcome| (outcome.record.id.to_lowercase(), outcome)));
    }
    let in_order: Vec<&ItemOutcome> = batch.requests.iter().map(|item| &done[&item.key()]).collect();
    let items = in_order.iter().map(|outcome| outcome.record.clone()).collect();
    let mut responses: Vec<Value> = in_order.iter().map(|outcome| item_response(state, outcome)).collect();
    state.model.dice.shuffle(&mut responses);
    Ok(CarriedOut { items, ..ApiResponse::json(200, json!({ "responses": responses })).into() })
}

/// What the items of one batch share.
struct BatchRunner<'a> {
    state: &'a ApiState,
    batch: &'a ApiCall,
    caller: &'a Caller,
    outlook: Semaphore,
}

#[derive(Debug)]
struct ItemOutcome {
    record: RecordedItem,
    response: ApiResponse,
}

impl BatchRunner<'_> {
    async fn item(&self, item: &BatchItem, dependency_failed: bool) -> ItemOutcome {
        let state = self.state;
        let call = item.call();
        let route = Route::of(&call);
        let response = if dependency_failed {
            state.error("batch_failed_dependency", &[])
        } else {
            // The semaphore is never closed, so a permit is always given.
            let _permit = if route.mailbox().is_some() { self.outlook.acquire().await.ok() } else { None };
            let handler = async { dispatch::respond(state, &route, &call, Some(self.caller)).await.into() };
            Box::pin(perform(state, &route, &call, handler)).await.response
        };
        let client_request_id = call.header("client-request-id").or(self.batch.header("client-request-id"));
        let record = RecordedItem {
            id: item.id.clone(),
            method: item.method.to_uppercase(),
            target: item.url.clone(),
            template: route.template().to_owned(),
            status: response.status,
        };
        let request_id = state.model.dice.guid();
        ItemOutcome {
            record,
            response: response.finished(request_id, client_request_id.unwrap_or_default(), state.now()),
        }
    }
}

fn item_response(state: &ApiState, outcome: &ItemOutcome) -> Value {
    // The case of header names in items varies in public samples.
    let is_lower = state.model.dice.coin();
    let named = |name: &str| if is_lower { name.to_ascii_lowercase() } else { name.to_owned() };
    let mut headers = Map::new();
    for (name, value) in &outcome.response.headers {
        headers.insert(named(name), json!(value));
    }
    let body = match &outcome.response.body {
        ApiBody::Json(value) => {
            headers.insert(named("Content-Type"), json!("application/json"));
            Some(value.clone())
        }
        ApiBody::Media(content_type, bytes) => {
            headers.insert(named("Content-Type"), json!(content_type));
            Some(json!(STANDARD.encode(bytes)))
        }
        ApiBody::Empty | ApiBody::Error { .. } => None,
    };
    let mut response = json!({ "id": outcome.record.id, "status": outcome.response.status, "headers": headers });
    if let Some(body) = body {
        response["body"] = body;
    }
    response
}
