//! The two URLs that Graph is given, and whether a subscription that exists was made for them.
//!
//! Graph never returns the `clientState` of a subscription. So that a list of subscriptions shows whether one carries the
//! current secret, the notification URL ends in a mark of it: 24 bits of a digest, which do not help to guess a secret
//! of the length that the configuration requires.

use std::fmt;

use photorelay_core::id::Digest;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use url::Url;

use crate::graph::{SecretUrl, Subscription};

/// What is subscribed to.
pub(super) const RESOURCE: &str = "users";
/// The parameter of the notification URL that holds the mark.
const MARK: &str = "secret-mark";
const MARK_DIGITS: usize = 6;

/// How Graph reaches us.
#[derive(Debug, Clone, Copy)]
pub enum Via<'a> {
    /// HTTP, below this URL.
    Webhook(&'a Url),
    /// An event hub or a partner topic of Event Grid, in Graph's own notation. It carries no mark of a secret: Graph
    /// accepts no parameters but its own there.
    Events(&'a str),
}

/// Where Graph reaches us, with the secrets that it may carry there.
#[derive(Clone)]
pub(super) enum Endpoints {
    Webhook(Webhook),
    Events(String),
}

#[derive(Clone)]
pub(super) struct Webhook {
    notifications: Url,
    lifecycle: Url,
    /// None for a command that was not given the secret.
    current: Option<String>,
    previous: Option<String>,
}

/// How a subscription relates to this deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SubscriptionMatch {
    /// Ours, as it should be.
    Current,
    /// Ours by its URL; which secret it has cannot be known, because this command was given none.
    NotCompared,
    /// Ours, with the secret before the current one; its notifications are still accepted.
    Previous,
    /// Ours by its URL, with a secret that is not accepted, or created before there were marks.
    Unknown,
    /// Ours, but Graph cannot warn that it needs attention: that URL can only be set when a subscription is created.
    WithoutLifecycle,
    /// For another URL: another deployment, or a program that shares the application.
    Elsewhere,
    /// To another resource than all users.
    OtherResource,
}

impl SubscriptionMatch {
    /// Whether its notifications are accepted.
    pub fn is_accepted(self) -> bool {
        self.is_as_wanted() || matches!(self, SubscriptionMatch::Previous | SubscriptionMatch::WithoutLifecycle)
    }

    /// Whether nothing about it has to change, as far as can be known.
    pub fn is_as_wanted(self) -> bool {
        matches!(self, SubscriptionMatch::Current | SubscriptionMatch::NotCompared)
    }

    /// Whether it was created for this deployment.
    pub fn is_ours(self) -> bool {
        !matches!(self, SubscriptionMatch::Elsewhere | SubscriptionMatch::OtherResource)
    }
}

impl fmt::Display for SubscriptionMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubscriptionMatch::Current => "ours, with the current secret",
            SubscriptionMatch::NotCompared => "ours; its secret was not compared with PHOTORELAY_CLIENT_STATE",
            SubscriptionMatch::Previous => "ours, with the previous secret",
            SubscriptionMatch::Unknown => "ours, with a secret that is not accepted",
            SubscriptionMatch::WithoutLifecycle => "ours, without lifecycle endpoint",
            SubscriptionMatch::Elsewhere => "for another URL",
            SubscriptionMatch::OtherResource => "for another resource",
        })
    }
}

impl Endpoints {
    pub(super) fn new(via: Via<'_>, current: Option<&SecretString>, previous: Option<&SecretString>) -> Self {
        match via {
            Via::Webhook(url) => Self::Webhook(Webhook::new(url, current, previous)),
            Via::Events(url) => Self::Events(url.to_owned()),
        }
    }

    pub(super) fn notification_url(&self) -> SecretUrl {
        match self {
            Self::Webhook(webhook) => {
                let mut url = webhook.notifications.clone();
                if let Some(mark) = &webhook.current {
                    url.query_pairs_mut().append_pair(MARK, mark);
                }
                SecretUrl(url.into())
            }
            Self::Events(url) => SecretUrl(url.clone()),
        }
    }

    pub(super) fn lifecycle_url(&self) -> SecretUrl {
        match self {
            Self::Webhook(webhook) => SecretUrl(webhook.lifecycle.to_string()),
            Self::Events(url) => SecretUrl(url.clone()),
        }
    }

    pub(super) fn classify(&self, subscription: &Subscription) -> SubscriptionMatch {
        let resource = subscription.resource.trim_start_matches('/');
        if !resource.eq_ignore_ascii_case(RESOURCE) {
            return SubscriptionMatch::OtherResource;
        }
        match self {
            Self::Webhook(webhook) => webhook.classify(subscription),
            Self::Events(url) if subscription.notification_url.as_ref() != Some(url) => SubscriptionMatch::Elsewhere,
            Self::Events(url) if subscription.lifecycle_url.as_ref() != Some(url) => {
                SubscriptionMatch::WithoutLifecycle
            }
            Self::Events(_) => SubscriptionMatch::Current,
        }
    }
}

impl Webhook {
    fn new(public_url: &Url, current: Option<&SecretString>, previous: Option<&SecretString>) -> Self {
        let below = |name: &str| {
            let mut url = public_url.clone();
            url.set_path(&format!("{}/api/{name}", url.path().trim_end_matches('/')));
            url.set_fragment(None);
            url
        };
        Self {
            notifications: below("notifications"),
            lifecycle: below("lifecycle"),
            current: current.map(mark),
            previous: previous.map(mark),
        }
    }

    fn classify(&self, subscription: &Subscription) -> SubscriptionMatch {
        let Some(found) = subscription.notification_url.as_deref().and_then(|url| self.mark_of(url)) else {
            return SubscriptionMatch::Elsewhere;
        };
        let lifecycle = subscription.lifecycle_url.as_deref().and_then(|url| Url::parse(url).ok());
        match found {
            Some(mark) if self.current.as_ref().is_none_or(|current| *current == mark) => {
                match (&self.current, lifecycle.as_ref() == Some(&self.lifecycle)) {
                    (_, false) => SubscriptionMatch::WithoutLifecycle,
                    (Some(_), true) => SubscriptionMatch::Current,
                    (None, true) => SubscriptionMatch::NotCompared,
                }
            }
            mark if mark.is_some() && mark == self.previous => SubscriptionMatch::Previous,
            _ => SubscriptionMatch::Unknown,
        }
    }

    /// None if the URL is not ours; an inner none if it carries no mark.
    fn mark_of(&self, url: &str) -> Option<Option<String>> {
        let url = Url::parse(url).ok()?;
        let rest = url.as_str().strip_prefix(self.notifications.as_str())?;
        let Some(rest) = rest.strip_prefix(['?', '&']) else { return rest.is_empty().then_some(None) };
        rest.strip_prefix(MARK)?.strip_prefix('=').map(|mark| Some(mark.to_owned()))
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoints").field(&self.notification_url()).finish()
    }
}

fn mark(secret: &SecretString) -> String {
    let digest = Digest::of(format!("photorelay {MARK} of {}", secret.expose_secret()).as_bytes()).to_string();
    digest[..MARK_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(public: &str, previous: Option<&str>) -> Endpoints {
        Endpoints::new(
            Via::Webhook(&Url::parse(public).unwrap()),
            Some(&"the-secret-of-today".into()),
            previous.map(Into::into).as_ref(),
        )
    }

    fn subscription(endpoints: &Endpoints) -> Subscription {
        Subscription {
            id: uuid::Uuid::nil(),
            resource: "/Users".to_owned(),
            change_type: "updated".to_owned(),
            notification_url: Some(endpoints.notification_url().0),
            lifecycle_url: Some(endpoints.lifecycle_url().0),
            expires_at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_function_key_stays_in_both_urls_and_is_part_of_what_is_ours() {
        let ours = endpoints("https://relay.test/base/?code=K%3D", None);
        assert!(ours.notification_url().0.starts_with("https://relay.test/base/api/notifications?code=K%3D&"));
        assert_eq!(ours.lifecycle_url().0, "https://relay.test/base/api/lifecycle?code=K%3D");
        assert_eq!(ours.classify(&subscription(&ours)), SubscriptionMatch::Current);
        for other in ["https://relay.test/base?code=L%3D", "https://relay.test?code=K%3D", "https://other.test/base"] {
            assert_eq!(endpoints(other, None).classify(&subscription(&ours)), SubscriptionMatch::Elsewhere, "{other}");
        }
    }

    #[test]
    fn the_secret_of_a_subscription_is_known_by_its_mark_only() {
        let today = endpoints("https://relay.test", None);
        let old = subscription(&today);
        let tomorrow = |previous: Option<&str>| {
            let public = Url::parse("https://relay.test").unwrap();
            let secret = "the-secret-of-tomorrow".into();
            Endpoints::new(Via::Webhook(&public), Some(&secret), previous.map(Into::into).as_ref())
        };
        let public = Url::parse("https://relay.test").unwrap();
        let without = Endpoints::new(Via::Webhook(&public), None, None).classify(&old);
        assert!(without == SubscriptionMatch::NotCompared && without.is_accepted(), "{without}");
        assert_eq!(tomorrow(Some("the-secret-of-today")).classify(&old), SubscriptionMatch::Previous);
        assert_eq!(tomorrow(None).classify(&old), SubscriptionMatch::Unknown);
        let unmarked = Subscription { notification_url: Some("https://relay.test/api/notifications".into()), ..old };
        assert_eq!(today.classify(&unmarked), SubscriptionMatch::Unknown);
        assert_eq!(tomorrow(Some("the-secret-of-today")).classify(&unmarked), SubscriptionMatch::Unknown);
    }

    #[test]
    fn a_subscription_to_events_is_ours_if_its_url_is_and_never_shows_it() {
        let url = "EventHub:https://ns.servicebus.windows.net/eventhubname/photos?tenantId=contoso.com";
        let ours = Endpoints::new(Via::Events(url), Some(&"the-secret-of-today".into()), None);
        let made = subscription(&ours);
        assert_eq!((made.notification_url.as_deref(), ours.classify(&made)), (Some(url), SubscriptionMatch::Current));
        let other = Subscription { notification_url: Some(url.replace("photos", "others")), ..made };
        assert_eq!(ours.classify(&other), SubscriptionMatch::Elsewhere);
        assert_eq!(format!("{ours:?}"), "Endpoints(eventhub)");
    }

    #[test]
    fn one_without_lifecycle_endpoint_is_ours_and_to_be_replaced() {
        let ours = endpoints("https://relay.test", None);
        let without = Subscription { lifecycle_url: None, ..subscription(&ours) };
        assert_eq!(ours.classify(&without), SubscriptionMatch::WithoutLifecycle);
    }
}
