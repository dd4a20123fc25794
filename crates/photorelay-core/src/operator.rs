//! Who acts as an operator, and why: recorded with everything that an operator decides.
//!
//! Both are free text for the record and prove nothing: the storage account's log says which identity wrote.

use std::fmt;
use std::str::FromStr;

/// Long enough for an account with its domain.
const MAX_NAME_CHARS: usize = 100;
/// Long enough for a ticket and a sentence.
const MAX_REASON_CHARS: usize = 200;

/// An operator's name: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorName(String);

/// Why an operator decided so: one line, for example with the number of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorReason(String);

/// Stands below a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorSignature {
    pub by: OperatorName,
    pub reason: Option<OperatorReason>,
}

impl OperatorSignature {
    pub fn by(&self) -> String {
        self.by.to_string()
    }

    pub fn reason(&self) -> Option<String> {
        self.reason.as_ref().map(ToString::to_string)
    }
}

impl FromStr for OperatorName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_line(text, MAX_NAME_CHARS, "an operator's name").map(Self)
    }
}

impl FromStr for OperatorReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        one_line(text, MAX_REASON_CHARS, "the reason").map(Self)
    }
}

fn one_line(text: &str, limit: usize, what: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= limit && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(format!("{what} has to be one line of 1 to {limit} characters")) }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for OperatorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_reason_are_one_line_of_text() {
        assert_eq!("CONTOSO\\ada".parse::<OperatorName>().unwrap().to_string(), "CONTOSO\\ada");
        assert_eq!(" ticket 4711 ".parse::<OperatorReason>().unwrap().to_string(), "ticket 4711");
        for text in ["", "  ", "a\nb", "\u{1b}[31m", &"x".repeat(201)] {
            assert!(text.parse::<OperatorName>().is_err() && text.parse::<OperatorReason>().is_err(), "{text:?}");
        }
    }
}
