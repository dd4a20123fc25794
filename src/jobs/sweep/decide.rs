//! Whether a user has to be checked: what Graph shows now against what the storage holds. Pure.

use photorelay_core::contract::FetchPolicy;
use photorelay_core::heads::etag_metadata;

use super::observation::Observation;
use crate::graph::PhotoState;
use crate::jobs::state_listing::UserRecord;

/// Why a user is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckReason {
    /// Another ETag than the head's, or no head though there is a photo.
    Differs,
    Unsettled,
    /// Entries that the head does not know: a worker died before announcing them.
    Behind,
    BytesDue,
    /// In the population now, and out of scope at the last check.
    OutOfScope,
    Missing,
    Unreadable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Check(CheckReason, FetchPolicy),
    /// A check if targets are supposed to show a photo, which only the trail itself can tell.
    PhotoIfExpected,
}

impl Need {
    pub(super) fn check(self) -> Option<(CheckReason, FetchPolicy)> {
        match self {
            Need::Check(reason, policy) => Some((reason, policy)),
            Need::Nothing | Need::PhotoIfExpected => None,
        }
    }
}

/// The observation is none for a user that is not in the population.
pub(super) fn need(record: &UserRecord, observation: Option<&Observation>, bytes_due: bool) -> Need {
    if record.is_forgotten() {
        return Need::Nothing;
    }
    if record.trail > record.head.as_ref().map_or(0, |head| head.seq) {
        return Need::Check(CheckReason::Behind, FetchPolicy::IfChanged);
    }
    let media_etag = match observation {
        None | Some(Observation::State(PhotoState::NoSuchUser)) => return Need::Nothing,
        Some(Observation::Unreadable) => return Need::Check(CheckReason::Unreadable, FetchPolicy::IfChanged),
        Some(Observation::State(PhotoState::Absent { .. })) if record.trail > 0 => return Need::PhotoIfExpected,
        Some(Observation::State(PhotoState::Absent { .. })) => return Need::Nothing,
        Some(Observation::State(PhotoState::Present { media_etag })) => media_etag,
    };
    match &record.head {
        // The ETag alone would never show that the scope has changed.
        Some(head) if head.out_of_scope => Need::Check(CheckReason::OutOfScope, FetchPolicy::Always),
        Some(head) if head.etag.as_deref() == Some(etag_metadata(media_etag).as_str()) => {
            if !head.settled {
                Need::Check(CheckReason::Unsettled, FetchPolicy::Always)
            } else if bytes_due {
                Need::Check(CheckReason::BytesDue, FetchPolicy::Always)
            } else {
                Need::Nothing
            }
        }
        _ => Need::Check(CheckReason::Differs, FetchPolicy::IfChanged),
    }
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
    fn an_unchanged_and_settled_user_needs_nothing_until_the_bytes_are_due() {
        let record = record(Some(head()), 1);
        assert_eq!(need(&record, Some(&present("\"A\"")), false), Need::Nothing);
        assert_eq!(
            need(&record, Some(&present("\"A\"")), true),
            Need::Check(CheckReason::BytesDue, FetchPolicy::Always)
        );
    }

    #[test]
    fn every_difference_leads_to_a_check() {
        let check = |head, trail, observation: &Observation| need(&record(head, trail), Some(observation), false);
        let differs = Need::Check(CheckReason::Differs, FetchPolicy::IfChanged);
        assert_eq!(check(Some(head()), 1, &present("\"B\"")), differs);
        assert_eq!(check(None, 0, &present("\"B\"")), differs);
        assert_eq!(check(Some(Summary { etag: None, ..head() }), 1, &present("\"A\"")), differs);
        let unsettled = Summary { settled: false, ..head() };
        assert_eq!(
            check(Some(unsettled), 1, &present("\"A\"")),
            Need::Check(CheckReason::Unsettled, FetchPolicy::Always)
        );
        let left_out = Summary { out_of_scope: true, ..head() };
        assert_eq!(
            check(Some(left_out), 1, &present("\"A\"")),
            Need::Check(CheckReason::OutOfScope, FetchPolicy::Always)
        );
        assert_eq!(check(Some(head()), 2, &present("\"A\"")), Need::Check(CheckReason::Behind, FetchPolicy::IfChanged));
        assert_eq!(check(None, 1, &present("\"A\"")), Need::Check(CheckReason::Behind, FetchPolicy::IfChanged));
        assert_eq!(
            check(Some(head()), 1, &Observation::Unreadable),
            Need::Check(CheckReason::Unreadable, FetchPolicy::IfChanged)
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
}
