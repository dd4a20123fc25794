//! How well each notification endpoint answers, and what Graph does to one that is slow.
//!
//! More than 10 % of the answers within ten minutes over the first limit: new notifications come ten minutes late. More
//! than 15 % over the limit of a retry: they are dropped. Looked at anew every ten minutes, by the simulator's clock.
//! <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks> (text of 2026)

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

const WINDOW: SignedDuration = SignedDuration::from_mins(10);
const SLOW_SHARE: f64 = 0.10;
const DROP_SHARE: f64 = 0.15;

/// What new notifications for an endpoint meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    Normal,
    /// They wait for ten minutes.
    Slow,
    /// They are lost without a word.
    Drop,
}

/// How long an answer took, or that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    InTime,
    OverFirstLimit,
    OverRetryLimit,
}

#[derive(Debug)]
struct Endpoint {
    state: EndpointState,
    /// When this window, or this state, ends.
    until: Timestamp,
    answers: u32,
    slow: u32,
    very_slow: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    known: BTreeMap<String, Endpoint>,
}

impl Endpoints {
    /// A state is decided as soon as `samples` answers of a window say so, and holds until ten minutes later.
    pub(crate) fn note(&mut self, url: &str, answered: Answered, samples: u32, now: Timestamp) {
        let endpoint = self.current(url, now);
        endpoint.answers += 1;
        endpoint.slow += u32::from(answered != Answered::InTime);
        endpoint.very_slow += u32::from(answered == Answered::OverRetryLimit);
        if endpoint.state != EndpointState::Normal || endpoint.answers < samples.max(1) {
            return;
        }
        let share = |count: u32| f64::from(count) / f64::from(endpoint.answers);
        endpoint.state = if share(endpoint.very_slow) > DROP_SHARE {
            EndpointState::Drop
        } else if share(endpoint.slow) > SLOW_SHARE {
            EndpointState::Slow
        } else {
            return;
        };
        endpoint.until = now + WINDOW;
    }

    pub(crate) fn state(&mut self, url: &str, now: Timestamp) -> EndpointState {
        self.current(url, now).state
    }

    pub(crate) fn states(&mut self, now: Timestamp) -> BTreeMap<String, EndpointState> {
        let urls: Vec<String> = self.known.keys().cloned().collect();
        urls.into_iter().map(|url| (url.clone(), self.state(&url, now))).collect()
    }

    /// All subscriptions that share a URL share its fate; the query is a key and no part of the place.
    fn current(&mut self, url: &str, now: Timestamp) -> &mut Endpoint {
        let place = url.split('?').next().unwrap_or_default();
        let fresh =
            || Endpoint { state: EndpointState::Normal, until: now + WINDOW, answers: 0, slow: 0, very_slow: 0 };
        let endpoint = self.known.entry(place.to_owned()).or_insert_with(fresh);
        if endpoint.until <= now {
            *endpoint = fresh();
        }
        endpoint
    }
}
