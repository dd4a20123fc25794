//! Who can act next: Graph, the queues, workers, agents, sweeps, and what goes wrong.
//!
//! Here the world becomes a model for the explorer. It must never let the environment do more than its budget, and
//! never less: an action that is missing here is an interleaving that nobody has checked.

use crate::agent::{self, Agent};
use crate::explorer::Model;
use crate::propagate::{self, How, Way, Worker};
use crate::properties;
use crate::world::{Bounds, Sweep, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Change {
        announced: bool,
    },
    /// Where there are no workers.
    Script,
    Take {
        who: usize,
        how: How,
    },
    Work {
        who: usize,
        way: Way,
    },
    Crash {
        who: usize,
    },
    Repeat {
        who: usize,
    },
    TakeWriteBack {
        who: usize,
        seq: u8,
    },
    AgentWork {
        who: usize,
    },
    AgentCrash {
        who: usize,
    },
    AgentRepeat {
        who: usize,
    },
    HeadLost,
    HoldPasses,
    SweepAsks {
        way: Way,
    },
    SweepCompares,
    LastSweep,
}

const HOWS: [How; 2] = [How::IfChanged, How::Always];

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn start(&self) -> World {
        World::start(self)
    }

    fn successors(&self, world: &World) -> Vec<(Action, World)> {
        let mut next = Vec::new();
        graph_and_storage(self, world, &mut next);
        sweeps(self, world, &mut next);
        for who in 0..self.workers {
            worker(self, world, who, &mut next);
        }
        for who in 0..self.agents {
            agent(self, world, who, &mut next);
        }
        next
    }

    fn canonical(&self, mut world: World) -> World {
        world.workers[..self.workers].sort_unstable();
        world.agents[..self.agents].sort_unstable();
        world
    }

    fn check(&self, world: &World) -> Result<(), String> {
        properties::always(self, world)
    }

    fn check_step(&self, before: &World, action: Action, after: &World) -> Result<(), String> {
        properties::while_it_happens(self, before, action, after)
    }

    fn is_rest(&self, world: &World) -> bool {
        world.drained(self) && world.sweep_finds(self, self.etag_at(world.at)).is_none()
    }

    fn check_rest(&self, world: &World) -> Result<(), String> {
        properties::at_rest(self, world)
    }

    fn describe(&self, before: &World, action: Action, after: &World) -> String {
        describe(self, before, action, after)
    }
}

fn graph_and_storage(bounds: &Bounds, world: &World, next: &mut Vec<(Action, World)>) {
    let left = world.left;
    if bounds.workers == 0 {
        next.extend(world.next_of_script(bounds).map(|after| (Action::Script, after)));
        return;
    }
    if usize::from(world.at) + 1 < bounds.script.len() {
        let mut after = *world;
        after.at += 1;
        for worker in &mut after.workers {
            worker.undisturbed = false;
        }
        if left.lost_notifications > 0 {
            let mut unheard = after;
            unheard.left.lost_notifications -= 1;
            next.push((Action::Change { announced: false }, unheard));
        }
        after.checks[How::IfChanged as usize] += 1;
        next.push((Action::Change { announced: true }, after));
    }
    if left.lost_heads > 0 && world.head.is_some() {
        let mut after = *world;
        after.left.lost_heads -= 1;
        after.head = None;
        next.push((Action::HeadLost, after));
    }
    if left.holds > 0 {
        let mut after = *world;
        after.left.holds -= 1;
        after.hold_passes();
        next.push((Action::HoldPasses, after));
    }
}

fn sweeps(bounds: &Bounds, world: &World, next: &mut Vec<(Action, World)>) {
    match world.sweep {
        Sweep::Idle if world.left.sweeps > 0 => {
            for (reading, at, mut after) in world.readings() {
                after.left.sweeps -= 1;
                after.sweep = Sweep::Compare { etag: bounds.etag_at(at) };
                next.push((Action::SweepAsks { way: reading.into() }, after));
            }
        }
        Sweep::Idle => {}
        Sweep::Compare { etag } => {
            let mut after = *world;
            after.sweep = Sweep::Idle;
            if let Some(how) = world.sweep_finds(bounds, etag) {
                after.checks[how as usize] += 1;
            }
            next.push((Action::SweepCompares, after));
        }
    }
    // Sweeps never end. When everything else is done the next one comes, and by then the hold time has passed.
    if world.drained(bounds)
        && let Some(how) = world.sweep_finds(bounds, bounds.etag_at(world.at))
    {
        let mut after = *world;
        after.hold_passes();
        after.checks[how as usize] += 1;
        next.push((Action::LastSweep, after));
    }
}

fn worker(bounds: &Bounds, world: &World, who: usize, next: &mut Vec<(Action, World)>) {
    let worker = world.workers[who];
    if worker.is_idle() {
        for how in HOWS.into_iter().filter(|how| world.checks[*how as usize] > 0) {
            let mut after = *world;
            after.checks[how as usize] -= 1;
            after.workers[who] = Worker::taking(how);
            next.push((Action::Take { who, how }, after));
        }
        return;
    }
    for (way, after) in propagate::steps(world, who, bounds) {
        next.push((Action::Work { who, way }, after));
    }
    let mut visible_again = *world;
    visible_again.checks[worker.how as usize] += 1;
    if world.left.crashes > 0 {
        let mut after = visible_again;
        after.left.crashes -= 1;
        after.workers[who] = Worker::IDLE;
        next.push((Action::Crash { who }, after));
    }
    if world.left.repeats > 0 {
        let mut after = visible_again;
        after.left.repeats -= 1;
        next.push((Action::Repeat { who }, after));
    }
}

fn agent(bounds: &Bounds, world: &World, who: usize, next: &mut Vec<(Action, World)>) {
    let agent = world.agents[who];
    if agent.is_idle() {
        for seq in (1..=world.trail.last()).filter(|seq| world.write_backs[usize::from(*seq)] > 0) {
            let mut after = *world;
            after.write_backs[usize::from(seq)] -= 1;
            after.agents[who] = Agent::taking(seq, bounds);
            next.push((Action::TakeWriteBack { who, seq }, after));
        }
        return;
    }
    for (_, after) in agent::steps(world, who, bounds) {
        next.push((Action::AgentWork { who }, after));
    }
    let mut visible_again = *world;
    visible_again.write_backs[usize::from(agent.announced)] += 1;
    if world.left.crashes > 0 {
        let mut after = visible_again;
        after.left.crashes -= 1;
        after.agents[who] = Agent::IDLE;
        next.push((Action::AgentCrash { who }, after));
    }
    if world.left.repeats > 0 {
        let mut after = visible_again;
        after.left.repeats -= 1;
        next.push((Action::AgentRepeat { who }, after));
    }
}

/// One line of a trace: who did what, and what is different now.
fn describe(bounds: &Bounds, before: &World, action: Action, after: &World) -> String {
    let mut line = match action {
        Action::Change { announced } => {
            let (photo, etag) = (bounds.photo_at(after.at), bounds.etag_at(after.at).0);
            let hint = if announced { "a hint is queued" } else { "the hint is lost" };
            format!("Graph shows {photo:?} with ETag {etag}; {hint}")
        }
        Action::Script if before.trail == after.trail => format!("entry {} is announced", after.trail.last()),
        Action::Script => format!("entry {} is committed", after.trail.last()),
        Action::Take { who, how } => format!("worker {who} takes a check message ({how:?})"),
        Action::Work { who, way } => {
            let way = match way {
                Way::Plain => "",
                Way::Stale => " (a stale read)",
                Way::AnswerLost => " (done, but the answer says that it exists)",
            };
            format!("worker {who}: {}{way} -> {:?}", name(before.workers[who].step), after.workers[who].step)
        }
        Action::Crash { who } => {
            format!("worker {who} dies at {}; its message is visible again", name(before.workers[who].step))
        }
        Action::Repeat { who } => format!("worker {who} is slow: its message is visible again"),
        Action::TakeWriteBack { who, seq } => format!("agent {who} takes the message of entry {seq}"),
        Action::AgentWork { who } => {
            format!("agent {who}: {} -> {:?}", name(before.agents[who].step), after.agents[who].step)
        }
        Action::AgentCrash { who } => {
            format!("agent {who} dies at {}; its message is visible again", name(before.agents[who].step))
        }
        Action::AgentRepeat { who } => format!("agent {who} is slow: its message is visible again"),
        Action::HeadLost => "the head is lost".to_owned(),
        Action::HoldPasses => "the hold time passes".to_owned(),
        Action::SweepAsks { way } => format!("a sweep reads the ETag ({way:?})"),
        Action::SweepCompares => "the sweep compares".to_owned(),
        Action::LastSweep => "nothing is left to do; the hold time passes; a sweep queues a check".to_owned(),
    };
    if before.trail != after.trail {
        let seen: Vec<_> = after.trail.seen().collect();
        line.push_str(&format!("  | trail: {seen:?}"));
    }
    if before.head != after.head {
        line.push_str(&format!("  | head: {:?}", after.head));
    }
    if before.target != after.target {
        line.push_str(&format!("  | target: {:?}", after.target));
    }
    line
}

/// A step without what it holds: the line before has said it.
fn name(step: impl std::fmt::Debug) -> String {
    let whole = format!("{step:?}");
    whole.split([' ', '(']).next().unwrap_or_default().to_owned()
}
