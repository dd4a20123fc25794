//! Visits every state that a model can reach, breadth first, so that a counterexample is as short as it can be.
//!
//! It knows nothing of photos. It must never drop a state silently: whoever reads "no counterexample" has to be able
//! to rely on all states within the bounds having been looked at. It owns the search for a way to rest: a state from
//! which the system can never come to rest is a counterexample like any other.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

pub(crate) trait Model {
    type State: Copy + Eq + Hash;
    type Action: Copy;

    fn start(&self) -> Self::State;
    /// Everything that can happen next.
    fn successors(&self, state: &Self::State) -> Vec<(Self::Action, Self::State)>;
    /// One name for states that differ only in which of two equal workers is called the first.
    fn canonical(&self, state: Self::State) -> Self::State;
    /// What must hold always.
    fn check(&self, state: &Self::State) -> Result<(), String>;
    /// What must hold while this happens.
    fn check_step(&self, before: &Self::State, action: Self::Action, after: &Self::State) -> Result<(), String>;
    /// Whether nothing is left to do here.
    fn is_rest(&self, state: &Self::State) -> bool;
    /// What must hold when nothing is left to do.
    fn check_rest(&self, state: &Self::State) -> Result<(), String>;
    fn describe(&self, before: &Self::State, action: Self::Action, after: &Self::State) -> String;
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// States in which nothing was left to do, and whose final properties were checked.
    pub(crate) rests: usize,
}

/// What was broken, and how to get there from the start.
#[derive(Debug)]
pub(crate) struct Counterexample {
    pub(crate) broken: String,
    pub(crate) trace: Vec<String>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.broken)?;
        for (number, line) in self.trace.iter().enumerate() {
            writeln!(f, "{:>4}. {line}", number + 1)?;
        }
        Ok(())
    }
}

/// More states than this mean that the bounds of a test were chosen too large to be checked in seconds.
const MAX_STATES: usize = 4_000_000;

pub(crate) fn explore<M: Model>(model: &M) -> Result<Explored, Box<Counterexample>> {
    let mut search = Search { model, found: HashMap::default(), states: Vec::new(), parents: Vec::new() };
    let start = model.canonical(model.start());
    search.visit(start, 0);
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut rests = Vec::new();
    let mut next = 0;
    while next < search.states.len() {
        assert!(search.states.len() < MAX_STATES, "the bounds allow more than {MAX_STATES} states");
        let state = search.states[next];
        let number = u32::try_from(next).expect("there are fewer than MAX_STATES states");
        model.check(&state).map_err(|broken| search.counterexample(broken, number, None))?;
        if model.is_rest(&state) {
            model.check_rest(&state).map_err(|broken| search.counterexample(broken, number, None))?;
            rests.push(number);
        }
        for (action, after) in model.successors(&state) {
            model
                .check_step(&state, action, &after)
                .map_err(|broken| search.counterexample(broken, number, Some((action, after))))?;
            let reached = search.visit(model.canonical(after), number);
            edges.push((number, reached));
        }
        next += 1;
    }
    if let Some(restless) = first_without_rest(search.states.len(), &edges, &rests) {
        let broken = "from here on the system can never come to rest".to_owned();
        return Err(search.counterexample(broken, restless, None));
    }
    Ok(Explored { states: search.states.len(), steps: edges.len(), rests: rests.len() })
}

struct Search<'a, M: Model> {
    model: &'a M,
    found: HashMap<M::State, u32, BuildHasherDefault<Mixer>>,
    states: Vec<M::State>,
    parents: Vec<u32>,
}

impl<M: Model> Search<'_, M> {
    fn visit(&mut self, state: M::State, parent: u32) -> u32 {
        let next = u32::try_from(self.states.len()).expect("there are fewer than MAX_STATES states");
        let number = *self.found.entry(state).or_insert(next);
        if number == next {
            self.states.push(state);
            self.parents.push(parent);
        }
        number
    }

    /// Walks the way again from the real start, so that a worker keeps its number throughout the trace.
    fn counterexample(&self, broken: String, number: u32, last: Option<(M::Action, M::State)>) -> Box<Counterexample> {
        let mut way = vec![number];
        let mut at = number;
        while at != 0 {
            at = self.parents[at as usize];
            way.push(at);
        }
        way.reverse();
        let mut trace = Vec::new();
        let mut state = self.model.start();
        let mut goals: Vec<M::State> = way[1..].iter().map(|number| self.states[*number as usize]).collect();
        goals.extend(last.map(|(_, after)| self.model.canonical(after)));
        for goal in goals {
            let (action, after) = self
                .model
                .successors(&state)
                .into_iter()
                .find(|(_, after)| self.model.canonical(*after) == goal)
                .expect("this way has been walked before");
            trace.push(self.model.describe(&state, action, &after));
            state = after;
        }
        Box::new(Counterexample { broken, trace })
    }
}

/// The first state from which no way leads to rest.
fn first_without_rest(states: usize, edges: &[(u32, u32)], rests: &[u32]) -> Option<u32> {
    // The edges backwards, as one list with the place where each state's part of it begins.
    let mut begins = vec![0_usize; states + 1];
    for (_, to) in edges {
        begins[*to as usize + 1] += 1;
    }
    for state in 0..states {
        begins[state + 1] += begins[state];
    }
    let mut backwards = vec![0_u32; edges.len()];
    let mut free = begins.clone();
    for (from, to) in edges {
        backwards[free[*to as usize]] = *from;
        free[*to as usize] += 1;
    }
    let mut can_rest = vec![false; states];
    let mut open: Vec<u32> = rests.to_vec();
    for rest in rests {
        can_rest[*rest as usize] = true;
    }
    while let Some(state) = open.pop() {
        let state = state as usize;
        for from in &backwards[begins[state]..begins[state + 1]] {
            if !can_rest[*from as usize] {
                can_rest[*from as usize] = true;
                open.push(*from);
            }
        }
    }
    let first = can_rest.iter().position(|can| !can)?;
    Some(u32::try_from(first).expect("there are fewer than MAX_STATES states"))
}

/// A quick hash for small states. Collisions cost time and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    fn write_isize(&mut self, word: isize) {
        self.mix(word as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}
