//! Holds a call until it is released, so that a test can kill a client at an exact moment.
//!
//! A hold catches one call. Dropping it, or shutting the simulator down, lets the call go on.

use std::sync::Arc;

use tokio::sync::watch;

use super::pattern::{CallLine, RequestPattern};

/// Where the call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldPoint {
    /// It arrived and nothing was done.
    Before,
    /// It was carried out and its response waits.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum HoldState {
    Waiting,
    Arrived,
    Released,
}

/// A hold on the next matching call.
#[derive(Debug)]
pub struct RequestHold {
    state: Arc<watch::Sender<HoldState>>,
}

impl RequestHold {
    /// Waits until a matching call has arrived at the point.
    pub async fn arrived(&self) {
        let mut states = self.state.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = states.wait_for(|state| *state >= HoldState::Arrived).await;
    }

    /// Lets the call go on; without one yet, the next matching call is not held.
    pub fn release(&self) {
        self.state.send_replace(HoldState::Released);
    }
}

impl Drop for RequestHold {
    fn drop(&mut self) {
        self.release();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Holds {
    list: Vec<(RequestPattern, HoldPoint, Arc<watch::Sender<HoldState>>)>,
    closed: bool,
}

impl Holds {
    pub(crate) fn add(&mut self, calls: RequestPattern, point: HoldPoint) -> RequestHold {
        let first = if self.closed { HoldState::Released } else { HoldState::Waiting };
        let state = Arc::new(watch::Sender::new(first));
        self.list.push((calls, point, state.clone()));
        RequestHold { state }
    }

    /// The state to wait on when a hold catches this call.
    pub(crate) fn catch(&mut self, call: CallLine<'_>, point: HoldPoint) -> Option<HeldCall> {
        self.list.retain(|(_, _, state)| *state.borrow() != HoldState::Released);
        let (_, _, state) = self
            .list
            .iter()
            .find(|(calls, at, state)| *at == point && *state.borrow() == HoldState::Waiting && calls.matches(call))?;
        state.send_replace(HoldState::Arrived);
        Some(HeldCall(state.subscribe()))
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        for (_, _, state) in self.list.drain(..) {
            state.send_replace(HoldState::Released);
        }
    }
}

#[derive(Debug)]
pub(crate) struct HeldCall(watch::Receiver<HoldState>);

impl HeldCall {
    pub(crate) async fn released(mut self) {
        // An error means that the hold is gone, which is a release too.
        let _ = self.0.wait_for(|state| *state == HoldState::Released).await;
    }
}
