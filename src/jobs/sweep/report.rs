//! What a sweep did, for the operator and for the log.

use std::fmt;
use std::time::Duration;

use photorelay_core::wording::counted;
use serde::{Serialize, Serializer};

use super::decide::CheckReason;
use super::population::RefreshedPopulation;
use super::user_merge::ListedUsers;

/// Counts of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepReport {
    /// Users whose photos are carried.
    pub population: usize,
    pub joined: usize,
    pub left: usize,
    /// The population was listed anew, because there was none or its link had expired.
    pub is_full_list: bool,
    /// The run ended before the users were listed; the next run goes on listing them.
    pub is_listing: bool,
    /// This run continued one that was cut off.
    pub is_resumed: bool,
    /// All users were compared; otherwise the next run continues.
    pub is_complete: bool,
    /// Users whose ETag was read in this run, or left to their check.
    pub people: usize,
    pub with_photo: usize,
    /// Users whose ETag is not the head's: changes without a notification, or with a check that is not done yet.
    pub differing: usize,
    pub unsettled: usize,
    pub behind: usize,
    pub bytes_due: usize,
    pub out_of_scope: usize,
    /// Photos that Graph no longer shows although targets should.
    pub missing: usize,
    /// Users whose ETag Graph did not return.
    pub unreadable: usize,
    /// Users of whom the storage knew nothing, and whom the run left to their check.
    pub unknown: usize,
    /// Users for whom Graph has failed before, and whose next check waits or is not due.
    pub waiting: usize,
    /// Users for whom a check was sent.
    pub checks: usize,
    pub announced_again: usize,
    /// `$batch` requests.
    pub requests: u64,
    pub throttled: u64,
    #[serde(rename = "tookMs", serialize_with = "milliseconds")]
    pub took: Duration,
    /// All users as the run's listing showed them, for the watchdog; none if it was not listed to the end.
    #[serde(skip)]
    pub(in crate::jobs) listed: Option<Box<ListedUsers>>,
}

pub(super) fn milliseconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(took.as_millis() as u64)
}

impl SweepReport {
    /// For a process that has handled the checks too: what the listing showed is out of date.
    pub fn without_listing(self) -> Self {
        Self { listed: None, ..self }
    }

    pub(super) fn of_population(population: &RefreshedPopulation, is_resumed: bool) -> Self {
        Self {
            population: population.members.len(),
            joined: population.joined,
            left: population.left,
            is_full_list: population.is_full_list,
            is_resumed,
            ..Self::default()
        }
    }

    pub(super) fn count(&mut self, reason: CheckReason) {
        let counter = match reason {
            CheckReason::Differs => &mut self.differing,
            CheckReason::Unsettled => &mut self.unsettled,
            CheckReason::Behind => &mut self.behind,
            CheckReason::BytesDue => &mut self.bytes_due,
            CheckReason::OutOfScope => &mut self.out_of_scope,
            CheckReason::Missing => &mut self.missing,
            CheckReason::Unreadable => &mut self.unreadable,
        };
        *counter += 1;
    }

    /// Users who are left to their checks.
    pub(super) fn count_unknown(&mut self, users: usize) {
        self.people += users;
        self.checks += users;
        self.unknown += users;
    }
}

impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.is_full_list { ", listed anew" } else { "" };
        if self.is_listing {
            writeln!(f, "population      not listed to the end yet")?;
        } else {
            writeln!(f, "population      {} ({} joined, {} left{how})", self.population, self.joined, self.left)?;
        }
        let resumed = if self.is_resumed { " more, after those of the run before" } else { "" };
        writeln!(f, "looked at       {}{resumed}, {} of them with a photo", self.people, self.with_photo)?;
        writeln!(f, "checks sent     {}", self.checks)?;
        let counts = [
            ("changed, and nothing had announced it", self.differing),
            ("not settled yet", self.unsettled),
            ("head behind the trail", self.behind),
            ("bytes due", self.bytes_due),
            ("out of scope when last looked at", self.out_of_scope),
            ("photo not found", self.missing),
            ("not readable", self.unreadable),
            ("not known before", self.unknown),
        ];
        for (what, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "  {count:>6} {what}")?;
        }
        if self.waiting > 0 {
            writeln!(f, "put off         {}, because Graph fails for them: see `photorelay status`", self.waiting)?;
        }
        writeln!(f, "announced again {}", self.announced_again)?;
        let seconds = self.took.as_secs_f64();
        let batches = counted(self.requests, "batch", "batches");
        write!(f, "took            {seconds:.1} s, {batches}, {} throttled", self.throttled)?;
        if !self.is_complete {
            write!(f, "\nended early: the next sweep continues from here")?;
        }
        Ok(())
    }
}
