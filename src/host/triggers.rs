//! What the Functions host invokes: the queue, timer and event functions, each as `POST /{function}` with an envelope.
//!
//! A trigger believes its envelope, so it must never be reachable from the network: the host calls it on the loopback
//! interface, and the standalone pump in process. A failure is answered with a 5xx, and the message comes back.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use photorelay_core::contract::{self, ContinueSweep, LifecycleMessage};
use photorelay_core::wording::counted;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::envelope::{self, Invocation};
use super::events::Events;
use super::functions::Functions;
use super::manifest::{Function, Trigger};
use crate::jobs::notify::Accepted;
use crate::jobs::sweep::SweepError;

/// An envelope holds one queue message of at most 64 KiB, encoded once more.
const MAX_ENVELOPE_BYTES: usize = 512 * 1024;
/// A batch of events of at most 1 MB each; host.json limits the batch.
const MAX_EVENTS_BYTES: usize = 16 * 1024 * 1024;

/// One invocation, and everything that it may use.
struct TriggerCall {
    functions: Arc<Functions>,
    binding: String,
    invocation: Invocation,
}

/// What goes into the host's log, or why the invocation failed.
type TriggerResult = Result<Option<String>, String>;
type TriggerHandler = fn(TriggerCall) -> Pin<Box<dyn Future<Output = TriggerResult> + Send>>;

/// The route of a function; none if this program has no such function with such a trigger.
pub(super) fn route(function: &Function, functions: &Arc<Functions>) -> Option<Router> {
    let handler: TriggerHandler = match (function.name.as_str(), &function.trigger) {
        ("propagate", Trigger::Queue { .. }) => |call| Box::pin(propagate(call)),
        ("renew", Trigger::Queue { .. }) => |call| Box::pin(renew(call)),
        ("subscribe", Trigger::Timer { .. }) => |call| Box::pin(subscribe(call)),
        ("sweep", Trigger::Timer { .. }) => |call| Box::pin(sweep(call)),
        ("events", Trigger::Events) => |call| Box::pin(events(call)),
        _ => return None,
    };
    Some(invoked(function, functions, handler))
}

fn invoked(function: &Function, functions: &Arc<Functions>, call: TriggerHandler) -> Router {
    let name = function.name.clone();
    let binding = function.binding.clone();
    let handler = move |State(functions): State<Arc<Functions>>, headers: HeaderMap, body: Bytes| async move {
        let invocation_id = headers.get("x-azure-functions-invocationid").and_then(|id| id.to_str().ok());
        let invocation_id = invocation_id.unwrap_or("standalone").to_owned();
        let span = tracing::info_span!("invocation", function = name, invocation.id = invocation_id);
        answer(functions, binding, &body, call).instrument(span).await
    };
    let limit = if function.trigger == Trigger::Events { MAX_EVENTS_BYTES } else { MAX_ENVELOPE_BYTES };
    Router::new()
        .route(&format!("/{}", function.name), post(handler))
        .layer(DefaultBodyLimit::max(limit))
        // A panic is a failed invocation like any other: the message is delivered again.
        .layer(CatchPanicLayer::new())
        .with_state(Arc::clone(functions))
}

/// A failure has to be a 5xx, and a success a JSON object.
async fn answer(functions: Arc<Functions>, binding: String, body: &[u8], call: TriggerHandler) -> Response {
    // What needs the storage fails with its own reason; keeping the subscription alive does not need it.
    functions.storage.after_first_attempt().await;
    let result = match Invocation::parse(body) {
        Ok(invocation) => call(TriggerCall { functions, binding, invocation }).await,
        Err(error) => Err(error.to_string()),
    };
    match result {
        Ok(log) => Json(envelope::done(log)).into_response(),
        Err(error) => {
            tracing::error!(error, "the invocation failed and will be delivered again");
            (StatusCode::INTERNAL_SERVER_ERROR, Json(envelope::done(Some(error)))).into_response()
        }
    }
}

async fn propagate(call: TriggerCall) -> TriggerResult {
    let message = call.invocation.message(&call.binding).map_err(|e| e.to_string())?;
    if let Ok(message) = contract::parse(&message) {
        return go_on_sweeping(&call, &message).await;
    }
    let dequeue_count = call.invocation.dequeue_count();
    let propagate = call.functions.propagate.clone();
    let handled = propagate.handle(&message, dequeue_count).await.map_err(|e| e.to_string())?;
    let people = counted(handled.people as u64, "person", "people");
    Ok(Some(format!("{people}, {} captured, {} failed", handled.captured, handled.failed)))
}

async fn subscribe(call: TriggerCall) -> TriggerResult {
    let kept = call.functions.subscribe.sync().await.map_err(|e| e.to_string())?;
    Ok(Some(kept.summary()))
}

async fn events(call: TriggerCall) -> TriggerResult {
    let events = Events::read(call.invocation.data(&call.binding).map_err(|e| e.to_string())?);
    let mut accepted = Accepted::default();
    if let Some(posted) = events.notifications() {
        accepted += call.functions.notify.accept(&posted, None).await.map_err(|e| e.to_string())?;
    }
    if let Some(posted) = events.lifecycle() {
        accepted += call.functions.lifecycle.accept(&posted, None).await.map_err(|e| e.to_string())?;
    }
    let dropped = accepted.dropped + events.unreadable;
    if dropped > 0 {
        tracing::warn!(accepted = accepted.notifications, dropped, "events dropped: not ours, or not Graph's");
    }
    Ok(Some(format!("{} notifications, {dropped} dropped", accepted.notifications)))
}

async fn renew(call: TriggerCall) -> TriggerResult {
    let message = call.invocation.message(&call.binding).map_err(|e| e.to_string())?;
    let message: LifecycleMessage = contract::parse(&message).map_err(|e| e.to_string())?;
    let kept = call.functions.subscribe.handle_lifecycle(&message).await.map_err(|e| e.to_string())?;
    Ok(Some(kept.summary()))
}

async fn sweep(call: TriggerCall) -> TriggerResult {
    let sweep = &call.functions.sweep;
    let is_late = call.invocation.is_past_due(&call.binding);
    if is_late && !sweep.has_swept().await.map_err(|e| e.to_string())? {
        let why = "no sweep has run yet: the first one runs at its scheduled time";
        tracing::info!("{why}");
        return Ok(Some(why.to_owned()));
    }
    match sweep.run_within_limit(Timestamp::now()).await {
        Ok(report) => {
            call.functions.watch.after_sweep(&report, Timestamp::now()).await;
            Ok(Some(report.to_string()))
        }
        Err(error @ SweepError::UnderWay { .. }) => Ok(Some(error.to_string())),
        Err(error) => {
            call.functions.watch.after_failed_sweep(Timestamp::now()).await;
            Err(error.to_string())
        }
    }
}

async fn go_on_sweeping(call: &TriggerCall, message: &ContinueSweep) -> TriggerResult {
    let report = call.functions.sweep.go_on(message).await.map_err(|e| e.to_string())?;
    if let Some(report) = &report {
        call.functions.watch.after_sweep(report, Timestamp::now()).await;
    }
    Ok(Some(report.map_or_else(|| "that sweep has ended already".to_owned(), |report| report.to_string())))
}
