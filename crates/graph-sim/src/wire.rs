//! What comes in and goes out, independent of HTTP, so that a `$batch` item takes the same way as a request of its own.
//!
//! Parsing here never fails: what makes no sense is judged by the handlers, which know how Graph words it.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// A request, or one item of a `$batch`.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Decoded path without the query.
    pub(crate) path: String,
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) in_batch: bool,
}

impl Call {
    pub(crate) fn new(method: Method, target: &str, headers: HeaderMap, body: Bytes, in_batch: bool) -> Self {
        let (raw_path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        // One slash at the end is tolerated; a doubled slash leaves an empty segment, which no route has.
        let inside = raw_path.strip_prefix('/').unwrap_or(raw_path);
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let segments: Vec<String> =
            if inside.is_empty() { Vec::new() } else { inside.split('/').map(percent_decoded).collect() };
        let path = format!("/{}", segments.join("/"));
        let query = url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect();
        Self { method, path, segments, query, headers, body, in_batch }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type of the body without parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a handler answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) payload: Payload,
}

#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Json(Value),
    Media(String, Bytes),
    /// The common error envelope; ids and date are filled in when it is sent.
    Error {
        code: String,
        message: String,
    },
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), payload: Payload::Json(body) }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), payload: Payload::Empty }
    }

    pub(crate) fn media(content_type: &str, bytes: Bytes) -> Self {
        Self { status: 200, headers: Vec::new(), payload: Payload::Media(content_type.to_owned(), bytes) }
    }

    pub(crate) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        let payload = Payload::Error { code: code.to_owned(), message: message.into() };
        Self { status, headers: Vec::new(), payload }
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// Turns the error payload into the JSON that Graph sends.
    pub(crate) fn finished(mut self, request_id: Uuid, client_request_id: &str, now: Timestamp) -> Self {
        if let Payload::Error { code, message } = &self.payload {
            self.payload = Payload::Json(json!({ "error": {
                "code": code,
                "message": message,
                "innerError": {
                    "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                    "request-id": request_id,
                    "client-request-id": client_request_id,
                },
            }}));
        }
        self
    }
}

/// The form with seven fraction digits that Graph's samples use.
pub(crate) fn graph_time(time: Timestamp) -> String {
    format!("{time:.7}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_plus_stays() {
        let call = Call::new(
            Method::GET,
            "/v1.0/users/o%27b+x@c.test/photo/%24value?a=b+c",
            HeaderMap::new(),
            Bytes::new(),
            false,
        );
        assert_eq!(call.path, "/v1.0/users/o'b+x@c.test/photo/$value");
        assert_eq!(call.query, [("a".to_owned(), "b c".to_owned())]);
    }

    #[test]
    fn times_have_seven_fraction_digits() {
        let time: Timestamp = "2026-05-20T11:00:00+00:00".parse().unwrap();
        assert_eq!(graph_time(time), "2026-05-20T11:00:00.0000000Z");
    }
}
