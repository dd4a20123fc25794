//! Notifications that are still to be delivered, and what became of the others.
//!
//! A plain model without time of its own: the delivery asks what is due.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

const MOST_POSTS: usize = 20_000;

/// What becomes of a notification that was parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parked {
    Due,
    GivenUp,
    Discarded,
}

/// A notification waiting for its first or next attempt.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) subscription: Uuid,
    pub(crate) what: What,
    pub(crate) raised: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) attempts: u32,
    pub(crate) first_tried: Option<Instant>,
}

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Change { user: Uuid, change: &'static str },
    Lifecycle(&'static str),
}

impl What {
    pub(crate) fn user(self) -> Option<Uuid> {
        match self {
            What::Change { user, .. } => Some(user),
            What::Lifecycle(_) => None,
        }
    }
}

/// A pending notification of a change as tests see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    pub subscription: Uuid,
    pub user: Uuid,
    pub change: String,
    pub attempts: u32,
}

/// One POST to a notification endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    pub url: String,
    /// The people named, in the order of the items.
    pub users: Vec<Uuid>,
    /// `None` when there was no answer in time.
    pub status: Option<u16>,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// Totals since the start; every raised copy and lifecycle event ends in `delivered`, `lost`, `dropped`, `given_up` or
/// `discarded`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    pub raised: u64,
    pub delivered: u64,
    /// By the `loss` switch.
    pub lost: u64,
    /// Because the endpoint answered too slowly.
    pub dropped: u64,
    /// Lifecycle events raised.
    pub lifecycle: u64,
    /// After hours of failed attempts, or without authorization.
    pub given_up: u64,
    /// The subscription was gone when its turn came.
    pub discarded: u64,
    pub posts: u64,
    pub failed_posts: u64,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) waiting: BTreeMap<(Instant, u64), Item>,
    /// Of subscriptions whose authorization has ended.
    pub(crate) parked: Vec<Item>,
    pub(crate) in_flight: BTreeMap<u64, Vec<Item>>,
    pub(crate) paused: bool,
    pub(crate) tally: Tally,
    pub(crate) posts: VecDeque<Post>,
    pub(crate) dice: fastrand::Rng,
    next_key: u64,
    next_sequence: u64,
}

impl Outbox {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            waiting: BTreeMap::new(),
            parked: Vec::new(),
            in_flight: BTreeMap::new(),
            paused: false,
            tally: Tally::default(),
            posts: VecDeque::new(),
            dice: fastrand::Rng::with_seed(seed ^ 0x0b0c),
            next_key: 0,
            next_sequence: 638_000_000_000_000_000,
        }
    }

    pub(crate) fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    pub(crate) fn sequence(&mut self) -> u64 {
        self.next_sequence += self.dice.u64(1..5_000);
        self.next_sequence
    }

    pub(crate) fn wait(&mut self, due: Instant, item: Item) {
        let key = self.key();
        self.waiting.insert((due, key), item);
    }

    /// Takes what is due; nothing while paused.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Item> {
        if self.paused {
            return Vec::new();
        }
        let later = self.waiting.split_off(&(now + Duration::from_nanos(1), 0));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    /// Asks of everything that is parked what becomes of it; none: it stays.
    pub(crate) fn unpark(&mut self, judge: impl Fn(&Item) -> Option<Parked>) {
        for item in std::mem::take(&mut self.parked) {
            match judge(&item) {
                None => self.parked.push(item),
                Some(Parked::Due) => self.wait(Instant::now(), item),
                Some(Parked::GivenUp) => self.tally.given_up += 1,
                Some(Parked::Discarded) => self.tally.discarded += 1,
            }
        }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.paused { None } else { self.waiting.keys().next().map(|(due, _)| *due) }
    }

    /// Everything that waits is due now.
    pub(crate) fn hurry(&mut self, now: Instant) {
        let all = std::mem::take(&mut self.waiting);
        self.waiting = all.into_iter().map(|((due, key), item)| ((due.min(now), key), item)).collect();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    pub(crate) fn note(&mut self, post: Post) {
        self.tally.posts += 1;
        self.posts.push_back(post);
        if self.posts.len() > MOST_POSTS {
            self.posts.pop_front();
        }
    }

    pub(crate) fn pending(&self) -> Vec<Pending> {
        let all = self.waiting.values().chain(self.in_flight.values().flatten()).chain(&self.parked);
        all.filter_map(|item| match item.what {
            What::Change { user, change } => {
                let (subscription, attempts) = (item.subscription, item.attempts);
                Some(Pending { subscription, user, change: change.to_owned(), attempts })
            }
            What::Lifecycle(_) => None,
        })
        .collect()
    }
}
