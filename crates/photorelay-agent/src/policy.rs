//! What the agent may do by itself, and what waits for an operator. These are settings only: `writeback` enforces them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use photorelay_core::deletion_slots::{self, FEWEST_REMOVALS, REMOVALS_PER_DAY, REMOVALS_PERCENT};
use photorelay_core::id::{Digest, UserId};
use photorelay_core::wording::counted;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WritePolicy {
    pub removal: RemovalPolicy,
    /// In place of the default of `deletion_slots`; with 0 every removal waits.
    pub removals_per_day: Option<u32>,
    pub foreign: ForeignPolicy,
    /// If there is a list, only its users are written.
    pub pilot: Option<Pilot>,
}

/// What becomes of a target's photo when the user has none any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RemovalPolicy {
    /// It stays until an operator approves.
    #[default]
    Hold,
    /// It is removed, within the deletion threshold.
    Clear,
    /// It stays.
    Ignore,
}

/// What becomes of a value that we did not write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForeignPolicy {
    /// It stays until an operator approves.
    #[default]
    KeepForeign,
    /// It stays.
    OnlyIfEmpty,
    /// It is kept in the storage and overwritten.
    Overwrite,
}

impl RemovalPolicy {
    /// As it is set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Clear => "clear",
            Self::Ignore => "ignore",
        }
    }
}

impl ForeignPolicy {
    /// As it is set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeepForeign => "keep-foreign",
            Self::OnlyIfEmpty => "only-if-empty",
            Self::Overwrite => "overwrite",
        }
    }
}

impl FromStr for RemovalPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hold" => Ok(Self::Hold),
            "clear" => Ok(Self::Clear),
            "ignore" => Ok(Self::Ignore),
            _ => Err(format!("`{text}` is none of hold, clear, ignore")),
        }
    }
}

impl FromStr for ForeignPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "keep-foreign" => Ok(Self::KeepForeign),
            "only-if-empty" => Ok(Self::OnlyIfEmpty),
            "overwrite" => Ok(Self::Overwrite),
            _ => Err(format!("`{text}` is none of keep-foreign, only-if-empty, overwrite")),
        }
    }
}

/// The users of a pilot, by object id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pilot(BTreeSet<UserId>);

impl FromStr for Pilot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ids = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|id| !id.is_empty());
        let users = ids.map(|id| id.parse().map_err(|_| "not a list of object ids, separated by commas".to_owned()));
        Ok(Self(users.collect::<Result<_, String>>()?))
    }
}

impl fmt::Display for WritePolicy {
    /// For operators and logs: a pilot is only counted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "foreign values: {}; removals: {}", self.foreign.as_str(), self.removal.as_str())?;
        match self.removals_per_day {
            Some(most) => write!(f, "; deletion threshold: {most} a day")?,
            None => write!(
                f,
                "; deletion threshold: {REMOVALS_PER_DAY} a day, or {REMOVALS_PERCENT} % if that is fewer, but at least \
                 {FEWEST_REMOVALS}"
            )?,
        }
        match &self.pilot {
            Some(pilot) => write!(f, "; pilot: {} only", counted(pilot.0.len() as u64, "person", "people")),
            None => write!(f, "; pilot: none"),
        }
    }
}

impl WritePolicy {
    pub fn includes(&self, user: UserId) -> bool {
        self.pilot.as_ref().is_none_or(|pilot| pilot.0.contains(&user))
    }

    /// The same policy where copies of a forgotten user are erased: within the deletion threshold, without waiting.
    pub fn erasing(&self) -> Self {
        Self { removal: RemovalPolicy::Clear, ..self.clone() }
    }

    /// How many removals a day may have, in a tenant of so many users.
    pub fn removals(&self, users: u32) -> u32 {
        self.removals_per_day.unwrap_or_else(|| deletion_slots::by_default(users))
    }

    /// Changes whenever users might have to be reconciled again.
    pub fn fingerprint(&self, dry_run: bool, scope: &str) -> Digest {
        Digest::of(format!("{self:?} {dry_run} {scope}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_removals_are_few_in_a_small_company_and_twenty_in_a_large_one() {
        let policy = WritePolicy::default();
        let allowed = [0, 40, 100, 399, 400, 12_000].map(|users| policy.removals(users));
        assert_eq!(allowed, [3, 3, 5, 19, 20, 20]);
        assert_eq!(WritePolicy { removals_per_day: Some(0), ..policy }.removals(12_000), 0);
    }

    #[test]
    fn a_pilot_is_a_list_of_object_ids_and_nothing_else() {
        let one: UserId = "1f2c0b0e-0000-4000-8000-000000000001".parse().unwrap();
        let two: UserId = "1f2c0b0e-0000-4000-8000-000000000002".parse().unwrap();
        let pilot = Some(format!("{one},\n").parse().unwrap());
        let policy = WritePolicy { pilot, ..WritePolicy::default() };
        assert!(policy.includes(one) && !policy.includes(two));
        assert!(WritePolicy::default().includes(two));
        assert!("ada@contoso.com".parse::<Pilot>().is_err());
    }

    #[test]
    fn every_setting_that_matters_changes_the_fingerprint() {
        let policy = WritePolicy::default();
        let all = [
            policy.fingerprint(false, ""),
            policy.fingerprint(true, ""),
            policy.fingerprint(false, "a filter"),
            WritePolicy { removal: RemovalPolicy::Clear, ..policy.clone() }.fingerprint(false, ""),
            WritePolicy { foreign: ForeignPolicy::Overwrite, ..policy.clone() }.fingerprint(false, ""),
            WritePolicy { pilot: Some("".parse().unwrap()), ..policy }.fingerprint(false, ""),
        ];
        assert_eq!(all.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(), all.len());
    }
}
