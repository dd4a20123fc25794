//! Raises notifications: changes of people, and the lifecycle event that asks for reauthorization.
//!
//! Of the lifecycle events only `reauthorizationRequired` exists for users.
//! <https://learn.microsoft.com/graph/change-notifications-lifecycle-events>

use tokio::time::Instant;
use uuid::Uuid;

use crate::locked::locked;
use crate::settings::{NotificationMode, SimSettings};

use super::endpoint_state::EndpointState;
use super::notifier::{Notifier, scaled};
use super::outbox::NotificationEvent;

/// How much later notifications for a slow endpoint come, before scaling.
const SLOW_DELAY_MS: u64 = 600_000;

impl Notifier {
    /// A photo was changed: a notification is possible but not guaranteed.
    pub(crate) fn photo_changed(&self, user: Uuid) {
        let mut settings = self.settings.get();
        match settings.notify {
            NotificationMode::Never => {}
            NotificationMode::Always => self.raise(&settings, user, "updated", 0),
            NotificationMode::Late => {
                let mut dice = self.tenant.dice.fork();
                // Log-normal around half a minute: nearly always 5 to 120 s, rarely up to a quarter of an hour.
                let normal = (0..12).map(|_| dice.f64()).sum::<f64>() - 6.0;
                let seconds = (25.0_f64.ln() + 0.8 * normal).exp().clamp(5.0, 900.0);
                settings.duplicates = settings.duplicates.max(0.01);
                self.raise(&settings, user, "updated", (seconds * 1000.0) as u64);
            }
        }
    }

    /// Something else about the person changed; always notified.
    pub(crate) fn user_changed(&self, user: Uuid, change: &'static str) {
        self.raise(&self.settings.get(), user, change, 0);
    }

    /// Raises the reminders of reauthorization that are due.
    pub(crate) fn raise_due_reminders(&self) {
        let now = self.tenant.clock.now();
        let due = locked(&self.tenant.subscriptions).take_due_reminders(now);
        let mut outbox = locked(&self.outbox);
        for subscription in due {
            outbox.tally.lifecycle += 1;
            let event = NotificationEvent::Lifecycle("reauthorizationRequired");
            outbox.raise(Instant::now(), subscription, event, now);
        }
    }

    /// When the next reminder is due, by the real clock.
    pub(crate) fn next_reminder(&self) -> Option<Instant> {
        let now = self.tenant.clock.now();
        let next = locked(&self.tenant.subscriptions).next_reminder(now)?;
        let wait = std::time::Duration::try_from(next.duration_since(now)).unwrap_or_default();
        Instant::now().checked_add(wait)
    }

    fn raise(&self, settings: &SimSettings, user: Uuid, change: &'static str, extra_delay_ms: u64) {
        let now = self.tenant.clock.now();
        let subscribed: Vec<(Uuid, String)> = {
            let mut subscriptions = locked(&self.tenant.subscriptions);
            let covering = subscriptions.live(now).values().filter(|one| one.covers(user, change));
            covering.map(|one| (one.id, one.notification_url.clone())).collect()
        };
        let started = Instant::now();
        for (subscription, url) in subscribed {
            let state = locked(&self.endpoints).state(&url, now);
            let mut outbox = locked(&self.outbox);
            let is_duplicated = outbox.dice.f64() < settings.duplicates;
            let copies = if is_duplicated { outbox.dice.u32(2..=3) } else { 1 };
            for _ in 0..copies {
                outbox.tally.raised += 1;
                if outbox.dice.f64() < settings.loss {
                    outbox.tally.lost += 1;
                    continue;
                }
                if state == EndpointState::Drop {
                    outbox.tally.dropped += 1;
                    continue;
                }
                let slow = if state == EndpointState::Slow { SLOW_DELAY_MS } else { 0 };
                let [low, high] = settings.delay_ms;
                let own = if high > low { outbox.dice.u64(low..=high) } else { low };
                let due = started + scaled(settings, extra_delay_ms + own + slow);
                outbox.raise(due, subscription, NotificationEvent::Change { user, change }, now);
            }
        }
        self.wake();
    }
}
