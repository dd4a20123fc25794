//! Subscriptions to the tenant's people, until they expire.
//!
//! How long an authorization lasts and how often Graph asks for a new one is not documented as a contract: the settings
//! decide it here.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Graph first asks for reauthorization this long before the authorization ends, and then again as often.
const REMIND_EVERY: SignedDuration = SignedDuration::from_mins(15);

#[derive(Clone)]
pub struct SimSubscription {
    pub id: Uuid,
    pub application_id: Uuid,
    /// As it was sent.
    pub resource: String,
    pub change_type: String,
    pub notification_url: String,
    pub lifecycle_notification_url: Option<String>,
    pub expires: Timestamp,
    pub client_state: Option<String>,
    pub latest_supported_tls_version: String,
    pub(crate) renewed: Option<Timestamp>,
    pub(crate) reauthorized: Option<Timestamp>,
    /// Nothing is delivered after it; `None` never ends.
    pub authorized_until: Option<Timestamp>,
    /// When the next `reauthorizationRequired` is due.
    pub(crate) reminder: Option<Timestamp>,
}

impl fmt::Debug for SimSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSubscription").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl SimSubscription {
    /// Whether its authorization has ended, so that nothing is delivered.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.authorized_until.is_some_and(|until| until <= now)
    }

    /// A create, a renewal or a reauthorization: it is authorized for so many minutes, or without end for 0.
    pub(crate) fn authorize(&mut self, minutes: u64, now: Timestamp) {
        let minutes = i64::try_from(minutes).unwrap_or(i64::MAX);
        let lifetime = (minutes > 0).then(|| SignedDuration::from_mins(minutes));
        self.authorized_until = lifetime.map(|lifetime| now + lifetime);
        self.reminder = lifetime.map(|lifetime| now + (lifetime - REMIND_EVERY).max(SignedDuration::ZERO));
    }

    /// Whether a change of this type to this person is to be reported.
    pub(crate) fn covers(&self, user: Uuid, change: &str) -> bool {
        let wanted = self.change_type.split(',').any(|one| one.trim().eq_ignore_ascii_case(change));
        let resource = normalized_resource(&self.resource);
        wanted && (resource == "users" || resource == format!("users/{user}"))
    }

    fn combination(&self) -> (Uuid, String, Vec<String>) {
        let mut changes: Vec<String> = self.change_type.split(',').map(|one| one.trim().to_lowercase()).collect();
        changes.sort();
        (self.application_id, normalized_resource(&self.resource), changes)
    }
}

/// Lower case and without a leading slash.
pub(crate) fn normalized_resource(text: &str) -> String {
    text.trim_start_matches('/').to_lowercase()
}

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    by_id: BTreeMap<Uuid, SimSubscription>,
}

impl Subscriptions {
    /// Those that have not expired; the others are forgotten without notice, as Graph does for users.
    pub(crate) fn live(&mut self, now: Timestamp) -> &mut BTreeMap<Uuid, SimSubscription> {
        self.by_id.retain(|_, subscription| subscription.expires > now);
        &mut self.by_id
    }

    /// A live subscription of the same app for the same changes of the same resource.
    pub(crate) fn duplicate_of(&mut self, wanted: &SimSubscription, now: Timestamp) -> Option<Uuid> {
        let mut live = self.live(now).values();
        live.find(|known| known.combination() == wanted.combination()).map(|known| known.id)
    }

    /// Ends every authorization that can end, as the revocation of all tokens does.
    pub(crate) fn end_authorizations(&mut self, now: Timestamp) {
        for subscription in self.live(now).values_mut() {
            if subscription.authorized_until.is_some() {
                subscription.authorized_until = Some(now);
                subscription.reminder = Some(now);
            }
        }
    }

    /// The subscriptions with a lifecycle URL whose reminder is due; their next one comes a quarter of an hour later.
    pub(crate) fn take_due_reminders(&mut self, now: Timestamp) -> Vec<Uuid> {
        let mut due = Vec::new();
        for subscription in self.live(now).values_mut() {
            if subscription.reminder.is_some_and(|next| next <= now) {
                subscription.reminder = Some(now + REMIND_EVERY);
                if subscription.lifecycle_notification_url.is_some() {
                    due.push(subscription.id);
                }
            }
        }
        due
    }

    pub(crate) fn next_reminder(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.live(now).values().filter_map(|one| one.reminder).min()
    }
}
