//! A finding: what was looked at, how it is, and what mends it. One line each.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// It works, and could be better or could not be looked at.
    Warning,
    /// Photos are not carried, or not for long.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// What was looked at, in a word or two.
    pub check: String,
    pub says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { level: Level::Ok, check: check.into(), says: says.into(), mend: None }
    }

    pub(super) fn warning(check: impl Into<String>, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Warning, check: check.into(), says: says.into(), mend: Some(mend.into()) }
    }

    pub(super) fn error(check: impl Into<String>, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { level: Level::Error, check: check.into(), says: says.into(), mend: Some(mend.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "ERROR",
        };
        write!(f, "{level:<8}{:<27}{}", self.check, self.says)?;
        self.mend.as_ref().map_or(Ok(()), |mend| write!(f, "; {mend}"))
    }
}
