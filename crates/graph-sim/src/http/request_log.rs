//! What was called and how it was answered, so that a test can say "exactly these calls were made".
//!
//! Counters are kept until they are cleared, single requests up to a limit.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// Requests, and items of batches.
const MOST_ENTRIES: usize = 200_000;

/// One request and its response.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedRequest {
    pub at: Timestamp,
    pub method: String,
    /// As it was sent, with its query.
    pub target: String,
    /// The path with its variable parts replaced, for example `/v1.0/users/{id}/photo`.
    pub template: String,
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<RecordedItem>,
}

/// One item of a `$batch`, in the order of the request.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedItem {
    pub id: String,
    pub method: String,
    pub target: String,
    pub template: String,
    pub status: u16,
}

/// A call that a correct client never makes.
#[derive(Debug, Clone, Serialize)]
pub struct Violation {
    pub at: Timestamp,
    pub call: String,
    pub what: String,
}

/// The requests, newest last.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    pub entries: Vec<RecordedRequest>,
    /// `GET /v1.0/users/{id}/photo` and, for items of a batch, `batch GET /v1.0/users/{id}/photo`.
    pub counters: BTreeMap<String, u64>,
    /// Requests and items among the entries.
    kept: usize,
}

impl RequestLog {
    /// How often a method and template were called, as requests of their own and as items of batches.
    pub fn count(&self, method_and_template: &str) -> u64 {
        let own = self.counters.get(method_and_template).copied().unwrap_or(0);
        own + self.counters.get(&format!("batch {method_and_template}")).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, request: RecordedRequest) {
        let own = format!("{} {}", request.method, request.template);
        let items = request.items.iter().map(|item| format!("batch {} {}", item.method, item.template));
        for key in std::iter::once(own).chain(items) {
            *self.counters.entry(key).or_default() += 1;
        }
        if self.kept >= MOST_ENTRIES {
            self.entries.drain(..self.entries.len() / 2);
            self.kept = self.entries.iter().map(|request| 1 + request.items.len()).sum();
        }
        self.kept += 1 + request.items.len();
        self.entries.push(request);
    }
}
