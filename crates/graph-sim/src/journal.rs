//! What was asked and what was answered, so that a test can say "exactly these calls were made".
//!
//! Counters are kept for ever, single entries up to a limit. Violations are calls that a correct client never makes.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::wire::Call;

const MOST_ENTRIES: usize = 200_000;

/// One request and its answer.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    pub number: u64,
    pub at: Timestamp,
    pub request_id: Uuid,
    pub method: String,
    /// As it was sent, with its query.
    pub target: String,
    /// The path with its variable parts replaced, e.g. `/v1.0/users/{id}/photo`.
    pub template: String,
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<BatchItem>,
}

/// One item of a `$batch`, in the order in which it was asked.
#[derive(Debug, Clone, Serialize)]
pub struct BatchItem {
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

/// The log of requests, newest last.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    pub entries: Vec<Request>,
    /// `GET /v1.0/users/{id}/photo` and, for items of a batch, `batch GET /v1.0/users/{id}/photo`.
    pub counters: BTreeMap<String, u64>,
    pub most_at_once: usize,
}

impl Requests {
    /// How often a method and template were called, as requests of their own and as items of batches.
    pub fn count(&self, method_and_template: &str) -> u64 {
        let own = self.counters.get(method_and_template).copied().unwrap_or(0);
        own + self.counters.get(&format!("batch {method_and_template}")).copied().unwrap_or(0)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Request>,
    counters: BTreeMap<String, u64>,
    violations: Vec<Violation>,
    next: u64,
    at_once: usize,
    most_at_once: usize,
}

impl Journal {
    pub(crate) fn begin(&mut self) {
        self.at_once += 1;
        self.most_at_once = self.most_at_once.max(self.at_once);
    }

    pub(crate) fn end(&mut self, mut request: Request) {
        self.at_once = self.at_once.saturating_sub(1);
        self.next += 1;
        request.number = self.next;
        self.count(format!("{} {}", request.method, request.template));
        for item in &request.items {
            self.count(format!("batch {} {}", item.method, item.template));
        }
        self.entries.push_back(request);
        if self.entries.len() > MOST_ENTRIES {
            self.entries.pop_front();
        }
    }

    fn count(&mut self, key: String) {
        *self.counters.entry(key).or_default() += 1;
    }

    pub(crate) fn violation(&mut self, call: &Call, what: String) {
        let place = if call.in_batch { "batch item " } else { "" };
        let call = format!("{place}{} {}", call.method, call.path);
        self.violations.push(Violation { at: Timestamp::now(), call, what });
    }

    pub(crate) fn requests(&self) -> Requests {
        Requests {
            entries: self.entries.iter().cloned().collect(),
            counters: self.counters.clone(),
            most_at_once: self.most_at_once,
        }
    }

    pub(crate) fn clear_requests(&mut self) {
        self.entries.clear();
        self.counters.clear();
        self.most_at_once = self.at_once;
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        self.violations.clone()
    }

    pub(crate) fn clear_violations(&mut self) {
        self.violations.clear();
    }
}
