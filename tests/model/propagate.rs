//! One look at one person, an operation at a time and in the order of `src/jobs/propagate/`.
//!
//! A worker knows only what its step holds. Reads of things that never change are part of the operation before them,
//! and what cannot matter any more is dropped, so that equal futures are one state.

use crate::world::{Bounds, Etag, Head, Mutation, Photo, Reading, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum How {
    /// An ETag equal to the head's ends the look.
    IfChanged,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Idle,
    /// Read the metadata from Graph; every round begins here.
    Ask,
    /// Step 1.
    ReadHead {
        etag: Etag,
    },
    ListTrail {
        etag: Etag,
    },
    ReadNext {
        etag: Etag,
        head: Head,
    },
    AnnounceNext {
        etag: Etag,
        seq: u8,
    },
    RollHead {
        etag: Etag,
        seq: u8,
    },
    /// Step 3, and 4: nothing new leads to `Confirm`.
    Fetch {
        etag: Etag,
        head: Option<Head>,
    },
    /// Step 5.
    Store {
        etag: Etag,
        seq: u8,
        previous: u8,
        photo: Photo,
    },
    /// Step 6.
    Commit {
        etag: Etag,
        seq: u8,
        previous: u8,
        photo: Photo,
    },
    /// Step 7.
    Announce {
        etag: Etag,
        seq: u8,
        photo: Photo,
    },
    /// Step 8. The head from before matters only if no entry was added to it. `held` says whether the hold time had
    /// passed when the photo was fetched: what happens after the fetch says nothing about the bytes.
    Confirm {
        etag: Etag,
        seq: u8,
        before: Option<Head>,
        held: bool,
        photo: Photo,
    },
    WriteHead {
        head: Head,
        then_announce: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Worker {
    /// The message that it holds.
    pub(crate) how: How,
    pub(crate) step: Step,
    /// Whether Graph has been at rest and read truly since this round began. Only properties use it.
    pub(crate) undisturbed: bool,
}

/// How an operation went, where it can go in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    Stale,
    AnswerLost,
}

impl From<Reading> for Way {
    fn from(reading: Reading) -> Self {
        match reading {
            Reading::Fresh => Way::Plain,
            Reading::Stale => Way::Stale,
        }
    }
}

impl Worker {
    pub(crate) const IDLE: Self = Self { how: How::IfChanged, step: Step::Idle, undisturbed: false };

    pub(crate) fn taking(how: How) -> Self {
        Self { how, step: Step::Ask, undisturbed: true }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }

    /// The head that it carries in memory, whose age grows while the worker is slow.
    pub(crate) fn head_mut(&mut self) -> Option<&mut Head> {
        match &mut self.step {
            Step::ReadNext { head, .. } | Step::WriteHead { head, .. } => Some(head),
            Step::Fetch { head, .. } | Step::Confirm { before: head, .. } => head.as_mut(),
            _ => None,
        }
    }
}

/// The next operation of this worker, in every way that it can go.
pub(crate) fn steps(world: &World, who: usize, bounds: &Bounds) -> Vec<(Way, World)> {
    let worker = world.workers[who];
    match worker.step {
        Step::Idle => Vec::new(),
        Step::Ask => reading(world, who, |at, after| {
            after.workers[who].step = Step::ReadHead { etag: bounds.etag_at(at) };
        }),
        Step::ReadHead { etag } => plain(
            world,
            who,
            match world.head {
                Some(head) => Step::ReadNext { etag, head },
                None => Step::ListTrail { etag },
            },
        ),
        // A head that was lost is rebuilt from the newest entry; earlier ones are covered by it.
        Step::ListTrail { etag } => plain(
            world,
            who,
            match world.trail.last() {
                0 => Step::Fetch { etag, head: None },
                newest => Step::ReadNext { etag, head: Head::at(newest - 1) },
            },
        ),
        Step::ReadNext { etag, head } => {
            let further = world.trail.get(head.seq + 1).is_some() && !bounds.is(Mutation::NoRepair);
            let unchanged = head.etag == Some(etag) && worker.how == How::IfChanged;
            plain(
                world,
                who,
                match (further, unchanged) {
                    (true, _) if bounds.is(Mutation::SilentRepair) => Step::RollHead { etag, seq: head.seq + 1 },
                    (true, _) => Step::AnnounceNext { etag, seq: head.seq + 1 },
                    (false, true) => Step::Idle,
                    (false, false) => Step::Fetch { etag, head: Some(head) },
                },
            )
        }
        Step::AnnounceNext { etag, seq } => {
            let mut after = *world;
            after.announce(bounds, seq);
            plain(&after, who, Step::RollHead { etag, seq })
        }
        Step::RollHead { etag, seq } => {
            let mut after = *world;
            let seen = world.trail.get(seq).expect("this entry was read before").seen;
            let rolled = Head { digest: Some(seen), ..Head::at(seq) };
            after.head = Some(rolled);
            plain(&after, who, Step::ReadNext { etag, head: rolled })
        }
        Step::Fetch { etag, head } => reading(world, who, |at, after| {
            let photo = bounds.photo_at(at);
            let seq = head.map_or(0, |head| head.seq);
            let newest = world.trail.get(seq);
            after.workers[who].step = if newest.is_some_and(|newest| newest.seen == photo) {
                Step::Confirm { etag, seq, before: head, held: head.is_some_and(|head| head.held), photo }
            } else {
                Step::Store { etag, seq: seq + 1, previous: newest.map_or(0, |newest| newest.id), photo }
            };
        }),
        Step::Store { etag, seq, previous, photo } => {
            let mut after = *world;
            after.stored |= 1 << photo as u8;
            plain(&after, who, Step::Commit { etag, seq, previous, photo })
        }
        Step::Commit { etag, seq, previous, photo } => commit(world, who, bounds, (etag, seq, previous, photo)),
        Step::Announce { etag, seq, photo } => {
            let mut after = *world;
            after.announce(bounds, seq);
            plain(
                &after,
                who,
                if bounds.is(Mutation::HeadBeforeAnnouncement) {
                    Step::Idle
                } else {
                    Step::Confirm { etag, seq, before: None, held: false, photo }
                },
            )
        }
        Step::Confirm { etag, seq, before, held, photo } => {
            let same = before.filter(|head| head.etag == Some(etag) && head.digest == Some(photo));
            let held = match bounds.mutation {
                Some(Mutation::SettledAtOnce) => true,
                Some(Mutation::HoldEndsWithLook) => same.is_some_and(|head| head.held),
                _ => held,
            };
            let head = Head {
                seq,
                etag: Some(etag),
                digest: Some(photo),
                settled: same.is_some_and(|head| head.settled || held),
                held: same.is_some_and(|head| head.held),
            };
            confirm(world, who, bounds, head, before.is_none())
        }
        Step::WriteHead { head, then_announce } => {
            let mut after = *world;
            after.head = Some(head);
            plain(
                &after,
                who,
                match (then_announce, head.etag, head.digest) {
                    (true, Some(etag), Some(photo)) => Step::Announce { etag, seq: head.seq, photo },
                    _ => Step::Idle,
                },
            )
        }
    }
}

fn commit(
    world: &World,
    who: usize,
    bounds: &Bounds,
    (etag, seq, previous, photo): (Etag, u8, u8, Photo),
) -> Vec<(Way, World)> {
    if world.trail.get(seq).is_some() && !bounds.is(Mutation::OverwritingCommit) {
        if bounds.is(Mutation::StaleFetchUsedTwice) {
            let newest = world.trail.newest().expect("an entry of this number exists");
            let seq = world.trail.last() + 1;
            return plain(world, who, Step::Commit { etag, seq, previous: newest.id, photo });
        }
        return plain(world, who, Step::Ask);
    }
    let mut created = *world;
    created.trail.put(seq, previous, photo);
    let next = if bounds.is(Mutation::HeadBeforeAnnouncement) {
        Step::Confirm { etag, seq, before: None, held: false, photo }
    } else {
        Step::Announce { etag, seq, photo }
    };
    let mut ways = plain(&created, who, next);
    if created.left.lost_answers > 0 {
        created.left.lost_answers -= 1;
        created.workers[who].step = Step::Ask;
        ways.push((Way::AnswerLost, created));
    }
    ways
}

/// Step 8, first half: what Graph showed was at rest only if the ETag is still the one from before the fetch.
fn confirm(world: &World, who: usize, bounds: &Bounds, head: Head, committed: bool) -> Vec<(Way, World)> {
    let then_announce = committed && bounds.is(Mutation::HeadBeforeAnnouncement);
    let write = Step::WriteHead { head, then_announce };
    if bounds.is(Mutation::NoSecondRead) {
        return plain(world, who, write);
    }
    reading(world, who, |at, after| {
        after.workers[who].step = if head.etag == Some(bounds.etag_at(at)) { write } else { Step::Ask };
    })
}

fn plain(world: &World, who: usize, step: Step) -> Vec<(Way, World)> {
    vec![(Way::Plain, moved(*world, who, step))]
}

fn moved(mut world: World, who: usize, step: Step) -> World {
    match step {
        Step::Idle => world.workers[who] = Worker::IDLE,
        Step::Ask => world.workers[who] = Worker::taking(world.workers[who].how),
        step => world.workers[who].step = step,
    }
    world
}

fn reading(world: &World, who: usize, proceed: impl Fn(u8, &mut World)) -> Vec<(Way, World)> {
    let ways = world.readings().map(|(reading, at, mut after)| {
        if reading == Reading::Stale {
            after.workers[who].undisturbed = false;
        }
        proceed(at, &mut after);
        let step = after.workers[who].step;
        (Way::from(reading), moved(after, who, step))
    });
    ways.collect()
}
