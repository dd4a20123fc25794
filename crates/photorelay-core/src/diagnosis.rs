//! The results of the `doctor` commands of app and agent: what was checked, its state, and the fix. One line each.

use std::fmt;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Effects, Style};
use serde::Serialize;

use crate::answer::{self, CommandAnswer, print_json};
use crate::settings::Problems;
use crate::wording::counted;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    /// It works but should be improved, or it could not be checked.
    Warning,
    /// Photos do not propagate, or will soon stop.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    pub level: Level,
    /// What was checked, in a word or two.
    pub check: String,
    pub says: String,
    #[serde(rename = "mend", skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl CheckResult {
    pub fn ok(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self { level: Level::Ok, check: check.into(), says: says.into(), fix: None }
    }

    pub fn warning(check: impl Into<String>, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Warning, check: check.into(), says: says.into(), fix: Some(fix.into()) }
    }

    pub fn error(check: impl Into<String>, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Error, check: check.into(), says: says.into(), fix: Some(fix.into()) }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Style::new())
    }
}

impl CheckResult {
    fn write(&self, f: &mut fmt::Formatter<'_>, style: Style) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "ERROR",
        };
        write!(f, "{style}{level:<8}{style:#}{:<27}{}", self.check, self.says)?;
        self.fix.as_ref().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

/// The results of all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis(pub Vec<CheckResult>);

impl Diagnosis {
    pub fn is_healthy(&self) -> bool {
        self.0.iter().all(|finding| finding.level < Level::Error)
    }

    /// Prints it as the answer of a command.
    pub fn print(&self, is_json: bool) -> io::Result<()> {
        match is_json {
            true => print_json(&mut CommandAnswer, &self.0),
            false if answer::has_colours() => writeln!(CommandAnswer, "{self:#}"),
            false => writeln!(CommandAnswer, "{self}"),
        }
    }

    /// The diagnosis of an invalid configuration, with which nothing else can be checked.
    pub fn of_problems(problems: &Problems) -> Self {
        let found = problems.all().iter();
        Self(found.map(|problem| CheckResult::error("configuration", problem, "correct the environment")).collect())
    }
}

impl fmt::Display for Diagnosis {
    /// In colours if `{:#}` asks for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            let style = match finding.level {
                _ if !f.alternate() => Style::new(),
                Level::Ok => AnsiColor::Green.on_default(),
                Level::Warning => AnsiColor::Yellow.on_default(),
                Level::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
            };
            finding.write(f, style)?;
            writeln!(f)?;
        }
        let count = |level| self.0.iter().filter(|finding| finding.level == level).count();
        let counted = |level, one, many| counted(count(level) as u64, one, many);
        let (errors, warnings) =
            (counted(Level::Error, "error", "errors"), counted(Level::Warning, "warning", "warnings"));
        write!(f, "{errors}, {warnings}")
    }
}
