//! How Graph's notifications reach this deployment, and the secret by which they are recognised.

use std::fmt;
use std::str::FromStr;

use photorelay_core::settings::{Reader, without_key};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::jobs::notify::MAX_CLIENT_STATE_BYTES;

/// What a configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigPurpose {
    /// To receive notifications or to subscribe to them, which needs the secret that they carry.
    Notifications,
    /// A command that needs none.
    Command,
}

#[derive(Debug, Clone)]
pub struct NotificationSettings {
    /// None only for a command that does not need it.
    pub client_state: Option<SecretString>,
    /// Still accepted while the current one is rotated in.
    pub client_state_previous: Option<SecretString>,
    /// None means that no subscription is made, and photos come with the sweep.
    pub delivery: Option<NotificationDelivery>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum NotificationDelivery {
    /// Graph posts to `/api/notifications` and `/api/lifecycle` below this URL, whose query may be a key.
    Webhook(Url),
    Events(EventDelivery),
}

impl fmt::Debug for NotificationDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(url) => f.debug_tuple("Webhook").field(&without_key(url)).finish(),
            Self::Events(events) => f.debug_tuple("Events").field(events).finish(),
        }
    }
}

/// An event hub or a partner topic of Event Grid, in Graph's notation.
/// <https://learn.microsoft.com/graph/change-notifications-delivery-event-hubs>
#[derive(Clone, PartialEq, Eq)]
pub struct EventDelivery(pub String);

impl fmt::Debug for EventDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split(':').next().unwrap_or_default())
    }
}

impl NotificationSettings {
    pub fn new(client_state: SecretString) -> Self {
        Self { client_state: Some(client_state), client_state_previous: None, delivery: None }
    }

    pub(super) fn read(reader: &mut Reader<'_>, purpose: ConfigPurpose) -> Option<Self> {
        const NAMES: [&str; 2] = ["PHOTORELAY_CLIENT_STATE", "PHOTORELAY_CLIENT_STATE_PREVIOUS"];
        let (client_state, client_state_previous) = match purpose {
            ConfigPurpose::Notifications => (reader.required_secret(NAMES[0]), reader.secret(NAMES[1])),
            ConfigPurpose::Command => (reader.secret_if_readable(NAMES[0]), reader.secret_if_readable(NAMES[1])),
        };
        for (name, secret) in [(NAMES[0], client_state.as_ref()), (NAMES[1], client_state_previous.as_ref())] {
            check_client_state(reader, name, secret);
        }
        let public_url = reader.url("PHOTORELAY_PUBLIC_URL", None).map(NotificationDelivery::Webhook);
        let events = reader.optional("PHOTORELAY_EVENT_DELIVERY").map(NotificationDelivery::Events);
        if public_url.is_some() && events.is_some() {
            reader.problem(
                "PHOTORELAY_PUBLIC_URL and PHOTORELAY_EVENT_DELIVERY are both set: Graph delivers in one way only",
            );
        }
        Some(Self { client_state, client_state_previous, delivery: public_url.or(events) })
    }
}

/// Graph takes at most 128 characters; fewer than 16 can be guessed.
fn check_client_state(reader: &mut Reader<'_>, name: &str, secret: Option<&SecretString>) {
    let Some(secret) = secret.map(|secret| secret.expose_secret()) else { return };
    if !(16..=MAX_CLIENT_STATE_BYTES).contains(&secret.len()) {
        reader.problem(&format!("{name} must have 16 to 128 characters, such as from `openssl rand -hex 32`"));
    }
}

impl FromStr for EventDelivery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (hub, topic) = (text.strip_prefix("EventHub:https://"), text.strip_prefix("EventGrid:?"));
        let is_hub = hub.is_some_and(|hub| hub.contains("/eventhubname/") && hub.contains("?tenantId="));
        let is_topic = topic.is_some_and(|topic| topic.contains("partnertopic="));
        if is_hub || is_topic {
            return Ok(Self(text.to_owned()));
        }
        Err("neither EventHub:https://NAMESPACE.servicebus.windows.net/eventhubname/HUB?tenantId=DOMAIN nor \
             EventGrid:?azuresubscriptionid=ID&resourcegroup=GROUP&partnertopic=TOPIC&location=REGION"
            .to_owned())
    }
}
