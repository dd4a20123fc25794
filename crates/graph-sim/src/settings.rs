//! The switches that can be changed while the simulator runs, in the library and by `PATCH /_sim/settings`.
//!
//! Unknown members are refused, so a test that misspells a switch fails at once.

use serde::{Deserialize, Serialize};

use crate::no_photo::NoPhoto;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whether a photo change raises a `users` notification. Graph promises none of these.
    pub notify: Notify,
    /// Wait before a notification is sent, milliseconds from-to, before scaling.
    pub delay_ms: [u64; 2],
    /// Probability that a notification is lost for good.
    pub loss: f64,
    /// Probability that a notification is raised more than once, and the most copies then.
    pub duplicates: f64,
    pub max_copies: u32,
    /// Shuffles what is due before it is packed into POSTs.
    pub reorder: bool,
    /// Items per POST, from-to; a POST never waits to be filled.
    pub items_per_post: [usize; 2],
    pub posts_at_once: usize,
    pub sequence_numbers: SequenceNumbers,
    pub offsets: Offsets,
    /// First wait after a failed POST; doubles up to `retry_max_ms`; given up `give_up_after_ms` after the first attempt.
    pub retry_first_ms: u64,
    pub retry_max_ms: u64,
    pub give_up_after_ms: u64,
    /// Multiplies every wait of the delivery (delay, back-off, give-up); 0.001 turns seconds into milliseconds.
    pub time_scale: f64,
    /// How long an endpoint may take to answer. Not scaled.
    pub first_answer_ms: u64,
    pub retry_answer_ms: u64,
    pub handshake_answer_ms: u64,

    /// Runs the handshake again on PATCH and reauthorize, as observed.
    pub revalidate: bool,
    /// Subscriptions per app and tenant.
    pub subscription_quota: usize,
    /// The same of all apps of the tenant together.
    pub tenant_subscription_quota: usize,
    /// So many lists of subscriptions show none yet, as a list that is behind.
    pub empty_subscription_lists: u32,
    /// How long a subscription stays authorized; then Graph delivers nothing until it is renewed or reauthorized. Asks
    /// for it by lifecycle notifications, the first 15 minutes before. 0: never.
    pub authorization_minutes: u64,
    /// Answers of an endpoint within ten minutes before it can be found slow.
    pub endpoint_samples: u32,
    /// Allows `http://` notification URLs on loopback, which Graph never does.
    pub http_loopback: bool,

    /// People per page of `users/delta`.
    pub delta_page: usize,
    /// Raise it and every link given so far is answered 410 with where to begin anew.
    pub delta_generation: u64,
    /// Probability that somebody unchanged shows up in a round, and that somebody is named twice.
    pub delta_replays: f64,
    /// Probability of a page without people.
    pub delta_empty_pages: f64,
    /// Whether a photo change makes a person show up; reported for some tenants only.
    pub delta_shows_photo_changes: bool,

    /// What a person without a photo looks like; `None` picks a shape for each person.
    pub no_photo: Option<NoPhoto>,
    /// The same bytes get the same ETags again. Off: every upload gets new ones.
    pub etags_return: bool,
    /// Uploads are re-encoded with noise, so that identical uploads are shown with different bytes.
    pub reencode_noise: bool,
    /// Answers `If-None-Match` with 304. Off: the header is ignored.
    pub honour_if_none_match: bool,
    /// Probability that a photo item of a `$batch` says "not found" although there is a photo.
    pub false_not_found_in_batch: f64,
    /// Concurrent requests for one mailbox before 429.
    pub mailbox_concurrency: usize,
    /// Requests of an app for one mailbox within ten minutes before 429.
    pub mailbox_requests: u64,
    /// Resource units of an app within ten seconds before 429; `None` goes by the size of the tenant, as Graph does.
    pub resource_units: Option<u64>,
    /// Time every Graph call takes, milliseconds from-to.
    pub latency_ms: [u64; 2],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            notify: Notify::Always,
            delay_ms: [0, 0],
            loss: 0.0,
            duplicates: 0.0,
            max_copies: 3,
            reorder: false,
            items_per_post: [1, 20],
            posts_at_once: 8,
            sequence_numbers: SequenceNumbers::Mixed,
            offsets: Offsets::Mixed,
            retry_first_ms: 10_000,
            retry_max_ms: 600_000,
            give_up_after_ms: 4 * 3_600_000,
            time_scale: 0.001,
            first_answer_ms: 3_000,
            retry_answer_ms: 10_000,
            handshake_answer_ms: 10_000,
            revalidate: true,
            subscription_quota: 100,
            tenant_subscription_quota: 1_000,
            empty_subscription_lists: 0,
            authorization_minutes: 0,
            endpoint_samples: 100,
            http_loopback: true,
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
            mailbox_concurrency: 4,
            mailbox_requests: 10_000,
            resource_units: None,
            latency_ms: [0, 0],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    Always,
    Never,
    /// Minutes later (5 to 120 s, a tail up to 15 minutes, before scaling), sometimes in several copies.
    Late,
}

impl std::str::FromStr for Notify {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            "late" => Ok(Self::Late),
            other => Err(format!("'{other}' is not one of always, never, late")),
        }
    }
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
pub enum Offsets {
    Z,
    Zero,
    Mixed,
}
