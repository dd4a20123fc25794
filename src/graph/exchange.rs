//! One HTTP exchange with Graph: a request out, and an answer in, within limits of time and size.
//!
//! It never follows a redirect, because a token must not travel on, and never uses plain http beyond this machine. It
//! owns the failures of the wire: an answer that is late, cut, or endless.

use std::time::Duration;

use bytes::BytesMut;
use photorelay_core::entra;
use photorelay_core::telemetry::metrics;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, ClientBuilder};
use uuid::Uuid;

use super::config::GraphConfig;
use super::error::{GraphError, RequestContext};
use super::log_text::{fit_for_logs, token_like};
use super::request::{PRIORITY_HEADER, PRIORITY_LOW, Priority, Request};
use super::response::{Response, ResponseBody};
use super::token::{Token, TokenError};

/// An error is explained in few words.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

pub(super) fn client(config: &GraphConfig) -> ClientBuilder {
    let loopback = entra::is_loopback(&config.base_url);
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .https_only(!loopback)
        .user_agent(concat!("photorelay/", env!("CARGO_PKG_VERSION")));
    // A token for this machine must not pass through a proxy.
    if loopback { builder.no_proxy() } else { builder }
}

/// `timeout` overrides the client's own.
pub(super) async fn exchange(
    client: &Client,
    request: &Request,
    token: &Token,
    timeout: Option<Duration>,
) -> Result<Response, GraphError> {
    let mut trace = RequestContext::of(request.operation, request.user);
    let client_request_id = Uuid::new_v4();
    trace.client_request_id = Some(client_request_id);
    let mut sent = client
        .request(request.method.clone(), request.url.clone())
        .header("client-request-id", client_request_id.to_string())
        .header(ACCEPT, request.accept)
        .header(AUTHORIZATION, bearer(token, &trace)?);
    if request.priority == Priority::Low {
        sent = sent.header(PRIORITY_HEADER, PRIORITY_LOW);
    }
    if let Some((content_type, body)) = &request.body {
        sent = sent.header(CONTENT_TYPE, *content_type).body(body.clone());
    }
    if let Some(timeout) = timeout {
        sent = sent.timeout(timeout);
    }
    let response = sent.send().await;
    metrics::graph_request(response.as_ref().ok().map(|response| response.status().as_u16()));
    let mut response = response.map_err(|e| unavailable(e, &trace))?;

    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    trace.status = Some(status.as_u16());
    trace.request_id = headers.get("request-id").and_then(|id| id.to_str().ok()).map(token_like);
    let limit = if status.is_success() { request.limit } else { MAX_ERROR_BYTES };
    let announced = headers.get("content-length").and_then(|n| n.to_str().ok()).and_then(|n| n.parse().ok());
    let body = read(response, announced, limit).await.map_err(|e| unavailable(e, &trace))?;
    if let (ResponseBody::Whole(bytes), Some(announced)) = (&body, announced)
        && bytes.len() as u64 != announced
    {
        let reason = format!("cut after {} of {announced} bytes", bytes.len());
        return Err(GraphError::Unavailable { reason, retry_after: None, at: Box::new(trace) });
    }
    Ok(Response { status, headers, body, needs: request.needs, token: token.clone(), trace })
}

/// Reads at most `limit` bytes. A larger answer is left on the wire, and the connection is given up with it.
async fn read(mut response: reqwest::Response, announced: Option<u64>, limit: u64) -> reqwest::Result<ResponseBody> {
    if announced.is_some_and(|announced| announced > limit) {
        return Ok(ResponseBody::TooLarge { announced });
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Ok(ResponseBody::TooLarge { announced: None });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(ResponseBody::Whole(bytes.freeze()))
}

fn bearer(token: &Token, trace: &RequestContext) -> Result<HeaderValue, GraphError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret())).map_err(|_| {
        let source = TokenError::Unavailable("the token has characters that no header can carry".to_owned());
        GraphError::Token { source, at: Box::new(trace.clone()) }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The library's own text repeats the URL, which may contain a name; the causes do not.
fn unavailable(error: reqwest::Error, trace: &RequestContext) -> GraphError {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if trace.status.is_some() {
        "the answer was cut"
    } else {
        "the connection broke"
    };
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    let reason = format!("{what}: {}", fit_for_logs(&innermost.to_string()));
    GraphError::Unavailable { reason, retry_after: None, at: Box::new(trace.clone()) }
}
