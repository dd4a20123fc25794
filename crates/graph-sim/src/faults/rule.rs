//! Faults by rule: which calls, how often, and what goes wrong with them.
//!
//! Rules are tried in the order in which they were added; the first that fires decides, except that latencies add up.

use super::pattern::{CallLine, RequestPattern};

#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// An error of `answers/errors.json` by its name, for example `subscription_validation_timeout`.
    GraphError { name: String },
    /// 429.
    Throttled { retry_after: RetryAfter },
    /// 503 or another status with an error envelope.
    Status { status: u16, code: String, retry_after: RetryAfter },
    /// Adds to the time the call takes.
    Latency { ms: u64 },
    /// The connection is closed in the middle of the body.
    CutBody,
    /// A complete HTTP response whose body stops in the middle.
    Truncated,
    /// 200 with an HTML page.
    WrongType,
    /// The body trickles in pieces.
    SlowBody { piece: usize, pause_ms: u64 },
    /// The body never ends.
    EndlessBody,
}

/// The `Retry-After` header.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetryAfter {
    Absent,
    Seconds(u64),
    /// As in an older official sample, `2.128`.
    Fraction(f64),
    /// An HTTP-date so many seconds ahead.
    Date(u64),
}

/// A fault and when it fires.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    calls: RequestPattern,
    fault: Fault,
    times: Option<u64>,
    probability: f64,
    carried_out: bool,
    naming: Option<String>,
}

impl FaultRule {
    /// Fires on every matching call.
    pub fn new(calls: RequestPattern, fault: Fault) -> Self {
        Self { calls, fault, times: None, probability: 1.0, carried_out: false, naming: None }
    }

    /// Fires this often and then never again.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    pub fn probability(self, probability: f64) -> Self {
        Self { probability, ..self }
    }

    /// Fires only on calls whose body contains this text, so that one person can make a whole `$batch` fail.
    pub fn naming(self, text: &str) -> Self {
        Self { naming: Some(text.to_owned()), ..self }
    }

    /// The call is carried out although its response is replaced.
    pub fn carried_out(self) -> Self {
        Self { carried_out: true, ..self }
    }

    fn concerns(&self, call: CallLine<'_>) -> bool {
        let is_named =
            |text: &String| call.body.windows(text.len().max(1)).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
        self.calls.matches(call) && self.naming.as_ref().is_none_or(is_named)
    }
}

/// What the rules say about one call.
#[derive(Debug, Default)]
pub(crate) struct FaultOutcome {
    pub(crate) latency_ms: u64,
    /// Never a latency.
    pub(crate) fault: Option<Fault>,
    pub(crate) carried_out: bool,
}

#[derive(Debug, Default)]
pub(crate) struct FaultRules {
    rules: Vec<(u64, FaultRule)>,
    next: u64,
}

impl FaultRules {
    pub(crate) fn add(&mut self, rule: FaultRule) -> u64 {
        self.next += 1;
        self.rules.push((self.next, rule));
        self.next
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|(known, _)| *known != id);
        self.rules.len() < before
    }

    pub(crate) fn judge(&mut self, call: CallLine<'_>, dice: &mut fastrand::Rng) -> FaultOutcome {
        let mut outcome = FaultOutcome::default();
        for (_, rule) in &mut self.rules {
            if !rule.concerns(call) || (rule.probability < 1.0 && dice.f64() >= rule.probability) {
                continue;
            }
            if let Some(left) = &mut rule.times {
                *left -= 1;
            }
            if let Fault::Latency { ms } = rule.fault {
                outcome.latency_ms += ms;
                continue;
            }
            outcome.fault = Some(rule.fault.clone());
            outcome.carried_out = rule.carried_out;
            break;
        }
        self.rules.retain(|(_, rule)| rule.times != Some(0));
        outcome
    }
}
