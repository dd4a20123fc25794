//! What Graph answered, and the one table from a status to a decision.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::{Envelope, GraphError, RequestContext};
use super::request::MAX_JSON_BYTES;
use super::retry_after;
use super::throttle_gauge::LIMIT_HEADER;
use super::token::Token;

/// An answer that arrived whole, of any status that is not retried away.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: ResponseBody,
    pub(super) needs: &'static str,
    /// The one that the request was sent with.
    pub(super) token: Token,
    pub(super) trace: RequestContext,
}

#[derive(Debug)]
pub(super) enum ResponseBody {
    Whole(Bytes),
    /// Not read any further; the size is what the server announced, if it did.
    TooLarge {
        announced: Option<u64>,
    },
}

impl Response {
    /// How near the tenant is to a limit, if Graph says so.
    pub(super) fn limit_percentage(&self) -> Option<&str> {
        self.headers.get(LIMIT_HEADER).and_then(|value| value.to_str().ok())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.body {
            ResponseBody::Whole(bytes) => bytes,
            ResponseBody::TooLarge { .. } => &[],
        }
    }

    pub(super) fn envelope(&self) -> Option<Envelope> {
        Envelope::from_bytes(self.bytes())
    }

    /// Whether Graph itself answered, rather than a proxy that knows nothing about users.
    pub(super) fn is_from_graph(&self) -> bool {
        self.trace.request_id.is_some() || self.envelope().is_some()
    }

    /// The response in the form that the items of a batch have too.
    pub(super) fn into_item(self) -> ItemResponse {
        let body = match &self.body {
            ResponseBody::TooLarge { .. } => ItemBody::Other,
            ResponseBody::Whole(bytes) if bytes.is_empty() => ItemBody::Empty,
            ResponseBody::Whole(bytes) => serde_json::from_slice(bytes).map_or(ItemBody::Other, ItemBody::Json),
        };
        let is_from_graph = self.is_from_graph();
        let envelope = self.envelope();
        ItemResponse {
            status: self.status.as_u16(),
            retry_after: retry_after_of(&self.headers),
            body,
            is_from_graph,
            is_granted: is_granted(self.status.as_u16(), self.needs, &self.token),
            needs: self.needs,
            trace: self.trace.with_envelope(envelope),
        }
    }

    /// Reads a good answer as JSON.
    pub(super) fn json<T: DeserializeOwned>(self) -> Result<T, GraphError> {
        if self.status.is_success() { self.parse() } else { Err(self.into_error()) }
    }

    /// Reads an answer, which is good, as JSON that may borrow from it.
    pub(super) fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, GraphError> {
        match &self.body {
            ResponseBody::TooLarge { .. } => Err(self.bad(format!("larger than {MAX_JSON_BYTES} bytes"))),
            // serde's message may quote the text, so only its kind is reported.
            ResponseBody::Whole(bytes) => serde_json::from_slice(bytes).map_err(|e| {
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
        self.into_item().into_error()
    }
}

/// What Graph answers about one thing: a response of its own, or an item of a batch.
#[derive(Debug)]
pub(super) struct ItemResponse {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: ItemBody,
    /// As [`Response::is_from_graph`].
    pub(super) is_from_graph: bool,
    /// The application has the role that a refused request needs.
    pub(super) is_granted: bool,
    pub(super) needs: &'static str,
    pub(super) trace: RequestContext,
}

#[derive(Debug)]
pub(super) enum ItemBody {
    Empty,
    /// Checked to be JSON, and not parsed yet.
    Json(Box<RawValue>),
    Other,
}

impl ItemResponse {
    pub(super) fn bad(&self, reason: &str) -> GraphError {
        GraphError::BadAnswer { reason: reason.to_owned(), at: Box::new(self.trace.clone()) }
    }

    /// The one table from status to decision, for every status that the caller does not expect.
    pub(super) fn into_error(self) -> GraphError {
        let ItemResponse { status, retry_after, needs, is_granted, trace, .. } = self;
        let at = Box::new(trace);
        match status {
            429 | 509 => GraphError::Throttled { retry_after, at },
            401 => GraphError::Unauthorized { at },
            403 if is_granted && at.user.is_some() => GraphError::UserDenied { at },
            403 => GraphError::Denied { needs, at },
            408 | 424 | 500..=599 => GraphError::Unavailable { reason: "its own status".to_owned(), retry_after, at },
            400..=499 => GraphError::Invalid { at },
            300..=399 => GraphError::BadAnswer { reason: "a redirect, which is never followed".to_owned(), at },
            _ => GraphError::BadAnswer { reason: "an unexpected status".to_owned(), at },
        }
    }
}

/// Whether a refusal cannot come from a role that is missing, because the token has it.
pub(super) fn is_granted(status: u16, needs: &str, token: &Token) -> bool {
    status == 403 && token.claims().is_some_and(|claims| claims.has_one_of(needs))
}

/// How long the headers ask to wait.
pub(super) fn retry_after_of(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok().and_then(|value| retry_after::parse(value, Timestamp::now()))
}
