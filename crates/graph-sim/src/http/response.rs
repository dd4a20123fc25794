//! A response before it is written: status, headers, and JSON, media or the error envelope.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a handler returns; an error is a response too, for `?`.
pub(crate) type ApiResult<T = ApiResponse> = Result<T, ApiResponse>;

#[derive(Debug, Clone)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: ApiBody,
}

#[derive(Debug, Clone)]
pub(crate) enum ApiBody {
    Empty,
    Json(Value),
    Media(String, Bytes),
    /// The common error envelope; ids and date are filled in when it is sent.
    Error {
        code: String,
        message: String,
    },
}

impl ApiResponse {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: ApiBody::Json(body) }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: ApiBody::Empty }
    }

    pub(crate) fn media(content_type: &str, bytes: Bytes) -> Self {
        Self { status: 200, headers: Vec::new(), body: ApiBody::Media(content_type.to_owned(), bytes) }
    }

    pub(crate) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        let body = ApiBody::Error { code: code.to_owned(), message: message.into() };
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    /// Turns the error body into the JSON that Graph sends.
    pub(crate) fn finished(mut self, request_id: Uuid, client_request_id: &str, now: Timestamp) -> Self {
        if let ApiBody::Error { code, message } = &self.body {
            self.body = ApiBody::Json(json!({ "error": {
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
