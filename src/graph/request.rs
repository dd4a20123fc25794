//! One request to Graph, described once and sent as often as the retries need.

use bytes::Bytes;
use photorelay_core::id::UserId;
use reqwest::Method;
use serde::Serialize;
use url::Url;

/// More JSON than any answer that photorelay requests.
pub(super) const MAX_JSON_BYTES: u64 = 4 * 1024 * 1024;
pub(super) const PRIORITY_HEADER: &str = "x-ms-throttle-priority";
pub(super) const PRIORITY_LOW: &str = "Low";

/// How urgent a request is when the tenant is near a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// Throttled first: for sweeps.
    Low,
    #[default]
    Normal,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) operation: &'static str,
    pub(super) user: Option<UserId>,
    pub(super) needs: &'static str,
    pub(super) method: Method,
    pub(super) url: Url,
    /// The content type and the bytes.
    pub(super) body: Option<(&'static str, Bytes)>,
    pub(super) priority: Priority,
    /// As [`Self::ahead`].
    pub(super) is_ahead: bool,
    /// The most bytes of an answer that are read.
    pub(super) limit: u64,
    pub(super) accept: &'static str,
    /// As [`Self::with_handshake`].
    pub(super) handshake: bool,
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
            is_ahead: false,
            limit: MAX_JSON_BYTES,
            accept: "application/json",
            handshake: false,
        }
    }

    pub(super) fn about(self, user: UserId) -> Self {
        Self { user: Some(user), ..self }
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("a body has string keys only and always serialises");
        Self { body: Some(("application/json", Bytes::from(body))), ..self }
    }

    pub(super) fn content(self, content_type: &'static str, body: Bytes) -> Self {
        Self { body: Some((content_type, body)), ..self }
    }

    pub(super) fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Does not wait behind requests of low priority, though it may have low priority itself: one of a series in which each
    /// needs the answer before.
    pub(super) fn ahead(self) -> Self {
        Self { is_ahead: true, ..self }
    }

    /// The answer is not JSON, and at most this many bytes of it are read.
    pub(super) fn media(self, limit: u64) -> Self {
        Self { limit, accept: "*/*", ..self }
    }

    /// Graph calls the webhook before it answers, which takes longer.
    pub(super) fn with_handshake(self) -> Self {
        Self { handshake: true, ..self }
    }
}
