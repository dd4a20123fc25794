//! The two URLs that Graph is given, and whether a subscription that exists was made for them.
//!
//! Graph never tells the `clientState` of a subscription. So that everybody who reads the list sees whether one carries
//! the secret of today, the notification URL ends in a mark of it: 24 bits of a digest, which betray nothing that would
//! help to guess a secret of the length that the configuration asks for.

use std::fmt;

use photorelay_core::id::Digest;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::graph::{SecretUrl, Subscription};

/// The parameter of the notification URL that holds the mark.
const MARK: &str = "secret-mark";
const MARK_DIGITS: usize = 6;

/// How Graph reaches us.
#[derive(Debug, Clone, Copy)]
pub enum Via<'a> {
    /// HTTP, below this URL.
    Webhook(&'a Url),
    /// An event hub or a partner topic of Event Grid, in Graph's own notation. It carries no mark of a secret: Graph takes
    /// no parameters but its own there.
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
    current: String,
    previous: Option<String>,
}

/// What a subscription is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// As it should be.
    Current,
    /// Ours, with the secret before the current one; its notifications are still accepted.
    Previous,
    /// Ours by its URL, with a secret that is not accepted, or made before there was a mark.
    Unknown,
    /// Ours, but Graph cannot say that it needs care: that URL can only be given when one is made.
    WithoutLifecycle,
    /// For another URL: another deployment, or a program that shares the application.
    Elsewhere,
    /// For something else than all users.
    OtherResource,
}

impl Match {
    /// Whether what it notifies of is acted on.
    pub fn is_accepted(self) -> bool {
        matches!(self, Match::Current | Match::Previous | Match::WithoutLifecycle)
    }

    /// Whether it was made for this deployment.
    pub fn is_ours(self) -> bool {
        !matches!(self, Match::Elsewhere | Match::OtherResource)
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Match::Current => "ours, with the current secret",
            Match::Previous => "ours, with the previous secret",
            Match::Unknown => "ours, with a secret that is not accepted",
            Match::WithoutLifecycle => "ours, without lifecycle endpoint",
            Match::Elsewhere => "for another URL",
            Match::OtherResource => "for another resource",
        })
    }
}

impl Endpoints {
    pub(super) fn new(via: Via<'_>, current: &SecretString, previous: Option<&SecretString>) -> Self {
        match via {
            Via::Webhook(url) => Self::Webhook(Webhook::new(url, current, previous)),
            Via::Events(url) => Self::Events(url.to_owned()),
        }
    }

    pub(super) fn notification_url(&self) -> SecretUrl {
        match self {
            Self::Webhook(webhook) => {
                let mut url = webhook.notifications.clone();
                url.query_pairs_mut().append_pair(MARK, &webhook.current);
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

    pub(super) fn fit(&self, subscription: &Subscription) -> Match {
        let resource = subscription.resource.trim_start_matches('/');
        if !resource.eq_ignore_ascii_case(super::RESOURCE) {
            return Match::OtherResource;
        }
        match self {
            Self::Webhook(webhook) => webhook.fit(subscription),
            Self::Events(url) if subscription.notification_url.as_ref() != Some(url) => Match::Elsewhere,
            Self::Events(url) if subscription.lifecycle_url.as_ref() != Some(url) => Match::WithoutLifecycle,
            Self::Events(_) => Match::Current,
        }
    }
}

impl Webhook {
    fn new(public_url: &Url, current: &SecretString, previous: Option<&SecretString>) -> Self {
        let below = |name: &str| {
            let mut url = public_url.clone();
            url.set_path(&format!("{}/api/{name}", url.path().trim_end_matches('/')));
            url.set_fragment(None);
            url
        };
        Self {
            notifications: below("notifications"),
            lifecycle: below("lifecycle"),
            current: mark(current),
            previous: previous.map(mark),
        }
    }

    fn fit(&self, subscription: &Subscription) -> Match {
        let Some(found) = subscription.notification_url.as_deref().and_then(|url| self.mark_of(url)) else {
            return Match::Elsewhere;
        };
        let lifecycle = subscription.lifecycle_url.as_deref().and_then(|url| Url::parse(url).ok());
        match found {
            Some(mark) if mark == self.current && lifecycle.as_ref() == Some(&self.lifecycle) => Match::Current,
            Some(mark) if mark == self.current => Match::WithoutLifecycle,
            mark if mark.is_some() && mark == self.previous => Match::Previous,
            _ => Match::Unknown,
        }
    }

    /// None if the URL is not ours; none within if it carries no mark.
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
            &"the-secret-of-today".into(),
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
        assert_eq!(ours.fit(&subscription(&ours)), Match::Current);
        for other in ["https://relay.test/base?code=L%3D", "https://relay.test?code=K%3D", "https://other.test/base"] {
            assert_eq!(endpoints(other, None).fit(&subscription(&ours)), Match::Elsewhere, "{other}");
        }
    }

    #[test]
    fn the_secret_of_a_subscription_is_known_by_its_mark_only() {
        let today = endpoints("https://relay.test", None);
        let old = subscription(&today);
        let tomorrow = |previous: Option<&str>| {
            let public = Url::parse("https://relay.test").unwrap();
            Endpoints::new(Via::Webhook(&public), &"the-secret-of-tomorrow".into(), previous.map(Into::into).as_ref())
        };
        assert_eq!(tomorrow(Some("the-secret-of-today")).fit(&old), Match::Previous);
        assert_eq!(tomorrow(None).fit(&old), Match::Unknown);
        let unmarked = Subscription { notification_url: Some("https://relay.test/api/notifications".into()), ..old };
        assert_eq!(today.fit(&unmarked), Match::Unknown);
        assert_eq!(tomorrow(Some("the-secret-of-today")).fit(&unmarked), Match::Unknown);
    }

    #[test]
    fn a_subscription_to_events_is_ours_if_its_url_is_and_never_shows_it() {
        let url = "EventHub:https://ns.servicebus.windows.net/eventhubname/photos?tenantId=contoso.com";
        let ours = Endpoints::new(Via::Events(url), &"the-secret-of-today".into(), None);
        let made = subscription(&ours);
        assert_eq!((made.notification_url.as_deref(), ours.fit(&made)), (Some(url), Match::Current));
        let other = Subscription { notification_url: Some(url.replace("photos", "others")), ..made };
        assert_eq!(ours.fit(&other), Match::Elsewhere);
        assert_eq!(format!("{ours:?}"), "Endpoints(eventhub)");
    }

    #[test]
    fn one_without_lifecycle_endpoint_is_ours_and_to_be_replaced() {
        let ours = endpoints("https://relay.test", None);
        let without = Subscription { lifecycle_url: None, ..subscription(&ours) };
        assert_eq!(ours.fit(&without), Match::WithoutLifecycle);
    }
}
