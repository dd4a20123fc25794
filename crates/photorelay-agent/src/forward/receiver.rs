//! One HTTP request to the receiver, and what its status means for the event and for the agent.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::{self, WriteBack};
use photorelay_core::entra::{self, AccessTokens};
use photorelay_core::settings::ServiceUri;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use secrecy::ExposeSecret as _;

use super::signature::SigningKey;

const CONTENT: &str = "application/cloudevents+json; charset=utf-8";
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(30);
/// A receiver cannot postpone an event further.
const MAX_DELAY: Duration = Duration::from_secs(3600);

/// Where events go, and what proves that they are ours.
pub struct Receiver {
    client: Client,
    url: ServiceUri,
    key: Option<SigningKey>,
    tokens: Option<AccessTokens>,
}

/// How the receiver answered.
#[derive(Debug)]
pub(super) enum Posted {
    Accepted,
    /// It will never take this event.
    Refused(String),
    /// It may take this event later; others are not affected.
    Later {
        delay: Option<Duration>,
        reason: String,
    },
    /// It takes no events now.
    Down(String),
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Receiver {
    pub fn new(url: ServiceUri, key: Option<SigningKey>, tokens: Option<AccessTokens>) -> reqwest::Result<Self> {
        let is_loopback = entra::is_loopback(&url.0);
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            .https_only(!is_loopback)
            .user_agent(concat!("photorelay-agent/", env!("CARGO_PKG_VERSION")));
        let client = if is_loopback { client.no_proxy() } else { client };
        Ok(Self { client: client.build()?, url, key, tokens })
    }

    /// What receipts name: without path and query, which may hold a key.
    pub(super) fn server(&self) -> String {
        self.url.0.origin().ascii_serialization()
    }

    pub(super) async fn post(&self, event: &WriteBack) -> Posted {
        let body = contract::to_bytes(event);
        let headers = match self.headers(event, &body).await {
            Ok(headers) => headers,
            Err(reason) => return Posted::Down(reason),
        };
        match self.client.post(self.url.0.clone()).headers(headers).body(body).send().await {
            Ok(answer) => classify(answer.status(), answer.headers()),
            Err(error) => Posted::Down(format!("the receiver cannot be reached: {}", causes(&error.without_url()))),
        }
    }

    async fn headers(&self, event: &WriteBack, body: &[u8]) -> Result<HeaderMap, String> {
        let now = Timestamp::now();
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| "a header cannot be sent".to_owned());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
        headers.insert("webhook-id", value(&event.id)?);
        headers.insert("webhook-timestamp", value(&now.as_second().to_string())?);
        if let Some(traceparent) = &event.traceparent {
            headers.insert("traceparent", value(traceparent)?);
        }
        if let Some(key) = &self.key {
            headers.insert("webhook-signature", value(&key.sign(&event.id, now, body))?);
        }
        if let Some(tokens) = &self.tokens {
            let token = tokens.token().await.map_err(|error| format!("no token for the receiver: {error}"))?;
            let mut bearer = value(&format!("Bearer {}", token.expose_secret()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(headers)
    }
}

fn classify(status: StatusCode, headers: &HeaderMap) -> Posted {
    let reason = |what: &str| format!("the receiver answered {}: {what}", status.as_u16());
    match status.as_u16() {
        200..=299 => Posted::Accepted,
        300..=399 => Posted::Down(reason("redirects are not followed, correct PHOTORELAY_FORWARD_URL")),
        401 | 403 => Posted::Down(reason("it does not accept the signature or the token")),
        404 => Posted::Down(reason("nothing is there, correct PHOTORELAY_FORWARD_URL")),
        410 => Posted::Down(reason("it wants no more events, so stop this agent or correct PHOTORELAY_FORWARD_URL")),
        502..=504 => Posted::Down(reason("it is not available")),
        408 | 425 | 429 | 500.. => {
            Posted::Later { delay: retry_after(headers), reason: reason("it may take it later") }
        }
        _ => Posted::Refused(reason("it does not take this event")),
    }
}

/// In seconds; a date is left to the usual delays.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_DELAY))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
