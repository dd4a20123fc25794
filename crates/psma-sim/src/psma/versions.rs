//! The versions of PSMA that are in the field, as far as a script notices a difference.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::value::{PsValue, Table};

/// A version of PSMA with its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PsmaVersion {
    /// 5.5.3: Windows PowerShell in process, no configuration parameters, `-User` instead of `-Username`.
    V5_5,
    /// 5.6.4: in process, with configuration parameters.
    V5_6,
    /// 6.0.1004 to 6.0.1030 with engine 7: a new `pwsh` for each call, values as lines of text.
    V6_0Text,
    /// 6.0.1050: out of process, and an error record ends the run.
    V6_0Build1050,
    /// 6.1: out of process.
    V6_1,
}

impl PsmaVersion {
    pub const ALL: [Self; 5] = [Self::V5_5, Self::V5_6, Self::V6_0Text, Self::V6_0Build1050, Self::V6_1];

    pub(crate) fn is_text_engine(self) -> bool {
        self == Self::V6_0Text
    }

    /// The text engine hands the text of a script to its process, so the script does not know its folder.
    pub(crate) fn knows_script_root(self) -> bool {
        !self.is_text_engine()
    }

    /// Whether an error that a script caught ends the run. Nothing published says so of 6.0.1050; it is the stricter
    /// assumption, because any error record does.
    pub(crate) fn caught_errors_end_the_run(self) -> bool {
        self == Self::V6_0Build1050
    }

    /// Whether a custom object on the pipeline is taken for a hashtable.
    pub(crate) fn unwraps_objects(self) -> bool {
        self == Self::V6_1
    }

    /// Whether the prefix `ImportOnly-` and its like are taken off an attribute's name.
    pub(crate) fn knows_import_only(self) -> bool {
        self != Self::V5_5
    }

    /// What every script gets.
    pub(crate) fn common(self, configuration: &BTreeMap<String, String>) -> Vec<(&'static str, PsValue)> {
        // The accounts of the management agent's connectivity page, which photorelay leaves empty.
        let mut given = vec![
            (if self == Self::V5_5 { "User" } else { "Username" }, PsValue::Null),
            ("Password", PsValue::Null),
            ("Credentials", PsValue::Null),
        ];
        if self != Self::V5_5 {
            let pairs = configuration.iter().map(|(key, value)| (key.clone(), PsValue::text(value.as_str())));
            let is_hashtable = self != Self::V5_6;
            let table = Table::of_host(is_hashtable, pairs);
            given.push(("UsernameAux", PsValue::Null));
            given.push(("PasswordAux", PsValue::Null));
            given.push(("CredentialsAux", PsValue::Null));
            given.push(("ConfigurationParameter", PsValue::Table(Rc::new(RefCell::new(table)))));
        }
        if matches!(self, Self::V6_0Text | Self::V6_0Build1050 | Self::V6_1) {
            given.push(("ImpersonationUsername", PsValue::Null));
            given.push(("ImpersonationPassword", PsValue::Null));
        }
        given
    }

    /// Adds the number of the page, where the version has it.
    pub(crate) fn number(self, name: &'static str, page: usize, given: &mut Vec<(&'static str, PsValue)>) {
        if matches!(self, Self::V6_0Text | Self::V6_0Build1050 | Self::V6_1) {
            given.push((name, PsValue::Number(i64::try_from(page).unwrap_or(i64::MAX))));
        }
    }

    /// As values reach the script.
    pub(crate) fn transported(self, given: Vec<(&'static str, PsValue)>) -> Vec<(&'static str, PsValue)> {
        if !self.is_text_engine() {
            return given;
        }
        let as_text = |(name, value): (&'static str, PsValue)| match value {
            PsValue::Null if !name.contains("Password") && !name.contains("Credential") => (name, PsValue::Bool(true)),
            PsValue::Bool(is_true) => (name, PsValue::text(if is_true { "True" } else { "False" })),
            PsValue::Number(number) => (name, PsValue::text(number.to_string())),
            other => (name, other),
        };
        given.into_iter().map(as_text).collect()
    }

    /// A global variable as PSMA reads it back after a script, given what it held before.
    pub(crate) fn read_back(self, before: &PsValue, after: PsValue) -> PsValue {
        if !self.is_text_engine() {
            return after;
        }
        match after {
            PsValue::Null => before.clone(),
            PsValue::Text(text) if text.is_empty() => before.clone(),
            PsValue::Text(text) if text.eq_ignore_ascii_case("true") => PsValue::Bool(true),
            PsValue::Text(text) if text.eq_ignore_ascii_case("false") => PsValue::Bool(false),
            other => other,
        }
    }
}
