//! Whether somebody has to be looked at: what Graph shows now against what is written down. Pure.

use std::time::Duration;

use jiff::Timestamp;
use photorelay_core::contract::FetchPolicy;
use photorelay_core::heads::etag_metadata;
use photorelay_core::id::{Digest, UserId};

use super::Window;
use super::adaptive_concurrency::Observation;
use super::state_listing::UserRecord;
use crate::graph::PhotoState;

/// Why somebody is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Another ETag than the head's, or no head though there is a photo.
    Differs,
    Unsettled,
    /// Entries that the head does not know: somebody died before announcing them.
    Behind,
    BytesDue,
    /// In the population now, and out of scope when last looked at.
    OutOfScope,
    Missing,
    Unreadable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Check(Why, FetchPolicy),
    /// A check if targets are supposed to show a photo, which only the trail itself can tell.
    PhotoIfExpected,
}

impl Need {
    pub(super) fn check(self) -> Option<(Why, FetchPolicy)> {
        match self {
            Need::Check(why, look) => Some((why, look)),
            Need::Nothing | Need::PhotoIfExpected => None,
        }
    }
}

/// `sight` is none for somebody who is not in the population.
pub(super) fn need(record: &UserRecord, sight: Option<&Observation>, bytes_due: bool) -> Need {
    if record.is_forgotten() {
        return Need::Nothing;
    }
    if record.trail > record.head.as_ref().map_or(0, |head| head.seq) {
        return Need::Check(Why::Behind, FetchPolicy::IfChanged);
    }
    let media_etag = match sight {
        None | Some(Observation::State(PhotoState::NoSuchUser)) => return Need::Nothing,
        Some(Observation::Unreadable) => return Need::Check(Why::Unreadable, FetchPolicy::IfChanged),
        Some(Observation::State(PhotoState::Absent { .. })) if record.trail > 0 => return Need::PhotoIfExpected,
        Some(Observation::State(PhotoState::Absent { .. })) => return Need::Nothing,
        Some(Observation::State(PhotoState::Present { media_etag })) => media_etag,
    };
    match &record.head {
        // Looks by a person's ETag alone would never see that the scope has changed.
        Some(head) if head.out_of_scope => Need::Check(Why::OutOfScope, FetchPolicy::Always),
        Some(head) if head.etag.as_deref() == Some(etag_metadata(media_etag).as_str()) => {
            if !head.settled {
                Need::Check(Why::Unsettled, FetchPolicy::Always)
            } else if bytes_due {
                Need::Check(Why::BytesDue, FetchPolicy::Always)
            } else {
                Need::Nothing
            }
        }
        _ => Need::Check(Why::Differs, FetchPolicy::IfChanged),
    }
}

/// Whether the person's moment of the cycle lies in the window. Everybody has one, at a place of the cycle that
/// follows from their id, so the work is spread and nothing has to be remembered about anybody.
pub(super) fn bytes_due(user: UserId, every: Duration, window: Window) -> bool {
    // Before the first whole sweep everybody is new anyway.
    let Some(previous) = window.previous else { return false };
    let cycle = i64::try_from(every.as_millis()).unwrap_or(i64::MAX).max(1);
    let digest = Digest::of(user.to_string().as_bytes());
    let place = digest.as_bytes().iter().take(6).fold(0, |place, byte| (place << 8) | i64::from(*byte)) % cycle;
    let cycles = |at: Timestamp| (at.as_millisecond() - place).div_euclid(cycle);
    cycles(window.now) > cycles(previous)
}

/// How often something of this age was due: first at `first`, then whenever the age had doubled.
pub(super) fn times_due(age: Duration, first: Duration) -> u32 {
    let ratio = age.as_secs_f64() / first.as_secs_f64().max(0.001);
    if ratio < 1.0 { 0 } else { ratio.log2() as u32 + 1 }
}

#[cfg(test)]
mod tests {
    use photorelay_core::heads::Summary;

    use super::*;

    fn present(etag: &str) -> Observation {
        Observation::State(PhotoState::Present { media_etag: etag.to_owned() })
    }

    fn record(head: Option<Summary>, trail: u32) -> UserRecord {
        UserRecord { head, trail, ..UserRecord::default() }
    }

    fn head() -> Summary {
        Summary { seq: 1, etag: Some("\"A\"".to_owned()), settled: true, ..Summary::default() }
    }

    #[test]
    fn somebody_unchanged_and_settled_needs_nothing_until_the_bytes_are_due() {
        let record = record(Some(head()), 1);
        assert_eq!(need(&record, Some(&present("\"A\"")), false), Need::Nothing);
        assert_eq!(need(&record, Some(&present("\"A\"")), true), Need::Check(Why::BytesDue, FetchPolicy::Always));
    }

    #[test]
    fn every_difference_leads_to_a_check() {
        let check = |head, trail, sight: &Observation| need(&record(head, trail), Some(sight), false);
        let differs = Need::Check(Why::Differs, FetchPolicy::IfChanged);
        assert_eq!(check(Some(head()), 1, &present("\"B\"")), differs);
        assert_eq!(check(None, 0, &present("\"B\"")), differs);
        assert_eq!(check(Some(Summary { etag: None, ..head() }), 1, &present("\"A\"")), differs);
        let unsettled = Summary { settled: false, ..head() };
        assert_eq!(check(Some(unsettled), 1, &present("\"A\"")), Need::Check(Why::Unsettled, FetchPolicy::Always));
        let left_out = Summary { out_of_scope: true, ..head() };
        assert_eq!(check(Some(left_out), 1, &present("\"A\"")), Need::Check(Why::OutOfScope, FetchPolicy::Always));
        assert_eq!(check(Some(head()), 2, &present("\"A\"")), Need::Check(Why::Behind, FetchPolicy::IfChanged));
        assert_eq!(check(None, 1, &present("\"A\"")), Need::Check(Why::Behind, FetchPolicy::IfChanged));
        assert_eq!(
            check(Some(head()), 1, &Observation::Unreadable),
            Need::Check(Why::Unreadable, FetchPolicy::IfChanged)
        );
    }

    #[test]
    fn no_photo_matters_only_to_those_who_have_a_trail() {
        let absent = Observation::State(PhotoState::Absent { shape: "404".to_owned() });
        assert_eq!(need(&record(None, 0), Some(&absent), true), Need::Nothing);
        assert_eq!(need(&record(Some(head()), 1), Some(&absent), true), Need::PhotoIfExpected);
        assert_eq!(
            need(&record(Some(head()), 1), Some(&Observation::State(PhotoState::NoSuchUser)), true),
            Need::Nothing
        );
        assert_eq!(need(&record(Some(head()), 1), None, true), Need::Nothing);
        let forgotten = Summary { forgotten: true, ..head() };
        assert_eq!(need(&record(Some(forgotten), 1), Some(&present("\"B\"")), true), Need::Nothing);
    }

    #[test]
    fn everybodys_bytes_are_due_just_once_in_a_cycle_and_not_all_at_once() {
        const DAY: i64 = 24 * 3600;
        let every = Duration::from_secs(30 * DAY as u64);
        let at = |seconds: i64| Timestamp::from_second(1_780_000_000 + seconds).unwrap();
        let mut by_day = Vec::new();
        for day in 0..30 {
            let window = Window { previous: Some(at(day * DAY)), now: at((day + 1) * DAY) };
            let due = (0..600_u128).filter(|n| {
                let user = UserId::from_uuid(uuid::Uuid::from_u128(*n));
                bytes_due(user, every, window)
            });
            by_day.push(due.count());
        }
        assert_eq!(by_day.iter().sum::<usize>(), 600, "{by_day:?}");
        assert!(by_day.iter().all(|due| *due < 60), "{by_day:?}");
    }

    #[test]
    fn announcements_are_due_at_growing_intervals() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let due: Vec<u32> = [0, 9, 10, 19, 20, 39, 40, 640].map(|age| times_due(minutes(age), minutes(10))).to_vec();
        assert_eq!(due, [0, 0, 1, 1, 2, 2, 3, 7]);
    }
}
