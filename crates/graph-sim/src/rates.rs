//! The limits of the subscription service: so many calls of a kind per app and tenant in any 20 seconds.
//!
//! <https://learn.microsoft.com/graph/throttling-limits> (change notifications, figures of 2026)

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const WINDOW: SignedDuration = SignedDuration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    List,
    Read,
    Write,
    Reauthorize,
}

impl Kind {
    fn most(self) -> usize {
        match self {
            Self::List => 25,
            Self::Read | Self::Write => 500,
            Self::Reauthorize => 1_000,
        }
    }
}

/// When who called what.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    calls: HashMap<(Uuid, Kind), VecDeque<Timestamp>>,
}

impl Rates {
    /// Counts a call, or says after how many seconds there is room for it.
    pub(crate) fn admit(&mut self, app: Uuid, kind: Kind, now: Timestamp) -> Result<(), i64> {
        let calls = self.calls.entry((app, kind)).or_default();
        calls.retain(|at| now.duration_since(*at).abs() < WINDOW);
        match calls.front() {
            Some(oldest) if calls.len() >= kind.most() => Err((*oldest + WINDOW).duration_since(now).as_secs() + 1),
            _ => {
                calls.push_back(now);
                Ok(())
            }
        }
    }
}
