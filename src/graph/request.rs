//! The one place that sends a request to Graph, and reads an answer from it within limits.
//!
//! Retried are 429, 503, 504 and failures of the connection, by the configured policy; a 401 gets one renewed token;
//! nothing else is repeated. It never follows a redirect and never talks plain http beyond this machine.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use photorelay_core::entra;
use photorelay_core::id::UserId;
use photorelay_core::retry::RetrySchedule;
use photorelay_core::telemetry::metrics;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, ClientBuilder, Method, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use super::error::{Envelope, GraphError, RequestContext, token_like};
use super::throttle_gauge::{LIMIT_HEADER, ThrottleGauge};
use super::token::{Token, TokenSource};
use super::{GraphConfig, Priority, SetupError, retry_after};

/// More JSON than any answer that we ask for.
pub(super) const MAX_JSON_BYTES: u64 = 4 * 1024 * 1024;
/// What goes wrong is explained in few words.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// One call, to be sent as often as needed.
#[derive(Debug)]
pub(super) struct Request {
    operation: &'static str,
    user: Option<UserId>,
    needs: &'static str,
    method: Method,
    url: Url,
    body: Option<(&'static str, Bytes)>,
    priority: Priority,
    limit: u64,
    accept: &'static str,
    handshake: bool,
}

impl Request {
    /// `operation` and `needs` (the application role) are for errors.
    pub(super) fn new(operation: &'static str, needs: &'static str, method: Method, url: Url) -> Self {
        Self {
            operation,
            user: None,
            needs,
            method,
            url,
            body: None,
            priority: Priority::Normal,
            limit: MAX_JSON_BYTES,
            accept: "application/json",
            handshake: false,
        }
    }

    pub(super) fn about(self, user: UserId) -> Self {
        Self { user: Some(user), ..self }
    }

    pub(super) fn json(self, body: &serde_json::Value) -> Self {
        Self { body: Some(("application/json", Bytes::from(body.to_string()))), ..self }
    }

    pub(super) fn content(self, content_type: &'static str, body: Bytes) -> Self {
        Self { body: Some((content_type, body)), ..self }
    }

    pub(super) fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// The answer is no JSON, and at most so many bytes of it are read.
    pub(super) fn media(self, limit: u64) -> Self {
        Self { limit, accept: "*/*", ..self }
    }

    /// Graph calls our webhook back before it answers, so that this takes longer.
    pub(super) fn with_handshake(self) -> Self {
        Self { handshake: true, ..self }
    }
}

/// An answer that arrived whole, of any status that is not retried away.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    pub(super) needs: &'static str,
    pub(super) trace: RequestContext,
}

#[derive(Debug)]
pub(super) enum RequestBody {
    Whole(Bytes),
    /// Not read any further; the size is what the server announced, if it did.
    TooLarge {
        announced: Option<u64>,
    },
}

impl Response {
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.body {
            RequestBody::Whole(bytes) => bytes,
            RequestBody::TooLarge { .. } => &[],
        }
    }

    pub(super) fn envelope(&self) -> Option<Envelope> {
        Envelope::from_bytes(self.bytes())
    }

    /// Whether Graph itself said it, rather than something in between that knows nothing of people.
    pub(super) fn is_from_graph(&self) -> bool {
        self.trace.request_id.is_some() || self.envelope().is_some()
    }

    /// The answer in the form that the items of a batch have too.
    pub(super) fn into_reply(self) -> ItemResponse {
        let body = match &self.body {
            RequestBody::TooLarge { .. } => ReplyBody::Other,
            RequestBody::Whole(bytes) if bytes.is_empty() => ReplyBody::Empty,
            RequestBody::Whole(bytes) => serde_json::from_slice(bytes).map_or(ReplyBody::Other, ReplyBody::Json),
        };
        let is_from_graph = self.is_from_graph();
        let envelope = self.envelope();
        ItemResponse {
            status: self.status.as_u16(),
            hint: hint(&self.headers),
            body,
            is_from_graph,
            needs: self.needs,
            trace: self.trace.with_envelope(envelope),
        }
    }

    /// Reads a good answer as JSON.
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<T, GraphError> {
        match &self.body {
            _ if !self.status.is_success() => Err(self.into_error()),
            RequestBody::TooLarge { .. } => Err(self.bad(format!("larger than {MAX_JSON_BYTES} bytes"))),
            // What serde says may quote the text, so only its kind is told.
            RequestBody::Whole(bytes) => serde_json::from_slice(bytes).map_err(|e| {
                let kind = if e.is_data() { "JSON of another form than promised" } else { "not whole JSON" };
                self.bad(kind.to_owned())
            }),
        }
    }

    pub(super) fn bad(&self, reason: String) -> GraphError {
        GraphError::BadAnswer { reason, at: Box::new(self.trace.clone()) }
    }

    /// What a status other than the expected ones means.
    pub(super) fn into_error(self) -> GraphError {
        self.into_reply().into_error()
    }
}

/// What Graph says about one thing: an answer of its own, or an item of a batch.
#[derive(Debug)]
pub(super) struct ItemResponse {
    pub(super) status: u16,
    pub(super) hint: Option<Duration>,
    pub(super) body: ReplyBody,
    /// As [`Response::is_from_graph`].
    pub(super) is_from_graph: bool,
    pub(super) needs: &'static str,
    pub(super) trace: RequestContext,
}

#[derive(Debug)]
pub(super) enum ReplyBody {
    Empty,
    Json(serde_json::Value),
    Other,
}

impl ItemResponse {
    pub(super) fn bad(&self, reason: &str) -> GraphError {
        GraphError::BadAnswer { reason: reason.to_owned(), at: Box::new(self.trace.clone()) }
    }

    /// The one table from status to decision, for every status that the caller does not expect.
    pub(super) fn into_error(self) -> GraphError {
        let ItemResponse { status, hint: retry_after, needs, trace, .. } = self;
        let at = Box::new(trace);
        match status {
            429 | 509 => GraphError::Throttled { retry_after, at },
            401 => GraphError::Unauthorized { at },
            403 => GraphError::Denied { needs, at },
            408 | 424 | 500..=599 => GraphError::Unavailable { reason: "as it says".to_owned(), retry_after, at },
            400..=499 => GraphError::Invalid { at },
            300..=399 => GraphError::BadAnswer { reason: "a redirect, which is never followed".to_owned(), at },
            _ => GraphError::BadAnswer { reason: "an unexpected status".to_owned(), at },
        }
    }
}

/// Sends calls.
pub(super) struct Transport {
    config: GraphConfig,
    pooled: Client,
    /// Made when first needed, because that takes longer than a start should.
    fresh: OnceLock<Client>,
    tokens: Arc<dyn TokenSource>,
    pressure: ThrottleGauge,
}

impl Transport {
    pub(super) fn new(config: GraphConfig, tokens: Arc<dyn TokenSource>) -> Result<Self, SetupError> {
        let base_url = &config.base_url;
        entra::require_private(base_url)?;
        let decorated = base_url.query().is_some() || base_url.fragment().is_some() || base_url.has_authority_secrets();
        if decorated {
            return Err(SetupError::Decorated);
        }
        let pooled = client(&config).build()?;
        Ok(Self { config, pooled, fresh: OnceLock::new(), tokens, pressure: ThrottleGauge::default() })
    }

    /// Opens a connection for every request: after a 503, Graph wants to be asked through another one.
    fn fresh(&self) -> &Client {
        self.fresh.get_or_init(|| {
            // The same was built before with one setting less; the old connections are better than none.
            client(&self.config).pool_max_idle_per_host(0).build().unwrap_or_else(|_| self.pooled.clone())
        })
    }

    pub(super) fn pressure(&self) -> &ThrottleGauge {
        &self.pressure
    }

    pub(super) fn base_url(&self) -> &Url {
        &self.config.base_url
    }

    /// The URL of a path below the base; each segment is encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.config.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The same below the beta version, for what exists nowhere else.
    pub(super) fn beta_url(&self, segments: &[&str]) -> Url {
        let mut url = self.config.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().pop().push("beta").extend(segments);
        }
        url
    }

    /// Takes a link that Graph gave for the next page, if it leads to the same place: the token goes with it.
    pub(super) fn accept_link(&self, link: &str) -> Option<Url> {
        let url = Url::parse(link).ok()?;
        let below = url.path().starts_with(&format!("{}/", self.config.base_url.path().trim_end_matches('/')));
        (url.origin() == self.config.base_url.origin() && below && !url.has_authority_secrets()).then_some(url)
    }

    /// Sends until there is an answer to look at; an `Err` is what is left after all that may be repeated was.
    pub(super) async fn send(&self, call: Request) -> Result<Response, GraphError> {
        let mut schedule = RetrySchedule::start(self.config.retry);
        let mut renewed = false;
        let mut client = &self.pooled;
        let mut token = self.token(&call).await?;
        loop {
            let outcome = self.attempt(client, &call, &token).await;
            let hint = match &outcome {
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED && !renewed => {
                    renewed = true;
                    self.tokens.invalidate(&token).await;
                    let next = self.token(&call).await?;
                    if !next.is_same(&token) {
                        token = next;
                        continue;
                    }
                    None
                }
                Ok(answer) => hint(&answer.headers),
                Err(_) => None,
            };
            let repeat = match &outcome {
                Ok(answer) => matches!(answer.status.as_u16(), 429 | 503 | 504),
                Err(_) => true,
            };
            let Some(delay) = repeat.then(|| schedule.after_failure(hint)).flatten() else {
                return match outcome {
                    Ok(answer) if repeat => Err(answer.into_error()),
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(error),
                };
            };
            tracing::debug!(operation = call.operation, delay_ms = delay.as_millis(), "Graph is asked again");
            if !matches!(&outcome, Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS) {
                client = self.fresh();
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn token(&self, call: &Request) -> Result<Token, GraphError> {
        self.tokens.token().await.map_err(|source| {
            let at = Box::new(RequestContext::of(call.operation, call.user));
            GraphError::Token { source, at }
        })
    }

    async fn attempt(&self, client: &Client, call: &Request, token: &Token) -> Result<Response, GraphError> {
        let mut trace = RequestContext::of(call.operation, call.user);
        let client_request_id = Uuid::new_v4();
        trace.client_request_id = Some(client_request_id);
        let mut request = client
            .request(call.method.clone(), call.url.clone())
            .header("client-request-id", client_request_id.to_string())
            .header(ACCEPT, call.accept)
            .header(AUTHORIZATION, bearer(token, &trace)?);
        if call.priority == Priority::Low {
            request = request.header(PRIORITY_HEADER, PRIORITY_LOW);
        }
        if let Some((content_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *content_type).body(body.clone());
        }
        if call.handshake {
            request = request.timeout(self.config.handshake_timeout);
        }
        let response = request.send().await;
        metrics::graph_request(response.as_ref().ok().map(|response| response.status().as_u16()));
        let mut response = response.map_err(|e| unavailable(e, &trace))?;

        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        trace.status = Some(status.as_u16());
        if let Some(used) = headers.get(LIMIT_HEADER).and_then(|value| value.to_str().ok()) {
            self.pressure.heard(used);
        }
        trace.request_id = headers.get("request-id").and_then(|id| id.to_str().ok()).map(token_like);
        let limit = if status.is_success() { call.limit } else { MAX_ERROR_BYTES };
        let announced = headers.get("content-length").and_then(|n| n.to_str().ok()).and_then(|n| n.parse().ok());
        let body = read(response, announced, limit).await.map_err(|e| unavailable(e, &trace))?;
        if let (RequestBody::Whole(bytes), Some(announced)) = (&body, announced)
            && bytes.len() as u64 != announced
        {
            let reason = format!("cut after {} of {announced} bytes", bytes.len());
            return Err(GraphError::Unavailable { reason, retry_after: None, at: Box::new(trace) });
        }
        Ok(Response { status, headers, body, needs: call.needs, trace })
    }
}

fn client(config: &GraphConfig) -> ClientBuilder {
    let loopback = entra::is_loopback(&config.base_url);
    let builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout)
        .timeout(config.request_timeout)
        .https_only(!loopback)
        .user_agent(concat!("photorelay/", env!("CARGO_PKG_VERSION")));
    // A token for this machine must not take the way through a proxy.
    if loopback { builder.no_proxy() } else { builder }
}

pub(super) const PRIORITY_HEADER: &str = "x-ms-throttle-priority";
pub(super) const PRIORITY_LOW: &str = "Low";

/// Reads at most `limit` bytes. What is larger is left on the wire, and the connection with it.
async fn read(mut response: reqwest::Response, announced: Option<u64>, limit: u64) -> reqwest::Result<RequestBody> {
    if announced.is_some_and(|announced| announced > limit) {
        return Ok(RequestBody::TooLarge { announced });
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Ok(RequestBody::TooLarge { announced: None });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(RequestBody::Whole(bytes.freeze()))
}

fn bearer(token: &Token, trace: &RequestContext) -> Result<HeaderValue, GraphError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret())).map_err(|_| {
        let source = super::TokenError::Unavailable("the token has characters that no header can carry".to_owned());
        GraphError::Token { source, at: Box::new(trace.clone()) }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn hint(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok().and_then(|value| retry_after::parse(value, Timestamp::now()))
}

/// The library's own text repeats the URL, which may hold a name; its causes do not.
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
    let reason = format!("{what}: {}", super::error::fit_for_logs(&innermost.to_string()));
    GraphError::Unavailable { reason, retry_after: None, at: Box::new(trace.clone()) }
}

/// A user and password in front of the host.
trait AuthoritySecrets {
    fn has_authority_secrets(&self) -> bool;
}

impl AuthoritySecrets for Url {
    fn has_authority_secrets(&self) -> bool {
        !self.username().is_empty() || self.password().is_some()
    }
}
