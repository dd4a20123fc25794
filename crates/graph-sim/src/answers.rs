//! Answers of Graph and of the sign-in service, kept as data in `answers/*.json`, each with the public page it comes from.
//!
//! A handler names an answer and fills its placeholders; wording lives nowhere else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::Answer;

/// One entry of `answers/errors.json` or `answers/signin.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    status: u16,
    code: String,
    message: String,
    /// The AADSTS number; zero for Graph's own errors.
    #[serde(default)]
    number: u32,
    evidence: Evidence,
    source: String,
}

/// How well an answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Evidence {
    Documented,
    Observed,
    /// The real wording or code is unknown; this one is ours.
    Simulator,
}

#[derive(Debug, Serialize)]
pub(crate) struct Answers {
    errors: BTreeMap<String, Entry>,
    signin: BTreeMap<String, Entry>,
}

impl Answers {
    pub(crate) fn load() -> anyhow::Result<Self> {
        Ok(Self {
            errors: serde_json::from_str(include_str!("../answers/errors.json"))?,
            signin: serde_json::from_str(include_str!("../answers/signin.json"))?,
        })
    }

    pub(crate) fn error(&self, name: &str, fill: &[(&str, &str)]) -> Answer {
        match self.errors.get(name) {
            Some(entry) => Answer::error(entry.status, &entry.code, filled(&entry.message, fill)),
            None => Answer::error(500, "SimulatorIsWrong", format!("no answer named {name}")),
        }
    }

    pub(crate) fn has_error(&self, name: &str) -> bool {
        self.errors.contains_key(name)
    }

    /// Status, `error`, description and AADSTS number of a sign-in error.
    pub(crate) fn signin(&self, name: &str, fill: &[(&str, &str)]) -> (u16, String, String, u32) {
        match self.signin.get(name) {
            Some(entry) => (entry.status, entry.code.clone(), filled(&entry.message, fill), entry.number),
            None => (500, "simulator_is_wrong".into(), format!("no answer named {name}"), 0),
        }
    }
}

fn filled(text: &str, fill: &[(&str, &str)]) -> String {
    fill.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_source_and_an_error_status() {
        let answers = Answers::load().unwrap();
        for (name, entry) in answers.errors.iter().chain(&answers.signin) {
            assert!((400..600).contains(&entry.status), "{name}");
            assert!(!entry.source.is_empty(), "{name}");
        }
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(filled("a {x} b {x}", &[("x", "1")]), "a 1 b 1");
    }
}
