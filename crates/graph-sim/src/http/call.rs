//! A request as handlers see it, so that an item of a `$batch` goes the same way as a request of its own.
//!
//! Parsing never fails: handlers refuse what makes no sense, because they know how Graph words the refusal.

use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use crate::faults::CallLine;

/// A request, or one item of a `$batch`.
#[derive(Debug, Clone)]
pub(crate) struct ApiCall {
    pub(crate) method: Method,
    /// Decoded path without the query, its keys as segments, for patterns and reports.
    pub(crate) path: String,
    /// Decoded segments as they were sent.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) in_batch: bool,
}

impl ApiCall {
    pub(crate) fn new(method: Method, target: &str, headers: HeaderMap, body: Bytes, in_batch: bool) -> Self {
        let (raw_path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        // One slash at the end is tolerated; a doubled slash leaves an empty segment, which no route has.
        let inside = raw_path.strip_prefix('/').unwrap_or(raw_path);
        let inside = inside.strip_suffix('/').unwrap_or(inside);
        let segments: Vec<String> =
            if inside.is_empty() { Vec::new() } else { inside.split('/').map(percent_decoded).collect() };
        let path = format!("/{}", keys_as_segments(&segments).join("/"));
        let query = url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect();
        Self { method, path, segments, query, headers, body, in_batch }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn query_option(&self, wanted: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    pub(crate) fn line(&self) -> CallLine<'_> {
        CallLine { method: self.method.as_str(), path: &self.path, in_batch: self.in_batch, body: &self.body }
    }

    /// The media type of the body without parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// The segments with OData's other notation of a key, `users('id')`, written as `users` and `id`. An apostrophe in a key
/// is doubled there.
pub(crate) fn keys_as_segments<T: AsRef<str>>(segments: &[T]) -> Vec<String> {
    let mut parts = Vec::with_capacity(segments.len() + 2);
    for segment in segments {
        let segment = segment.as_ref();
        let keyed = segment.strip_suffix("')").and_then(|rest| rest.split_once("('"));
        match keyed.filter(|(name, key)| !name.is_empty() && !key.replace("''", "").contains('\'')) {
            Some((name, key)) => parts.extend([name.to_owned(), key.replace("''", "'")]),
            None => parts.push(segment.to_owned()),
        }
    }
    parts
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_plus_stays() {
        let call = ApiCall::new(
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
    fn keys_in_parentheses_become_segments_and_nothing_else_does() {
        let cases = [
            ("users('o''b@c.test')", "users/o'b@c.test"),
            ("users('')", "users/"),
            ("users('a'b')", "users('a'b')"),
            ("('a')", "('a')"),
            ("users(a)", "users(a)"),
            ("delta()", "delta()"),
        ];
        for (sent, expected) in cases {
            assert_eq!(keys_as_segments(&[sent]).join("/"), expected);
        }
    }
}
