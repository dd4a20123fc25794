//! The limits of the subscription service: so many operations per app in any 20 seconds.
//!
//! <https://learn.microsoft.com/graph/throttling-limits> (change notifications, figures of 2026)

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const WINDOW: SignedDuration = SignedDuration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SubscriptionOperation {
    List,
    Read,
    Write,
    Reauthorize,
}

impl SubscriptionOperation {
    fn limit(self) -> usize {
        match self {
            Self::List => 25,
            Self::Read | Self::Write => 500,
            Self::Reauthorize => 1_000,
        }
    }
}

/// When each app called what.
#[derive(Debug, Default)]
pub(crate) struct SubscriptionRates {
    calls: HashMap<(Uuid, SubscriptionOperation), VecDeque<Timestamp>>,
}

impl SubscriptionRates {
    /// Counts a call. An error is the number of seconds until there is room for it.
    pub(crate) fn admit(&mut self, app: Uuid, operation: SubscriptionOperation, now: Timestamp) -> Result<(), i64> {
        let calls = self.calls.entry((app, operation)).or_default();
        calls.retain(|at| now.duration_since(*at).abs() < WINDOW);
        match calls.front() {
            Some(oldest) if calls.len() >= operation.limit() => {
                Err((*oldest + WINDOW).duration_since(now).as_secs() + 1)
            }
            _ => {
                calls.push_back(now);
                Ok(())
            }
        }
    }
}
