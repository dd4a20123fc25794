//! Authorizations of subscriptions: they end, Graph asks for new ones, and delivers nothing meanwhile.
//!
//! Of the lifecycle events only `reauthorizationRequired` exists for users; a subscription that expires or is removed
//! goes without a word. <https://learn.microsoft.com/graph/change-notifications-lifecycle-events>. How long an
//! authorization lasts and how often Graph asks is not documented as a contract: the switches say it here.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use uuid::Uuid;

use crate::inner::Inner;
use crate::locked;
use crate::outbox::{Item, What};
use crate::settings::Settings;
use crate::subscriptions::Subscription;

const REQUIRED: &str = "reauthorizationRequired";
/// Asked first so long before the end, and again as often.
const ASK_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// A create, a renewal or a reauthorization: the authorization is as new.
pub(crate) fn authorized(settings: &Settings, subscription: &mut Subscription, now: Timestamp) {
    let minutes = i64::try_from(settings.authorization_minutes).unwrap_or(i64::MAX);
    let lasts = (minutes > 0).then(|| SignedDuration::from_mins(minutes));
    subscription.authorized_until = lasts.map(|lasts| now + lasts);
    subscription.asked_next = lasts.map(|lasts| now + (lasts - ASK_EVERY).max(SignedDuration::ZERO));
}

/// An administrator took every token away: with them goes what the subscriptions were authorized by.
pub(crate) fn revoked(inner: &Inner) {
    let now = inner.now();
    for subscription in locked(&inner.subscriptions).live(now).values_mut() {
        if subscription.authorized_until.is_some() {
            subscription.authorized_until = Some(now);
            subscription.asked_next = Some(now);
        }
    }
    inner.outbox_changed.notify_one();
}

/// Raises the questions that are due.
pub(crate) fn ask(inner: &Inner) {
    let now = inner.now();
    let mut due = Vec::new();
    for subscription in locked(&inner.subscriptions).live(now).values_mut() {
        if subscription.asked_next.is_some_and(|next| next <= now) {
            subscription.asked_next = Some(now + ASK_EVERY);
            if subscription.lifecycle_notification_url.is_some() {
                due.push(subscription.id);
            }
        }
    }
    let mut outbox = locked(&inner.outbox);
    for subscription in due {
        raise(&mut outbox, subscription, REQUIRED, now);
    }
}

/// When the next question is due, by the real clock.
pub(crate) fn next_question(inner: &Inner) -> Option<Instant> {
    let now = inner.now();
    let next = locked(&inner.subscriptions).live(now).values().filter_map(|one| one.asked_next).min()?;
    let wait = std::time::Duration::try_from(next.duration_since(now)).unwrap_or_default();
    Instant::now().checked_add(wait)
}

pub(crate) fn raise(outbox: &mut crate::outbox::Outbox, subscription: Uuid, event: &'static str, now: Timestamp) {
    outbox.tally.lifecycle += 1;
    let sequence = outbox.sequence();
    let what = What::Lifecycle(event);
    let item = Item { subscription, what, raised: now, sequence, attempts: 0, first_tried: None };
    outbox.wait(Instant::now(), item);
}
