//! The settings that can be changed while the simulator runs, in the library and by `PATCH /_sim/settings`.
//!
//! Unknown members are refused, so that a misspelled setting fails at once.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::locked::locked;
use crate::model::NoPhoto;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimSettings {
    /// Whether a photo change raises a `users` notification. Graph promises none of these.
    pub notify: NotificationMode,
    /// Wait before a notification is sent, in milliseconds from-to, before scaling.
    pub delay_ms: [u64; 2],
    /// Probability that a notification is lost for good.
    pub loss: f64,
    /// Probability that a notification is raised two or three times.
    pub duplicates: f64,
    /// Shuffles what is due before it is packed into POSTs.
    pub reorder: bool,
    /// Items per POST, from-to; a POST never waits to be filled.
    pub items_per_post: [usize; 2],
    pub posts_at_once: usize,
    pub sequence_numbers: SequenceNumbers,
    pub offsets: ExpiryOffset,
    /// Multiplies every wait of the delivery (delay, back-off, give-up); 0.001 turns seconds into milliseconds.
    pub time_scale: f64,
    /// How long an endpoint may take to respond. Not scaled.
    pub first_answer_ms: u64,
    pub retry_answer_ms: u64,
    pub handshake_answer_ms: u64,

    /// Subscriptions per app and tenant.
    pub subscription_quota: usize,
    /// Subscriptions of all apps of the tenant together.
    pub tenant_subscription_quota: usize,
    /// So many lists of subscriptions are empty, like a list that lags behind.
    pub empty_subscription_lists: u32,
    /// How long a subscription stays authorized; then Graph delivers nothing until it is renewed or reauthorized. Graph
    /// asks for it by lifecycle notifications, the first 15 minutes before. 0: without end.
    pub authorization_minutes: u64,
    /// Responses of an endpoint within ten minutes before it can be judged slow.
    pub endpoint_samples: u32,

    /// People per page of `users/delta`.
    pub delta_page: usize,
    /// Raising it makes every link given so far answer 410 with the place to start over.
    pub delta_generation: u64,
    /// Probability that an unchanged person shows up in a round, and that a person is listed twice.
    pub delta_replays: f64,
    /// Probability of a page without people.
    pub delta_empty_pages: f64,
    /// Whether a photo change makes a person show up; reported of some tenants only.
    pub delta_shows_photo_changes: bool,

    /// What a person without a photo looks like; `None` picks a shape for each person.
    pub no_photo: Option<NoPhoto>,
    /// The same bytes get the same ETags again. Off: every upload gets new ones.
    pub etags_return: bool,
    /// Re-encodes uploads with noise, so that identical uploads are shown with different bytes.
    pub reencode_noise: bool,
    /// Answers `If-None-Match` with 304. Off: the header is ignored.
    pub honour_if_none_match: bool,
    /// Probability that a photo item of a `$batch` says "not found" although there is a photo.
    pub false_not_found_in_batch: f64,
    /// Requests of an app for one mailbox within ten minutes before 429.
    pub mailbox_requests: u64,
    /// Resource units of an app within ten seconds before 429; `None` goes by the size of the tenant, as Graph does.
    pub resource_units: Option<u64>,
    /// Time that every Graph call takes, in milliseconds from-to.
    pub latency_ms: [u64; 2],
}

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            notify: NotificationMode::Always,
            delay_ms: [0, 0],
            loss: 0.0,
            duplicates: 0.0,
            reorder: false,
            items_per_post: [1, 20],
            posts_at_once: 8,
            sequence_numbers: SequenceNumbers::Mixed,
            offsets: ExpiryOffset::Mixed,
            time_scale: 0.001,
            first_answer_ms: 3_000,
            retry_answer_ms: 10_000,
            handshake_answer_ms: 10_000,
            subscription_quota: 100,
            tenant_subscription_quota: 1_000,
            empty_subscription_lists: 0,
            authorization_minutes: 0,
            endpoint_samples: 100,
            delta_page: 100,
            delta_generation: 0,
            delta_replays: 0.0,
            delta_empty_pages: 0.0,
            delta_shows_photo_changes: false,
            no_photo: Some(NoPhoto::ImageNotFound),
            etags_return: false,
            reencode_noise: false,
            honour_if_none_match: false,
            false_not_found_in_batch: 0.0,
            mailbox_requests: 10_000,
            resource_units: None,
            latency_ms: [0, 0],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum NotificationMode {
    Always,
    Never,
    /// Minutes later (5 to 120 s, a tail up to 15 minutes, before scaling), sometimes in several copies.
    Late,
}

/// The documentation types `sequenceNumber` as a string and shows it as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceNumbers {
    Number,
    Text,
    Absent,
    Mixed,
}

/// How a notification writes the expiry: `Z` or `+00:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryOffset {
    Z,
    Zero,
    Mixed,
}

/// The settings of one simulator, shared by its parts.
#[derive(Debug, Clone)]
pub(crate) struct SharedSettings(Arc<Mutex<SimSettings>>);

impl SharedSettings {
    pub(crate) fn new(settings: SimSettings) -> Self {
        Self(Arc::new(Mutex::new(settings)))
    }

    pub(crate) fn get(&self) -> SimSettings {
        locked(&self.0).clone()
    }

    pub(crate) fn edit<T>(&self, edit: impl FnOnce(&mut SimSettings) -> T) -> T {
        edit(&mut locked(&self.0))
    }
}
