//! The names of operators' decisions. Like receipts, a later decision is a document beside the earlier ones.

use std::fmt;

use crate::id::{Digest, UserId};

/// In `agents`: the prefix of all decisions.
pub const DECISIONS_PREFIX: &str = "decisions/";

/// In `agents`: the prefix of all decisions about one user.
pub fn decisions_prefix(user: UserId) -> String {
    format!("{DECISIONS_PREFIX}{user}/")
}

/// What an operator decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DecisionSubject {
    /// What this entry does to the target.
    Entry(u32),
    /// A value in the target that photorelay did not write.
    Value(Digest),
}

/// The name of a decision. Of those about one subject in one target, the one with the highest number counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DecisionName {
    pub user: UserId,
    pub subject: DecisionSubject,
    pub target: String,
    /// From 1, without gaps.
    pub number: u32,
}

impl DecisionName {
    pub fn first(user: UserId, subject: DecisionSubject, target: &str) -> Self {
        Self { user, subject, target: target.to_owned(), number: 1 }
    }

    pub fn next(&self) -> Self {
        Self { number: self.number + 1, ..self.clone() }
    }
}

impl fmt::Display for DecisionName {
    /// The first has no number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, subject, target, number } = self;
        f.write_str(&decisions_prefix(*user))?;
        match subject {
            DecisionSubject::Entry(seq) => write!(f, "{seq:08}.{target}")?,
            DecisionSubject::Value(value) => write!(f, "{value}.{target}")?,
        }
        match number {
            1 => write!(f, ".json"),
            number => write!(f, ".{number}.json"),
        }
    }
}

/// What the name of a decision says; `None` for any other name.
pub fn parse_decision(name: &str) -> Option<DecisionName> {
    let (user, file) = name.strip_prefix(DECISIONS_PREFIX)?.split_once('/')?;
    let (subject, rest) = file.strip_suffix(".json")?.split_once('.')?;
    let (target, number) = match rest.split_once('.') {
        None => (rest, 1),
        Some((target, number)) => (target, number.parse().ok().filter(|number| *number > 1)?),
    };
    let subject = match subject.parse() {
        Ok(value) => DecisionSubject::Value(value),
        Err(_) => DecisionSubject::Entry(subject.parse().ok()?),
    };
    let parsed = DecisionName { user: user.parse().ok()?, subject, target: target.to_owned(), number };
    (parsed.to_string() == name).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_parsed_as_decisions() {
        let user: UserId = "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap();
        for subject in [DecisionSubject::Entry(7), DecisionSubject::Value(Digest::of(b"value"))] {
            let first = DecisionName::first(user, subject, "ad");
            for name in [first.clone(), first.next()] {
                assert_eq!(parse_decision(&name.to_string()), Some(name));
            }
        }
        let first = DecisionName::first(user, DecisionSubject::Entry(7), "ad");
        assert_eq!(first.to_string(), format!("decisions/{user}/00000007.ad.json"));
        assert_eq!(first.next().to_string(), format!("decisions/{user}/00000007.ad.2.json"));
        for wrong in ["00000007.ad.1.json", "7.ad.json", "00000007.json", "00000007.ad.02.json"] {
            assert_eq!(parse_decision(&format!("decisions/{user}/{wrong}")), None, "{wrong}");
        }
    }
}
