//! What can go wrong with Graph, as decisions, and the ids that find the request in Microsoft's logs.
//!
//! An error never holds a token, a URL or personal data: users are named by id, and texts from Graph are shortened and
//! stripped of anything that looks like an address.

use std::fmt;
use std::time::Duration;

use photorelay_core::id::UserId;
use serde::Deserialize;
use uuid::Uuid;

use super::log_text::{fit_for_logs, token_like};
use super::token::TokenError;

/// Why a request failed; the variants are what a caller can do about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GraphError {
    /// Put the work back for as long as Graph asks, or for a growing time if it does not say.
    #[error("Graph asks to slow down{}: {at}", after(*.retry_after))]
    Throttled { retry_after: Option<Duration>, at: Box<RequestContext> },
    /// Down, slow or cut off: worth trying again later.
    #[error("Graph is unavailable ({reason}){}: {at}", after(*.retry_after))]
    Unavailable { reason: String, retry_after: Option<Duration>, at: Box<RequestContext> },
    /// Not what the API promises; treated as transient, because it usually is.
    #[error("Graph gave an answer that cannot be used ({reason}): {at}")]
    BadAnswer { reason: String, at: Box<RequestContext> },
    /// An administrator has to grant the role and give consent.
    #[error("Graph refuses this to the application: grant it the application role {needs}: {at}")]
    Denied { needs: &'static str, at: Box<RequestContext> },
    /// The application may read other users; an administrator has to find out what excludes this one, if it should not.
    #[error(
        "Graph refuses this user to the application, which has the role that it needs; an application access policy or \
         the mailbox itself may exclude it: {at}"
    )]
    UserDenied { at: Box<RequestContext> },
    /// A fresh token was not accepted either: the Graph URL and the cloud of the credential do not fit together.
    #[error(
        "Graph does not accept the token, not even a new one: check that the Graph URL and the credential belong to the \
         same cloud: {at}"
    )]
    Unauthorized { at: Box<RequestContext> },
    /// Graph finds the request itself wrong; repeating it does not help.
    #[error("Graph does not accept the request: {at}")]
    Invalid { at: Box<RequestContext> },
    /// There is no token to ask with.
    #[error("no token for Graph: {source}: {at}")]
    Token { source: TokenError, at: Box<RequestContext> },
}

impl GraphError {
    /// How long Graph asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            GraphError::Throttled { retry_after, .. } | GraphError::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same request may succeed later without an operator's help.
    pub fn is_transient(&self) -> bool {
        match self {
            GraphError::Throttled { .. } | GraphError::Unavailable { .. } | GraphError::BadAnswer { .. } => true,
            GraphError::Token { source, .. } => source.is_transient(),
            GraphError::Denied { .. }
            | GraphError::UserDenied { .. }
            | GraphError::Unauthorized { .. }
            | GraphError::Invalid { .. } => false,
        }
    }

    /// Whether it says nothing about other users: not the credential, a role or the whole application is the reason.
    pub fn is_about_the_user(&self) -> bool {
        !matches!(self, GraphError::Token { .. } | GraphError::Unauthorized { .. } | GraphError::Denied { .. })
    }

    /// Whether a request about several users may have failed because of one of them. What the transport has repeated,
    /// what asks to slow down and what concerns the credential is about all of them.
    pub(super) fn may_concern_one_user(&self) -> bool {
        match (self, self.trace().status) {
            (GraphError::Invalid { .. } | GraphError::UserDenied { .. }, _) => true,
            (GraphError::Unavailable { .. }, Some(status)) => status >= 400 && !matches!(status, 503 | 504),
            (GraphError::BadAnswer { .. }, Some(status)) => (200..300).contains(&status),
            _ => false,
        }
    }

    /// Which request it was about.
    pub fn trace(&self) -> &RequestContext {
        match self {
            GraphError::Throttled { at, .. }
            | GraphError::Unavailable { at, .. }
            | GraphError::BadAnswer { at, .. }
            | GraphError::Denied { at, .. }
            | GraphError::UserDenied { at }
            | GraphError::Unauthorized { at }
            | GraphError::Invalid { at }
            | GraphError::Token { at, .. } => at,
        }
    }
}

fn after(delay: Option<Duration>) -> String {
    delay.map(|delay| format!(" for {} s", delay.as_secs())).unwrap_or_default()
}

/// What is known of one request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestContext {
    /// Such as `read photo metadata`.
    pub operation: &'static str,
    pub user: Option<UserId>,
    pub status: Option<u16>,
    /// Graph's error code.
    pub code: Option<String>,
    /// Graph's words, shortened.
    pub message: Option<String>,
    /// What Microsoft's support asks for.
    pub request_id: Option<String>,
    /// The id that photorelay gave the request; the last attempt's.
    pub client_request_id: Option<Uuid>,
}

impl RequestContext {
    pub(super) fn of(operation: &'static str, user: Option<UserId>) -> Self {
        Self { operation, user, status: None, code: None, message: None, request_id: None, client_request_id: None }
    }

    /// Adds what the error envelope of an answer says.
    pub(super) fn with_envelope(mut self, envelope: Option<Envelope>) -> Self {
        if let Some(envelope) = envelope {
            self.request_id = envelope.request_id.or(self.request_id);
            self.code = envelope.code;
            self.message = envelope.message;
        }
        self
    }

    /// The status and, if there is one, the code: `404 ImageNotFound`.
    pub fn shape(&self) -> String {
        let status = self.status.unwrap_or_default();
        self.code.as_ref().map_or_else(|| status.to_string(), |code| format!("{status} {code}"))
    }
}

impl fmt::Display for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation)?;
        if let Some(user) = self.user {
            write!(f, " of user {user}")?;
        }
        if self.status.is_some() {
            write!(f, ", status {}", self.shape())?;
        }
        if let Some(message) = &self.message {
            write!(f, " \"{message}\"")?;
        }
        if let Some(request_id) = &self.request_id {
            write!(f, ", request-id {request_id}")?;
        }
        if let Some(client_request_id) = self.client_request_id {
            write!(f, ", client-request-id {client_request_id}")?;
        }
        Ok(())
    }
}

/// The error envelope that all of Graph uses, already fit for logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) request_id: Option<String>,
    /// A GUID in the message, which is where Graph names a subscription that exists already.
    pub(super) named_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct WireEnvelope {
    error: WireError,
}

#[derive(Deserialize)]
struct WireError {
    code: Option<serde_json::Value>,
    message: Option<serde_json::Value>,
    #[serde(alias = "innererror")]
    #[serde(rename = "innerError")]
    inner: Option<serde_json::Value>,
}

impl Envelope {
    pub(super) fn from_bytes(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self::from_wire)
    }

    fn from_wire(wire: WireEnvelope) -> Self {
        let text = |value: &Option<serde_json::Value>| value.as_ref().and_then(|v| v.as_str()).map(str::to_owned);
        let message = text(&wire.error.message);
        let request_id = wire.error.inner.as_ref().and_then(|inner| inner.get("request-id")).and_then(|id| id.as_str());
        Self {
            code: text(&wire.error.code).map(|code| token_like(&code)).filter(|code| !code.is_empty()),
            named_id: message.as_deref().and_then(first_guid),
            message: message.map(|message| fit_for_logs(&message)).filter(|message| !message.is_empty()),
            request_id: request_id.map(token_like),
        }
    }
}

fn first_guid(text: &str) -> Option<Uuid> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'))
        .filter(|word| word.len() == 36)
        .find_map(|word| Uuid::try_parse(word).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_read_in_every_spelling() {
        for inner in ["innerError", "innererror"] {
            let body = format!(r#"{{"error":{{"code":"X","message":"m","{inner}":{{"request-id":"r-1"}}}}}}"#);
            let envelope = Envelope::from_bytes(body.as_bytes()).unwrap();
            assert_eq!(envelope.code.as_deref(), Some("X"));
            assert_eq!(envelope.request_id.as_deref(), Some("r-1"));
        }
        assert_eq!(Envelope::from_bytes(b"<html>not found</html>"), None);
        assert_eq!(Envelope::from_bytes(br#"{"error":{"code":404}}"#), Some(Envelope::default()));
    }

    #[test]
    fn the_id_of_a_subscription_is_found_in_the_message() {
        let body = br#"{"error":{"code":"ObjectIdentifierInUse","message":"Subscription Id 7f105c7d-2dc5-4530-97cd-4e7ae6534c07 already exists for the requested combination"}}"#;
        let id = Envelope::from_bytes(body).unwrap().named_id;
        assert_eq!(id, Some("7f105c7d-2dc5-4530-97cd-4e7ae6534c07".parse().unwrap()));
    }
}
