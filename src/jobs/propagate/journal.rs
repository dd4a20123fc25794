//! What a reconciliation did and why, for the operator who asks about one user.

use std::fmt;

/// The eight steps, numbered as in ARCHITECTURE.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    ReadTrail = 1,
    CompareEtag = 2,
    Fetch = 3,
    CompareContent = 4,
    Store = 5,
    Commit = 6,
    Announce = 7,
    Confirm = 8,
}

/// Collects one line for each step taken; a silent one collects nothing.
#[derive(Debug, Default)]
pub struct Journal {
    lines: Option<Vec<(Step, String)>>,
}

impl Journal {
    pub fn silent() -> Self {
        Self { lines: None }
    }

    pub fn keeping() -> Self {
        Self { lines: Some(Vec::new()) }
    }

    pub(super) fn note(&mut self, step: Step, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((step, what()));
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = (u8, &str)> {
        self.lines.iter().flatten().map(|(step, what)| (*step as u8, what.as_str()))
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().try_for_each(|(step, what)| writeln!(f, "{step}  {what}"))
    }
}
