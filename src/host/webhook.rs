//! `POST /api/notifications` and `POST /api/lifecycle`: the validation handshake, and what Graph notifies.
//!
//! The endpoints are public. They must never tell a caller which check failed, never echo anything as HTML,
//! and never acknowledge what is not stored. A caller that goes away half way, as the Functions host does with its own
//! caller, cancels nothing: what was received is stored all the same. <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks>

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::body::{HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::detached::Detached;
use super::functions::Functions;
use crate::jobs::notify::NotifyError;

/// The largest POST that is read. Graph sends far less; 10,000 items of the usual size fit.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// A validation token is some hundred characters long.
const MAX_TOKEN_BYTES: usize = 2048;
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What an endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inbox {
    Notifications,
    Lifecycle,
}

pub(super) fn routes(path: &str, functions: Arc<Functions>, inbox: Inbox) -> Router {
    Router::new().route(path, post(receive)).with_state((functions, inbox))
}

/// Takes the request as it is, because this is the one route whose speed the sender watches.
async fn receive(State((functions, inbox)): State<(Arc<Functions>, Inbox)>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Some(token) = head.uri.query().and_then(validation_token) {
        return handshake(&token);
    }
    // Nothing of the head is kept while this waits: the state of a request is allocated for each of them.
    let (says_json, traceparent) = (is_json(&head.headers), head.headers.get(&TRACEPARENT).cloned());
    drop(head);
    if !functions.storage.is_ready().await {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if !says_json {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    // What the caller declares.
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        // Longer than declared, or cut off; in the latter case no caller is left to read the answer.
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let storing = Arc::clone(&functions);
    let accepted = Detached::new(&functions.tasks, async move {
        let traceparent = traceparent.as_ref().and_then(readable);
        match inbox {
            Inbox::Notifications => storing.notify.accept(&body, traceparent).await,
            Inbox::Lifecycle => storing.lifecycle.accept(&body, traceparent).await,
        }
    });
    let Ok(accepted) = accepted.await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match accepted {
        Ok(accepted) => {
            if accepted.dropped > 0 {
                tracing::warn!(
                    accepted = accepted.notifications,
                    dropped = accepted.dropped,
                    "notifications dropped: not ours"
                );
            } else {
                tracing::debug!(accepted = accepted.notifications, "notifications stored");
            }
            StatusCode::ACCEPTED.into_response()
        }
        Err(NotifyError::NotACollection) => StatusCode::BAD_REQUEST.into_response(),
        Err(error @ NotifyError::NotStored(_)) => {
            tracing::error!(%error, "notifications are refused until they can be stored; Graph repeats them for hours");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// The token, decoded as a form is: `+` is a space.
fn validation_token(query: &str) -> Option<Cow<'_, str>> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(name, _)| name == "validationToken").map(|(_, token)| token)
}

/// Plain text that no browser takes for anything else.
fn handshake(token: &str) -> Response {
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
        return StatusCode::BAD_REQUEST.into_response();
    }
    tracing::info!("Graph validates the endpoint");
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (StatusCode::OK, headers, token.to_owned()).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(readable).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn readable(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}
