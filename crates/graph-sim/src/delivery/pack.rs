//! Groups what is due into POSTs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use crate::locked::locked;
use crate::model::SimSubscription;
use crate::settings::SimSettings;

use super::notifier::Notifier;
use super::outbox::{Notification, NotificationEvent, Outbox, ParkedOutcome};

/// A notification is given up this long after its first attempt, or after it was raised when the subscription's
/// authorization has ended.
pub(crate) const GIVE_UP_AFTER_MS: u64 = 4 * 3_600_000;

/// The notifications of one POST.
#[derive(Debug)]
pub(crate) struct PackedPost {
    /// Under which the outbox keeps them while they are in flight.
    pub(crate) key: u64,
    pub(crate) url: String,
    pub(crate) notifications: Vec<Notification>,
}

impl PackedPost {
    /// 1 for the first.
    pub(crate) fn attempt(&self) -> u32 {
        self.notifications.iter().map(|one| one.attempts + 1).max().unwrap_or(1)
    }
}

/// Takes what is due. Under one lock, so that nothing is ever neither waiting nor in flight.
pub(crate) fn packed(notifier: &Notifier, settings: &SimSettings) -> Vec<PackedPost> {
    let now = notifier.tenant.clock.now();
    let subscriptions = locked(&notifier.tenant.subscriptions).live(now).clone();
    let mut outbox = locked(&notifier.outbox);
    unpark(&mut outbox, &subscriptions, now);
    let mut posts = Vec::new();
    for ((url, _), mut notifications) in due_by_endpoint(&mut outbox, &subscriptions, now) {
        if settings.reorder {
            outbox.dice.shuffle(&mut notifications);
        }
        while !notifications.is_empty() {
            let [low, high] = settings.items_per_post.map(|count| count.max(1));
            let most = if high > low { outbox.dice.usize(low..=high) } else { low };
            let rest = notifications.split_off(most.min(notifications.len()));
            let key = outbox.key();
            outbox.in_flight.insert(key, notifications.clone());
            posts.push(PackedPost { key, url: url.clone(), notifications });
            notifications = rest;
        }
    }
    let is_empty = outbox.is_empty();
    drop(outbox);
    if is_empty {
        notifier.drained.notify_waiters();
    }
    posts
}

/// What waited for an authorization waits on, goes out, or is given up after hours by the simulator's clock.
fn unpark(outbox: &mut Outbox, subscriptions: &BTreeMap<Uuid, SimSubscription>, now: Timestamp) {
    let longest = SignedDuration::from_millis(GIVE_UP_AFTER_MS as i64);
    outbox.unpark(|notification| match subscriptions.get(&notification.subscription) {
        None => Some(ParkedOutcome::Discarded),
        Some(one) if !one.has_lapsed(now) => Some(ParkedOutcome::Due),
        Some(_) => (now.duration_since(notification.raised) > longest).then_some(ParkedOutcome::GivenUp),
    });
}

/// By URL and whether it is a retry: first attempts and retries do not share a POST, because their limits differ.
fn due_by_endpoint(
    outbox: &mut Outbox,
    subscriptions: &BTreeMap<Uuid, SimSubscription>,
    now: Timestamp,
) -> BTreeMap<(String, bool), Vec<Notification>> {
    let mut groups: BTreeMap<_, Vec<Notification>> = BTreeMap::new();
    for notification in outbox.due(Instant::now()) {
        let Some(subscription) = subscriptions.get(&notification.subscription) else {
            outbox.tally.discarded += 1;
            continue;
        };
        let url = match notification.event {
            NotificationEvent::Change { .. } if subscription.has_lapsed(now) => {
                outbox.parked.push(notification);
                continue;
            }
            NotificationEvent::Change { .. } => &subscription.notification_url,
            NotificationEvent::Lifecycle(_) => {
                subscription.lifecycle_notification_url.as_ref().unwrap_or(&subscription.notification_url)
            }
        };
        groups.entry((url.clone(), notification.attempts > 0)).or_default().push(notification);
    }
    groups
}
