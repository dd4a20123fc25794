//! One person's world: Graph, the trail, the head, the queues, the target, and everybody who works on them.
//!
//! Every action is one operation on Graph, a store, a queue or the target, because nothing else can come in between.
//! Whatever the environment may do is bounded by a budget: changes, crashes, repeated deliveries, stale reads, lost
//! hints, a lost head, a lost answer of a commit, the hold time passing at a bad moment, a sweep at a bad moment.
//! The last sweep is not in the budget: it runs whenever nothing else is left to do, until it finds nothing.
//!
//! Left out on purpose: that the sweep announces again, and the fetch of everybody's bytes every 30 days, because the
//! promises have to hold without them; refused photos, removals, echoes and limits, because they are decisions within
//! one operation or promises of their own.

use std::fmt;

use crate::agent::Agent;
use crate::propagate::{How, Worker};

/// A digest stands for the photo that it is the digest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Photo {
    A,
    B,
    C,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Etag(pub(crate) u8);

impl fmt::Debug for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Graph promises neither, so both are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Etags {
    /// Every change brings an ETag that was never there before.
    Unique,
    /// The ETag comes back with the photo.
    Returning,
}

/// How wrong the protocol is made, to see whether the model notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Step 8 believes the ETag from before the fetch.
    NoSecondRead,
    /// Step 1 does not look whether the trail goes further than the head.
    NoRepair,
    /// Step 1 rolls the head forward and announces nothing.
    SilentRepair,
    /// Step 6 overwrites.
    OverwritingCommit,
    /// After a commit that was too late, the fetched photo is committed with the next number.
    StaleFetchUsedTwice,
    /// The head is written before the entry is announced.
    HeadBeforeAnnouncement,
    /// A head is settled by any second look, however soon.
    SettledAtOnce,
    /// The hold time is counted to the end of a look, however long ago it fetched the photo.
    HoldEndsWithLook,
    /// The sweep leaves heads alone that are not settled.
    SweepTrustsUnsettled,
    /// The agent lists the trail, and then reads the target.
    TargetReadLate,
    /// The agent does not list again after its write.
    NoListAgain,
    /// The agent writes whatever the target shows by then.
    BlindReplace,
}

/// How often the environment may do what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Budget {
    /// A worker or an agent dies, and its message becomes visible again.
    pub(crate) crashes: u8,
    /// A message becomes visible again while its worker still works on it; also what a repeated notification is.
    pub(crate) repeats: u8,
    /// A read of Graph shows the state before the present one.
    pub(crate) stale_reads: u8,
    /// A change that no notification announces.
    pub(crate) lost_notifications: u8,
    pub(crate) lost_heads: u8,
    /// A commit that was done, but whose answer says that the entry exists.
    pub(crate) lost_answers: u8,
    /// The hold time passes while others are at work.
    pub(crate) holds: u8,
    /// Sweeps that run beside the others.
    pub(crate) sweeps: u8,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// What Graph shows, one after the other.
    pub(crate) script: &'static [Photo],
    pub(crate) etags: Etags,
    /// Without workers the script is committed as it stands, for a closer look at the agents.
    pub(crate) workers: usize,
    pub(crate) agents: usize,
    pub(crate) budget: Budget,
    pub(crate) mutation: Option<Mutation>,
}

impl Bounds {
    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    pub(crate) fn etag_at(&self, at: u8) -> Etag {
        match self.etags {
            Etags::Unique => Etag(at),
            Etags::Returning => Etag(self.photo_at(at) as u8),
        }
    }

    pub(crate) fn photo_at(&self, at: u8) -> Photo {
        self.script[usize::from(at)]
    }

    pub(crate) fn last_photo(&self) -> Photo {
        *self.script.last().expect("Graph shows at least one photo")
    }

    pub(crate) fn photo_comes_back(&self) -> bool {
        self.script.iter().enumerate().any(|(at, photo)| self.script[..at].contains(photo))
    }
}

/// An audit entry: its own digest, the digest of the one before, and what Graph showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) id: u8,
    pub(crate) previous: u8,
    pub(crate) seen: Photo,
}

/// Room for the entries of every script here, and for those that stale reads and mutations add.
const MAX_ENTRIES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Trail {
    entries: [Option<Entry>; MAX_ENTRIES],
    /// How many entries were ever written. It gives each its digest.
    pub(crate) created: u8,
}

impl Trail {
    pub(crate) fn get(&self, seq: u8) -> Option<Entry> {
        let index = usize::from(seq).checked_sub(1)?;
        self.entries.get(index).copied().flatten()
    }

    pub(crate) fn last(&self) -> u8 {
        let index = self.entries.iter().rposition(Option::is_some);
        index.map_or(0, |index| u8::try_from(index + 1).expect("MAX_ENTRIES is small"))
    }

    pub(crate) fn newest(&self) -> Option<Entry> {
        self.get(self.last())
    }

    pub(crate) fn put(&mut self, seq: u8, previous: u8, seen: Photo) {
        self.created += 1;
        let entry = Entry { id: self.created, previous, seen };
        *self.entries.get_mut(usize::from(seq) - 1).expect("MAX_ENTRIES is too small for these bounds") = Some(entry);
    }

    pub(crate) fn seen(&self) -> impl Iterator<Item = Photo> {
        self.entries.iter().flatten().map(|entry| entry.seen)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Head {
    pub(crate) seq: u8,
    pub(crate) etag: Option<Etag>,
    pub(crate) digest: Option<Photo>,
    pub(crate) settled: bool,
    /// Whether the hold time has passed since this ETag and digest were first seen together.
    pub(crate) held: bool,
}

impl Head {
    /// A head that knows where the trail ends and nothing of what Graph shows.
    pub(crate) fn at(seq: u8) -> Self {
        Self { seq, etag: None, digest: None, settled: false, held: false }
    }
}

/// Short, because a trace is full of heads.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settled = if self.settled { "settled" } else { "unsettled" };
        let held = if self.held { ", held" } else { "" };
        write!(f, "(entry {}, ETag {:?}, {:?}, {settled}{held})", self.seq, self.etag, self.digest)
    }
}

/// What the target shows, and which entry the value stands for. Nobody can read the latter: only properties use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Shown {
    pub(crate) photo: Option<Photo>,
    pub(crate) seq: u8,
}

/// A sweep that runs beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sweep {
    Idle,
    /// It has read this ETag from Graph and is about to list heads and trail.
    Compare {
        etag: Etag,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct World {
    /// Where Graph is in the script.
    pub(crate) at: u8,
    /// The hold time is longer than Graph's lag: what Graph showed before this is not shown any more.
    pub(crate) oldest_readable: u8,
    pub(crate) head: Option<Head>,
    pub(crate) trail: Trail,
    /// Check messages that are visible, for each way to look.
    pub(crate) checks: [u8; 2],
    /// Write-back messages that are visible, for each sequence number.
    pub(crate) write_backs: [u8; MAX_ENTRIES + 1],
    /// A bit for each entry that was announced.
    pub(crate) announced: u16,
    /// A bit for each photo that was stored with its renditions.
    pub(crate) stored: u8,
    /// A bit for each entry that has a receipt.
    pub(crate) receipts: u16,
    pub(crate) target: Shown,
    pub(crate) workers: [Worker; 2],
    pub(crate) agents: [Agent; 2],
    pub(crate) sweep: Sweep,
    pub(crate) left: Budget,
}

impl World {
    /// Graph shows the first photo, and its notification is in the queue.
    pub(crate) fn start(bounds: &Bounds) -> Self {
        Self {
            at: 0,
            oldest_readable: 0,
            head: None,
            trail: Trail::default(),
            checks: [u8::from(bounds.workers > 0), 0],
            write_backs: [0; MAX_ENTRIES + 1],
            announced: 0,
            stored: 0,
            receipts: 0,
            target: Shown::default(),
            workers: [Worker::IDLE; 2],
            agents: [Agent::IDLE; 2],
            sweep: Sweep::Idle,
            left: bounds.budget,
        }
    }

    pub(crate) fn announce(&mut self, bounds: &Bounds, seq: u8) {
        self.announced |= 1 << seq;
        if bounds.agents > 0 {
            self.write_backs[usize::from(seq)] += 1;
        }
    }

    /// What a read of Graph may see: the present state, and within the budget the one before.
    pub(crate) fn readings(&self) -> impl Iterator<Item = (Reading, u8, World)> {
        let stale = (self.left.stale_reads > 0 && self.at > self.oldest_readable).then(|| {
            let mut after = *self;
            after.left.stale_reads -= 1;
            (Reading::Stale, self.at - 1, after)
        });
        [(Reading::Fresh, self.at, *self)].into_iter().chain(stale)
    }

    pub(crate) fn everybody_idle(&self) -> bool {
        let sweep_idle = self.sweep == Sweep::Idle;
        sweep_idle && self.workers.iter().all(Worker::is_idle) && self.agents.iter().all(Agent::is_idle)
    }

    pub(crate) fn queues_empty(&self) -> bool {
        self.checks == [0; 2] && self.write_backs.iter().all(|count| *count == 0)
    }

    /// Graph is at rest and everything that was announced has been done. Only a sweep can find more to do.
    pub(crate) fn drained(&self, bounds: &Bounds) -> bool {
        let committed = bounds.workers > 0 || self.next_of_script(bounds).is_none();
        let at_rest = usize::from(self.at) + 1 == bounds.script.len() && committed;
        at_rest && self.everybody_idle() && self.queues_empty()
    }

    /// Where there are no workers: the next entry is announced if it is committed, and committed if it is not.
    pub(crate) fn next_of_script(&self, bounds: &Bounds) -> Option<World> {
        let mut after = *self;
        let last = self.trail.last();
        if last > 0 && self.announced & (1 << last) == 0 {
            after.announce(bounds, last);
        } else {
            let seen = *bounds.script.get(usize::from(last))?;
            after.at = last;
            after.stored |= 1 << seen as u8;
            after.trail.put(last + 1, self.trail.newest().map_or(0, |newest| newest.id), seen);
        }
        Some(after)
    }

    /// What a sweep that has read this ETag finds in the listings of heads and trail.
    pub(crate) fn sweep_finds(&self, bounds: &Bounds, etag: Etag) -> Option<How> {
        if bounds.workers == 0 {
            return None;
        }
        let Some(head) = self.head else { return Some(How::IfChanged) };
        if !head.settled && !bounds.is(Mutation::SweepTrustsUnsettled) {
            return Some(How::Always);
        }
        let behind = head.seq < self.trail.last();
        (behind || head.etag != Some(etag)).then_some(How::IfChanged)
    }

    pub(crate) fn hold_passes(&mut self) {
        self.oldest_readable = self.at;
        for head in self.head.iter_mut().chain(self.workers.iter_mut().filter_map(Worker::head_mut)) {
            head.held = true;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Fresh,
    Stale,
}
