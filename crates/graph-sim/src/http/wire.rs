//! Writes a response to the wire.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::faults::BodyFault;

use super::response::ApiBody;
use super::{ApiResponse, ApiState};

const JSON: &str = "application/json; charset=utf-8";
const GRAPH_JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// The response as HTTP, its body mangled by the fault. `is_graph` decides on the media type of JSON.
pub(crate) fn written(state: &ApiState, response: ApiResponse, is_graph: bool, fault: Option<BodyFault>) -> Response {
    let (content_type, bytes) = match response.body {
        ApiBody::Json(value) => {
            let content_type = if is_graph { GRAPH_JSON } else { JSON };
            (Some(content_type.to_owned()), Bytes::from(value.to_string()))
        }
        ApiBody::Media(content_type, bytes) => (Some(content_type), bytes),
        ApiBody::Empty | ApiBody::Error { .. } => (None, Bytes::new()),
    };
    let length = bytes.len();
    let body = match fault {
        None => Body::from(bytes),
        Some(fault) => Body::from_stream(fault.mangled(bytes, state.stop.clone())),
    };
    let mut written = Response::new(body);
    *written.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = written.headers_mut();
    if fault.is_some_and(BodyFault::announces_length) {
        headers.insert("content-length", HeaderValue::from(length));
    }
    let content_type = content_type.map(|value| ("Content-Type", value));
    for (name, value) in content_type.into_iter().chain(response.headers) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    written
}
