//! Faults by rule: which calls, how often, and what goes wrong with them.
//!
//! Rules are tried in the order in which they were added; the first that fires decides, except that latencies add up.

use serde::{Deserialize, Serialize};

use crate::answers::Answers;
use crate::wire::{Answer, Call};

/// Which calls something applies to. `*` in the path stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// Any method when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Decoded path without query; items of a batch are compared as `/v1.0` plus their URL.
    pub path: String,
    #[serde(default)]
    pub scope: Scope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    Any,
    /// Requests of their own, the `$batch` request itself among them.
    Requests,
    BatchItems,
}

impl Pattern {
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), scope: Scope::Any }
    }

    pub fn within(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    pub(crate) fn matches(&self, call: &Call) -> bool {
        let scope = match self.scope {
            Scope::Any => true,
            Scope::Requests => !call.in_batch,
            Scope::BatchItems => call.in_batch,
        };
        scope
            && self.method.as_deref().is_none_or(|method| method.eq_ignore_ascii_case(call.method.as_str()))
            && globbed(&self.path.to_lowercase(), &call.path.to_lowercase())
    }
}

fn globbed(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| globbed(rest, &text[at..]))
}

/// A fault and when it fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub calls: Pattern,
    pub fault: Fault,
    /// Fires this often and then never again; always when absent.
    #[serde(default)]
    pub times: Option<u64>,
    #[serde(default = "certain")]
    pub probability: f64,
    /// The call is carried out although its answer is replaced.
    #[serde(default)]
    pub carried_out: bool,
}

fn certain() -> f64 {
    1.0
}

impl Rule {
    pub fn new(calls: Pattern, fault: Fault) -> Self {
        Self { calls, fault, times: None, probability: 1.0, carried_out: false }
    }

    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    pub fn carried_out(mut self) -> Self {
        self.carried_out = true;
        self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An answer of `answers/errors.json` by its name, e.g. `subscription_validation_timeout`.
    Answer { name: String },
    /// 429 with the given hint.
    Throttled { retry_after: RetryAfter },
    /// 503 or another status with an error envelope.
    Status { status: u16, code: String, retry_after: RetryAfter },
    /// Adds to the time the call takes.
    Latency { ms: u64 },
    /// The connection is closed in the middle of the body.
    CutBody,
    /// A complete HTTP answer whose body stops in the middle.
    Truncated,
    /// 200 with an HTML page.
    WrongType,
    /// The body trickles in pieces.
    SlowBody { piece: usize, pause_ms: u64 },
    /// The body never ends.
    EndlessBody,
}

/// The `Retry-After` header.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    Absent,
    Seconds(u64),
    /// As in an older official sample, `2.128`.
    Fraction(f64),
    /// An HTTP-date so many seconds ahead.
    Date(u64),
}

impl RetryAfter {
    fn header(self, answer: Answer) -> Answer {
        let value = match self {
            Self::Absent => return answer,
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Fraction(seconds) => format!("{seconds:.3}"),
            Self::Date(seconds) => {
                let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds as i64);
                jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
            }
        };
        answer.with("Retry-After", value)
    }
}

/// What is done to the body of an answer on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mangled {
    Cut,
    Truncated,
    Slow { piece: usize, pause_ms: u64 },
    Endless,
}

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) latency_ms: u64,
    pub(crate) instead: Option<Answer>,
    pub(crate) carried_out: bool,
    pub(crate) mangled: Option<Mangled>,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(u64, Rule)>,
    next: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: Rule) -> u64 {
        self.next += 1;
        self.rules.push((self.next, rule));
        self.next
    }

    /// Rules that can still fire.
    pub(crate) fn rules(&self) -> Vec<(u64, Rule)> {
        self.rules.clone()
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|(known, _)| *known != id);
        self.rules.len() < before
    }

    pub(crate) fn judge(&mut self, call: &Call, answers: &Answers, dice: &mut fastrand::Rng) -> Verdict {
        let mut verdict = Verdict::default();
        for (_, rule) in &mut self.rules {
            if !rule.calls.matches(call) || (rule.probability < 1.0 && dice.f64() >= rule.probability) {
                continue;
            }
            if let Some(left) = &mut rule.times {
                *left -= 1;
            }
            if let Fault::Latency { ms } = rule.fault {
                verdict.latency_ms += ms;
                continue;
            }
            verdict.carried_out = rule.carried_out;
            match &rule.fault {
                Fault::Answer { name } => verdict.instead = Some(answers.error(name, &[])),
                Fault::Throttled { retry_after } => {
                    verdict.instead = Some(retry_after.header(answers.error("throttled", &[])));
                }
                Fault::Status { status, code, retry_after } => {
                    let answer = Answer::error(*status, code, "A fault that was asked for.");
                    verdict.instead = Some(retry_after.header(answer));
                }
                Fault::WrongType => {
                    let page =
                        bytes::Bytes::from_static(b"<!DOCTYPE html><title>Sorry</title><p>Something went wrong.");
                    verdict.instead = Some(Answer::media("text/html", page));
                }
                Fault::CutBody => verdict.mangled = Some(Mangled::Cut),
                Fault::Truncated => verdict.mangled = Some(Mangled::Truncated),
                Fault::SlowBody { piece, pause_ms } => {
                    verdict.mangled = Some(Mangled::Slow { piece: *piece, pause_ms: *pause_ms });
                }
                Fault::EndlessBody => verdict.mangled = Some(Mangled::Endless),
                Fault::Latency { .. } => {}
            }
            break;
        }
        self.rules.retain(|(_, rule)| rule.times != Some(0));
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_anchored_at_both_ends() {
        assert!(globbed("/v1.0/users/*/photo", "/v1.0/users/1/photo"));
        assert!(!globbed("/v1.0/users/*/photo", "/v1.0/users/1/photo/$value"));
        assert!(globbed("*", "/anything"));
        assert!(globbed("/v1.0/users/*", "/v1.0/users/ö/photo"));
    }
}
