//! Notifications that are still to be delivered, and totals of the others.
//!
//! A plain queue without time of its own: the delivery asks what is due.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

const MOST_POSTS: usize = 20_000;

/// What happens to a parked notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParkedOutcome {
    Due,
    GivenUp,
    Discarded,
}

/// A notification waiting for its first or next attempt.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    pub(crate) subscription: Uuid,
    pub(crate) event: NotificationEvent,
    pub(crate) raised: Timestamp,
    pub(crate) sequence: u64,
    pub(crate) attempts: u32,
    pub(crate) first_tried: Option<Instant>,
}

/// What a notification reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotificationEvent {
    Change { user: Uuid, change: &'static str },
    Lifecycle(&'static str),
}

impl NotificationEvent {
    pub(crate) fn user(self) -> Option<Uuid> {
        match self {
            Self::Change { user, .. } => Some(user),
            Self::Lifecycle(_) => None,
        }
    }
}

/// A pending notification of a change, as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingNotification {
    pub subscription: Uuid,
    pub user: Uuid,
    pub change: String,
    pub attempts: u32,
}

/// One POST to a notification endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationPost {
    pub url: String,
    /// The people named, in the order of the items.
    pub users: Vec<Uuid>,
    /// `None` when there was no response in time.
    pub status: Option<u16>,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// Totals since the start. Every raised copy and lifecycle event ends up as delivered, lost, dropped, given up or
/// discarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotificationTally {
    pub raised: u64,
    pub delivered: u64,
    /// By the `loss` setting.
    pub lost: u64,
    /// Because the endpoint responded too slowly.
    pub dropped: u64,
    /// Lifecycle events raised.
    pub lifecycle: u64,
    /// After hours of failed attempts, or without authorization.
    pub given_up: u64,
    /// The subscription no longer existed.
    pub discarded: u64,
    pub posts: u64,
    pub failed_posts: u64,
}

#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: BTreeMap<(Instant, u64), Notification>,
    /// Notifications of subscriptions whose authorization has ended.
    pub(crate) parked: Vec<Notification>,
    pub(crate) in_flight: BTreeMap<u64, Vec<Notification>>,
    pub(crate) paused: bool,
    pub(crate) tally: NotificationTally,
    pub(crate) posts: VecDeque<NotificationPost>,
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
            tally: NotificationTally::default(),
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

    fn sequence(&mut self) -> u64 {
        self.next_sequence += self.dice.u64(1..5_000);
        self.next_sequence
    }

    pub(crate) fn enqueue(&mut self, due: Instant, notification: Notification) {
        let key = self.key();
        self.waiting.insert((due, key), notification);
    }

    /// A new notification with the next sequence number, due at a given time.
    pub(crate) fn raise(&mut self, due: Instant, subscription: Uuid, event: NotificationEvent, raised: Timestamp) {
        let sequence = self.sequence();
        self.enqueue(due, Notification { subscription, event, raised, sequence, attempts: 0, first_tried: None });
    }

    /// Takes what is due; nothing while paused.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Notification> {
        if self.paused {
            return Vec::new();
        }
        let later = self.waiting.split_off(&(now + Duration::from_nanos(1), 0));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    /// Decides about everything that is parked; `None` leaves it parked.
    pub(crate) fn unpark(&mut self, decide: impl Fn(&Notification) -> Option<ParkedOutcome>) {
        for notification in std::mem::take(&mut self.parked) {
            match decide(&notification) {
                None => self.parked.push(notification),
                Some(ParkedOutcome::Due) => self.enqueue(Instant::now(), notification),
                Some(ParkedOutcome::GivenUp) => self.tally.given_up += 1,
                Some(ParkedOutcome::Discarded) => self.tally.discarded += 1,
            }
        }
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        if self.paused { None } else { self.waiting.keys().next().map(|(due, _)| *due) }
    }

    /// Makes everything that waits due now.
    pub(crate) fn hurry(&mut self, now: Instant) {
        let all = std::mem::take(&mut self.waiting);
        self.waiting = all.into_iter().map(|((due, key), notification)| ((due.min(now), key), notification)).collect();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_empty()
    }

    pub(crate) fn record(&mut self, post: NotificationPost) {
        self.tally.posts += 1;
        self.posts.push_back(post);
        if self.posts.len() > MOST_POSTS {
            self.posts.pop_front();
        }
    }

    pub(crate) fn pending(&self) -> Vec<PendingNotification> {
        let all = self.waiting.values().chain(self.in_flight.values().flatten()).chain(&self.parked);
        all.filter_map(|notification| match notification.event {
            NotificationEvent::Change { user, change } => {
                let (subscription, attempts) = (notification.subscription, notification.attempts);
                Some(PendingNotification { subscription, user, change: change.to_owned(), attempts })
            }
            NotificationEvent::Lifecycle(_) => None,
        })
        .collect()
    }
}
