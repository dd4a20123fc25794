//! The body of `POST /$batch`: up to 20 requests, perhaps in an order.

use std::collections::{HashMap, HashSet};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{ApiCall, ApiResult, ApiState};

const MOST_REQUESTS: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    pub(crate) requests: Vec<BatchItem>,
}

/// Graph ignores members that it does not know: an item with `depends_on` runs without an order.
/// <https://github.com/microsoftgraph/msgraph-sdk-python-core/pull/996>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchItem {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) url: String,
    #[serde(default)]
    headers: HashMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    depends_on: Vec<String>,
}

impl BatchBody {
    pub(crate) fn of(state: &ApiState, call: &ApiCall) -> ApiResult<Self> {
        state.require_media_type(call, "application/json")?;
        let malformed = |problem: &str| state.refuse(call, "batch_malformed", &[("problem", problem)]);
        let batch: Self = serde_json::from_slice(&call.body).map_err(|problem| malformed(&problem.to_string()))?;
        if batch.requests.is_empty() {
            return Err(malformed("no requests"));
        }
        if batch.requests.len() > MOST_REQUESTS {
            return Err(state.refuse(call, "batch_too_many", &[]));
        }
        let mut keys = HashSet::new();
        for item in &batch.requests {
            if !keys.insert(item.key()) {
                return Err(state.refuse(call, "batch_duplicate_id", &[("id", &item.id)]));
            }
            if item.url.contains("://") || Method::from_bytes(item.method.as_bytes()).is_err() {
                return Err(malformed("the URL or method of an item"));
            }
            let is_typed = item.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
            if item.body.is_some() && !is_typed {
                return Err(malformed("a body without Content-Type"));
            }
        }
        match batch.first_without_order() {
            Some(item) => Err(state.refuse(call, "batch_depends_on", &[("id", &item.id)])),
            None => Ok(batch),
        }
    }

    /// An item that can never run, because it depends on an unknown one or on itself.
    fn first_without_order(&self) -> Option<&BatchItem> {
        let mut left: Vec<&BatchItem> = self.requests.iter().collect();
        let mut finished = HashSet::new();
        while let Some(at) = left.iter().position(|item| item.dependencies().all(|key| finished.contains(&key))) {
            finished.insert(left.remove(at).key());
        }
        left.first().copied()
    }
}

impl BatchItem {
    /// Ids are compared without regard to case.
    pub(crate) fn key(&self) -> String {
        self.id.to_lowercase()
    }

    /// The keys of the items that must be carried out first.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = String> {
        self.depends_on.iter().map(|id| id.to_lowercase())
    }

    pub(crate) fn call(&self) -> ApiCall {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
            {
                headers.insert(name, value);
            }
        }
        let body = match &self.body {
            None => Bytes::new(),
            // Bodies that are not JSON travel in base64.
            Some(Value::String(text)) => STANDARD.decode(text).map_or_else(|_| Bytes::from(text.clone()), Bytes::from),
            Some(json) => Bytes::from(json.to_string()),
        };
        let method = Method::from_bytes(self.method.to_uppercase().as_bytes()).unwrap_or_default();
        ApiCall::new(method, &format!("/v1.0/{}", self.url.trim_start_matches('/')), headers, body, true)
    }
}
