//! The way of an entry as text, for terminals.

use std::fmt;

use super::{EntryHops, Hop, HopKind, HopsEnd, TargetHops};

impl fmt::Display for HopKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Notified => "notified",
            Self::Found => "found by the sweep",
            Self::Commanded => "commanded",
            Self::Begun => "begun",
            Self::Captured => "captured",
            Self::Announced => "announced",
            Self::Received => "received",
            Self::Written => "written",
        })
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.after_ms.map_or(String::new(), |after| format!("+{after:.1} ms"));
        write!(f, "{:<18} {:<30} {since:>14}", self.kind, self.at)
    }
}

impl fmt::Display for TargetHops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            HopsEnd::Receipt { outcome, reason, agent, server, .. } => {
                let outcome = outcome.word();
                write!(f, "to {}: {outcome} by {agent} on {server}", self.target)?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                }
            }
            HopsEnd::Noted { undone: Some(undone), agent, at, .. } => {
                write!(f, "to {}: undone by {} at {at:.3}, by means of {agent}", self.target, undone.by)?;
                if let Some(reason) = &undone.reason {
                    write!(f, " ({reason})")?;
                }
            }
            HopsEnd::Noted { note, reason, agent, at, undone: None } => {
                let note = note.words();
                let not_there = if self.hops.is_empty() { "not written" } else { "written and replaced since, found" };
                write!(f, "to {}: {not_there} by {agent} at {at:.3} ({note}: {reason})", self.target)?;
            }
            HopsEnd::Waiting => write!(f, "to {}: no agent has acknowledged it yet", self.target)?,
        }
        for hop in &self.hops {
            write!(f, "\n  {hop}")?;
        }
        match self.total_ms {
            Some(total) => write!(f, "\n  {:<18} {:<30} {:>14}", "in all", "", format!("{total:.1} ms")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for EntryHops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.word();
        write!(f, "{}  entry {}, {kind}", self.user_id, self.seq)?;
        if let Some(trace) = &self.trace_id {
            write!(f, ", trace {trace}")?;
        }
        for hop in &self.hops {
            write!(f, "\n  {hop}")?;
        }
        self.targets.iter().try_for_each(|target| write!(f, "\n{target}"))
    }
}
