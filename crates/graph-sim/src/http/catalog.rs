//! The errors of Graph and of the sign-in service, kept as data in `answers/*.json`, each with its public source.
//!
//! A handler names an error and fills its placeholders; the wording exists nowhere else.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::response::ApiResponse;

/// One entry of `answers/errors.json` or `answers/signin.json`.
#[derive(Debug, Deserialize)]
struct CatalogEntry {
    status: u16,
    code: String,
    message: String,
    /// The AADSTS number; zero for Graph's own errors.
    #[serde(default)]
    number: u32,
}

#[derive(Debug)]
pub(crate) struct ErrorCatalog {
    graph: BTreeMap<String, CatalogEntry>,
    sign_in: BTreeMap<String, CatalogEntry>,
}

/// An error of the sign-in service or of the managed-identity endpoint.
#[derive(Debug)]
pub(crate) struct SignInError {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) number: u32,
}

impl ErrorCatalog {
    pub(crate) fn load() -> anyhow::Result<Self> {
        Ok(Self {
            graph: serde_json::from_str(include_str!("../../answers/errors.json"))?,
            sign_in: serde_json::from_str(include_str!("../../answers/signin.json"))?,
        })
    }

    pub(crate) fn graph_error(&self, name: &str, fill: &[(&str, &str)]) -> ApiResponse {
        match self.graph.get(name) {
            Some(entry) => ApiResponse::error(entry.status, &entry.code, filled(&entry.message, fill)),
            None => ApiResponse::error(500, "SimulatorIsWrong", format!("no error named {name}")),
        }
    }

    pub(crate) fn sign_in_error(&self, name: &str, fill: &[(&str, &str)]) -> SignInError {
        match self.sign_in.get(name) {
            Some(CatalogEntry { status, code, message, number }) => {
                SignInError { status: *status, code: code.clone(), message: filled(message, fill), number: *number }
            }
            None => {
                let message = format!("no error named {name}");
                SignInError { status: 500, code: "simulator_is_wrong".into(), message, number: 0 }
            }
        }
    }
}

fn filled(text: &str, fill: &[(&str, &str)]) -> String {
    fill.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn every_error_has_an_error_status_evidence_and_a_source() {
        for file in [include_str!("../../answers/errors.json"), include_str!("../../answers/signin.json")] {
            for (name, entry) in serde_json::from_str::<Map<String, Value>>(file).unwrap() {
                let evidence = entry["evidence"].as_str().unwrap();
                assert!((400..600).contains(&entry["status"].as_u64().unwrap()), "{name}");
                assert!(["documented", "observed", "simulator"].contains(&evidence), "{name}");
                assert!(!entry["source"].as_str().unwrap().is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(filled("a {x} b {x}", &[("x", "1")]), "a 1 b 1");
    }
}
