//! Every route that the manifest names, and nothing else.
//!
//! HTTP functions are proxied and keep their path (`/api/notifications`); queue and timer functions are called as
//! `POST /{function}` with an envelope, and so are events. A function in the manifest that nobody implements is an error
//! at start-up.

use std::sync::Arc;

use anyhow::{Result, bail};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use photorelay_core::contract::{self, ContinueSweep, LifecycleMessage};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::envelope::{self, Invocation};
use super::events::Events;
use super::manifest::{Function, Manifest, Trigger};
use super::webhook::{self, Inbox};
use crate::jobs::lifecycle::Lifecycle;
use crate::jobs::notify::{Accepted, Notify};
use crate::jobs::propagate::Propagate;
use crate::jobs::subscribe::Subscribe;
use crate::jobs::sweep::{Sweep, SweepError};
use crate::jobs::watch::Watch;

/// What the functions do.
#[derive(Debug)]
pub struct Functions {
    pub notify: Notify,
    pub lifecycle: Lifecycle,
    pub propagate: Propagate,
    pub subscribe: Arc<Subscribe>,
    pub sweep: Sweep,
    pub watch: Watch,
}

/// An envelope holds one queue message of at most 64 KiB, encoded once more.
const MAX_ENVELOPE_BYTES: usize = 512 * 1024;
/// A batch of events of at most 1 MB each; host.json limits the batch.
const MAX_EVENTS_BYTES: usize = 16 * 1024 * 1024;

/// The router for these functions.
pub fn router(functions: Arc<Functions>, manifest: &Manifest) -> Result<Router> {
    // The host polls `/` until it answers.
    let mut router = Router::new().route("/", get(|| async { "photorelay" }));
    for function in &manifest.functions {
        let routes = match (function.name.as_str(), &function.trigger) {
            ("notifications", Trigger::Http { route }) => {
                let path = format!("/{}/{route}", manifest.route_prefix);
                webhook::routes(&path, Arc::clone(&functions), Inbox::Notifications)
            }
            ("lifecycle", Trigger::Http { route }) => {
                let path = format!("/{}/{route}", manifest.route_prefix);
                webhook::routes(&path, Arc::clone(&functions), Inbox::Lifecycle)
            }
            ("renew", Trigger::Queue { .. }) => invoked(function, &functions, |call| Box::pin(renew(call))),
            ("propagate", Trigger::Queue { .. }) => invoked(function, &functions, |call| Box::pin(propagate(call))),
            ("subscribe", Trigger::Timer { .. }) => invoked(function, &functions, |call| Box::pin(subscribe(call))),
            ("events", Trigger::Events) => invoked(function, &functions, |call| Box::pin(events(call))),
            ("sweep", Trigger::Timer { .. }) => invoked(function, &functions, |call| Box::pin(sweep(call))),
            (name, trigger) => {
                bail!("function.json names `{name}` with {trigger:?}, which this program does not serve")
            }
        };
        router = router.merge(routes);
    }
    Ok(router)
}

/// One call of a queue or timer function.
struct Call {
    functions: Arc<Functions>,
    binding: String,
    invocation: Invocation,
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<Option<String>, String>> + Send>>;

fn invoked(function: &Function, functions: &Arc<Functions>, call: fn(Call) -> Answer) -> Router {
    let name = function.name.clone();
    let binding = function.binding.clone();
    let handler = move |State(functions): State<Arc<Functions>>, headers: HeaderMap, body: Bytes| async move {
        let invocation_id = header(&headers, "x-azure-functions-invocationid").unwrap_or("standalone").to_owned();
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
async fn answer(functions: Arc<Functions>, binding: String, body: &[u8], call: fn(Call) -> Answer) -> Response {
    let result = match Invocation::parse(body) {
        Ok(invocation) => call(Call { functions, binding, invocation }).await,
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

async fn propagate(call: Call) -> Result<Option<String>, String> {
    let message = call.invocation.message(&call.binding).map_err(|e| e.to_string())?;
    if let Ok(message) = contract::parse(&message) {
        return go_on_sweeping(&call, &message).await;
    }
    let dequeue_count = call.invocation.dequeue_count();
    let propagate = call.functions.propagate.clone();
    let handled = propagate.handle(&message, dequeue_count).await.map_err(|e| e.to_string())?;
    Ok(Some(format!("{} people, {} captured, {} failed", handled.people, handled.captured, handled.failed)))
}

async fn subscribe(call: Call) -> Result<Option<String>, String> {
    let kept = call.functions.subscribe.keep().await.map_err(|e| e.to_string())?;
    Ok(Some(kept.summary()))
}

async fn events(call: Call) -> Result<Option<String>, String> {
    let events = Events::read(call.invocation.data(&call.binding).map_err(|e| e.to_string())?);
    let mut accepted = Accepted::default();
    if let Some(posted) = events.notifications() {
        accepted += call.functions.notify.accept(&posted, None).await.map_err(|e| e.to_string())?;
    }
    if let Some(posted) = events.lifecycle() {
        accepted += call.functions.lifecycle.accept(&posted, None).await.map_err(|e| e.to_string())?;
    }
    let Accepted { hints, dropped } = accepted;
    let dropped = dropped + events.unreadable;
    if dropped > 0 {
        tracing::warn!(hints, dropped, "events dropped: not ours, or not Graph's");
    }
    Ok(Some(format!("{hints} hints, {dropped} dropped")))
}

async fn renew(call: Call) -> Result<Option<String>, String> {
    let message = call.invocation.message(&call.binding).map_err(|e| e.to_string())?;
    let message: LifecycleMessage = contract::parse(&message).map_err(|e| e.to_string())?;
    let kept = call.functions.subscribe.handle_lifecycle(&message).await.map_err(|e| e.to_string())?;
    Ok(Some(kept.summary()))
}

async fn sweep(call: Call) -> Result<Option<String>, String> {
    let sweep = &call.functions.sweep;
    let is_late = call.invocation.is_past_due(&call.binding);
    if is_late && !sweep.has_swept().await.map_err(|e| e.to_string())? {
        let why = "nothing was swept before: the first sweep comes at its time";
        tracing::info!("{why}");
        return Ok(Some(why.to_owned()));
    }
    match sweep.run_within_limit(Timestamp::now()).await {
        Ok(report) => {
            call.functions.watch.after_sweep(&report, Timestamp::now()).await;
            Ok(Some(report.to_string()))
        }
        Err(error @ SweepError::UnderWay { .. }) => Ok(Some(error.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

async fn go_on_sweeping(call: &Call, message: &ContinueSweep) -> Result<Option<String>, String> {
    let report = call.functions.sweep.go_on(message).await.map_err(|e| e.to_string())?;
    if let Some(report) = &report {
        call.functions.watch.after_sweep(report, Timestamp::now()).await;
    }
    Ok(Some(report.map_or_else(|| "that sweep needs nobody to go on with it".to_owned(), |report| report.to_string())))
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
