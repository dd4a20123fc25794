//! One write-back, an operation at a time and in the order of `crates/photorelay-agent/src/writeback.rs`.
//!
//! The target replaces exactly the value that was read, or nothing. A write-back message names an entry and is believed
//! for nothing else.

use crate::propagate::Way;
use crate::world::{Bounds, Mutation, Photo, Shown, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Idle,
    /// Find the person and read what the target shows.
    ReadTarget,
    /// List the trail, take its newest entry.
    List {
        present: Shown,
    },
    /// Only the mutated agent: the target is read when the trail has been listed.
    ReadTargetLate {
        newest: u8,
    },
    Replace {
        present: Shown,
        newest: u8,
    },
    ReadBack {
        newest: u8,
    },
    ListAgain {
        newest: u8,
    },
    Receipt {
        newest: u8,
    },
    /// The receipt of the announced entry, if a later one was brought up instead.
    ReceiptOfAnnounced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Agent {
    /// The entry that its message names.
    pub(crate) announced: u8,
    pub(crate) step: Step,
    /// Whether its last write put an older entry over a newer one. Only properties use it.
    pub(crate) put_older: bool,
}

impl Agent {
    pub(crate) const IDLE: Self = Self { announced: 0, step: Step::Idle, put_older: false };

    pub(crate) fn taking(announced: u8, bounds: &Bounds) -> Self {
        Self { announced, step: begin(bounds), put_older: false }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }
}

fn begin(bounds: &Bounds) -> Step {
    if bounds.is(Mutation::TargetReadLate) { Step::List { present: Shown::default() } } else { Step::ReadTarget }
}

/// The next operation of this agent.
pub(crate) fn steps(world: &World, who: usize, bounds: &Bounds) -> Vec<(Way, World)> {
    let agent = world.agents[who];
    let mut after = *world;
    let next = match agent.step {
        Step::Idle => return Vec::new(),
        Step::ReadTarget => Step::List { present: world.target },
        Step::List { present } => {
            let newest = world.trail.last();
            if bounds.is(Mutation::TargetReadLate) {
                Step::ReadTargetLate { newest }
            } else {
                replace_unless_equal(world, present, newest)
            }
        }
        Step::ReadTargetLate { newest } => replace_unless_equal(world, world.target, newest),
        Step::Replace { present, newest } => {
            if world.target.photo == present.photo || bounds.is(Mutation::BlindReplace) {
                after.agents[who].put_older = world.target.seq > newest;
                after.target = Shown { photo: Some(shown_by(world, newest)), seq: newest };
                Step::ReadBack { newest }
            } else {
                begin(bounds)
            }
        }
        Step::ReadBack { newest } => {
            if world.target.photo == Some(shown_by(world, newest)) {
                after_write(bounds, newest)
            } else {
                begin(bounds)
            }
        }
        Step::ListAgain { newest } => {
            if world.trail.last() == newest {
                // What the target shows is known to be this entry's, also where nothing had to be written.
                if world.target.photo == Some(shown_by(world, newest)) {
                    after.target.seq = newest;
                }
                Step::Receipt { newest }
            } else {
                begin(bounds)
            }
        }
        Step::Receipt { newest } => {
            after.receipts |= 1 << newest;
            if newest > agent.announced { Step::ReceiptOfAnnounced } else { Step::Idle }
        }
        Step::ReceiptOfAnnounced => {
            after.receipts |= 1 << agent.announced;
            Step::Idle
        }
    };
    after.agents[who] = match next {
        Step::Idle => Agent::IDLE,
        next if next == begin(bounds) => Agent::taking(agent.announced, bounds),
        next => Agent { step: next, ..after.agents[who] },
    };
    vec![(Way::Plain, after)]
}

fn replace_unless_equal(world: &World, present: Shown, newest: u8) -> Step {
    if present.photo == Some(shown_by(world, newest)) {
        // Nothing is written, so nothing is read back.
        Step::ListAgain { newest }
    } else {
        Step::Replace { present, newest }
    }
}

fn after_write(bounds: &Bounds, newest: u8) -> Step {
    if bounds.is(Mutation::NoListAgain) { Step::Receipt { newest } } else { Step::ListAgain { newest } }
}

fn shown_by(world: &World, seq: u8) -> Photo {
    world.trail.get(seq).expect("an entry that was listed exists").seen
}
