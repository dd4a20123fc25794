//! Holds a call until it is released, so that a test can kill a client at an exact moment.
//!
//! A hold catches one call. Dropping it, or shutting the simulator down, lets the call go on.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::faults::Pattern;
use crate::wire::Call;

/// When the call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// It arrived and nothing was done.
    #[default]
    Before,
    /// It was carried out and its answer waits.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum State {
    Waiting,
    Arrived,
    Released,
}

/// A hold on the next matching call.
#[derive(Debug)]
pub struct Hold {
    state: Arc<watch::Sender<State>>,
}

impl Hold {
    /// Waits until a matching call has arrived at the point.
    pub async fn arrived(&self) {
        let mut states = self.state.subscribe();
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = states.wait_for(|state| *state >= State::Arrived).await;
    }

    pub fn has_arrived(&self) -> bool {
        *self.state.borrow() >= State::Arrived
    }

    /// Lets the call go on; without one yet, the next matching call is not held.
    pub fn release(&self) {
        self.state.send_replace(State::Released);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}

#[derive(Debug, Default)]
pub(crate) struct Holds {
    list: Vec<(Pattern, Point, Arc<watch::Sender<State>>)>,
    closed: bool,
}

impl Holds {
    pub(crate) fn add(&mut self, calls: Pattern, point: Point) -> Hold {
        let first = if self.closed { State::Released } else { State::Waiting };
        let state = Arc::new(watch::Sender::new(first));
        self.list.push((calls, point, state.clone()));
        Hold { state }
    }

    /// The state to wait on when a hold catches this call.
    pub(crate) fn catch(&mut self, call: &Call, point: Point) -> Option<Caught> {
        self.list.retain(|(_, _, state)| *state.borrow() != State::Released);
        let (_, _, state) = self
            .list
            .iter()
            .find(|(calls, at, state)| *at == point && *state.borrow() == State::Waiting && calls.matches(call))?;
        state.send_replace(State::Arrived);
        Some(Caught(state.subscribe()))
    }

    pub(crate) fn close(&mut self) {
        self.closed = true;
        for (_, _, state) in self.list.drain(..) {
            state.send_replace(State::Released);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Caught(watch::Receiver<State>);

impl Caught {
    pub(crate) async fn released(mut self) {
        // An error means that the hold is gone, which is a release too.
        let _ = self.0.wait_for(|state| *state == State::Released).await;
    }
}
