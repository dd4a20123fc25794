//! How fast each notification endpoint responds, and what Graph does to a slow one.
//!
//! When more than 10 % of the responses within ten minutes take longer than the first limit, new notifications are
//! delayed by ten minutes. When more than 15 % take longer than the limit of a retry, they are dropped. Windows are
//! measured by the simulator's clock.
//! <https://learn.microsoft.com/graph/change-notifications-delivery-webhooks> (text of 2026)

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

const WINDOW: SignedDuration = SignedDuration::from_mins(10);
const SLOW_SHARE: f64 = 0.10;
const DROP_SHARE: f64 = 0.15;

/// What happens to new notifications for an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    Normal,
    /// They are delayed by ten minutes.
    Slow,
    /// They are dropped.
    Drop,
}

/// How long a response took; none counts as over the limit of the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseTime {
    InTime,
    OverFirstLimit,
    OverRetryLimit,
}

#[derive(Debug)]
struct EndpointWindow {
    state: EndpointState,
    /// When this window, or this state, ends.
    until: Timestamp,
    responses: u32,
    slow: u32,
    very_slow: u32,
}

#[derive(Debug, Default)]
pub(crate) struct EndpointStates {
    known: BTreeMap<String, EndpointWindow>,
}

impl EndpointStates {
    /// A state is decided once a window has `samples` responses, and lasts ten minutes.
    pub(crate) fn record(&mut self, url: &str, time: ResponseTime, samples: u32, now: Timestamp) {
        let endpoint = self.current(url, now);
        endpoint.responses += 1;
        endpoint.slow += u32::from(time != ResponseTime::InTime);
        endpoint.very_slow += u32::from(time == ResponseTime::OverRetryLimit);
        if endpoint.state != EndpointState::Normal || endpoint.responses < samples.max(1) {
            return;
        }
        let share = |count: u32| f64::from(count) / f64::from(endpoint.responses);
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

    /// Subscriptions that share a URL share its state; the query does not count.
    fn current(&mut self, url: &str, now: Timestamp) -> &mut EndpointWindow {
        let without_query = url.split('?').next().unwrap_or_default();
        let fresh = || EndpointWindow {
            state: EndpointState::Normal,
            until: now + WINDOW,
            responses: 0,
            slow: 0,
            very_slow: 0,
        };
        let endpoint = self.known.entry(without_query.to_owned()).or_insert_with(fresh);
        if endpoint.until <= now {
            *endpoint = fresh();
        }
        endpoint
    }
}
