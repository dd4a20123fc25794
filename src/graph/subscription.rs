//! Subscriptions to changes of users: list, create, renew, delete. Outcomes that a caller acts on are not errors.
//!
//! Graph calls the webhook before it answers a create or a renewal, so a caller that waits here must not be the one that
//! has to answer that call. The URLs carry a key and are never printed.

use std::fmt;

use jiff::Timestamp;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::client::Graph;
use super::error::{Envelope, GraphError};
use super::request::Request;
use super::response::Response;

const NEEDS: &str = "User.Read.All";
/// An application may have 100 subscriptions in a tenant; a list that does not end is not read to the end.
const MAX_PAGES: usize = 20;

/// What Graph returns about one subscription, which never includes the `clientState`.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: Uuid,
    pub resource: String,
    pub change_type: String,
    pub notification_url: Option<String>,
    pub lifecycle_url: Option<String>,
    pub expires_at: Timestamp,
}

/// A subscription to create.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    pub resource: String,
    pub change_type: String,
    pub notification_url: SecretUrl,
    pub lifecycle_url: Option<SecretUrl>,
    pub expires_at: Timestamp,
    pub client_state: SecretString,
}

/// A URL whose query is a key. As text, because Graph's schemes for events are written with capitals.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(pub String);

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(&self.0) {
            Ok(url) if url.has_host() => f.write_str(&url.origin().ascii_serialization()),
            Ok(url) => f.write_str(url.scheme()),
            Err(_) => f.write_str("no URL"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionCreation {
    Created(Subscription),
    /// One for the same resource and changes exists; its id, if Graph names it.
    AlreadyExists {
        id: Option<Uuid>,
    },
    /// Graph could not reach the webhook, or did not get the answer that it expects.
    EndpointRefused {
        message: String,
    },
    /// Too many subscriptions: an operator has to delete some.
    QuotaExceeded {
        message: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionRenewal {
    Renewed(Subscription),
    /// It no longer exists, and renewing never brings it back: create a new one.
    Gone,
    EndpointRefused {
        message: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionDeletion {
    Deleted,
    Gone,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id)
            .field("resource", &self.resource)
            .field("change_type", &self.change_type)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSubscription {
    id: Uuid,
    resource: String,
    change_type: String,
    notification_url: Option<String>,
    lifecycle_notification_url: Option<String>,
    expiration_date_time: Timestamp,
}

#[derive(Deserialize)]
struct WireList {
    value: Vec<Value>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl From<WireSubscription> for Subscription {
    fn from(wire: WireSubscription) -> Self {
        Self {
            id: wire.id,
            resource: wire.resource,
            change_type: wire.change_type,
            notification_url: wire.notification_url.filter(|url| !url.is_empty()),
            lifecycle_url: wire.lifecycle_notification_url.filter(|url| !url.is_empty()),
            expires_at: wire.expiration_date_time,
        }
    }
}

impl Graph {
    /// All subscriptions of this application in the tenant. Unreadable ones are not ours and left out.
    pub async fn list_subscriptions(&self) -> Result<Vec<Subscription>, GraphError> {
        let mut subscriptions = Vec::new();
        let mut url = self.transport.url(&["subscriptions"]);
        for _ in 0..MAX_PAGES {
            let answer = self.transport.send(Request::new("list subscriptions", NEEDS, Method::GET, url)).await?;
            let trace = answer.trace.clone();
            let page: WireList = answer.json()?;
            let readable = page.value.into_iter().filter_map(|item| WireSubscription::deserialize(item).ok());
            subscriptions.extend(readable.map(Subscription::from));
            let Some(next) = page.next else { return Ok(subscriptions) };
            let Some(next) = self.transport.accept_link(&next) else {
                let reason = "a link to another place".to_owned();
                return Err(GraphError::BadAnswer { reason, at: Box::new(trace) });
            };
            url = next;
        }
        Ok(subscriptions)
    }

    /// None if it does not exist, or belongs to another application.
    pub async fn subscription(&self, id: Uuid) -> Result<Option<Subscription>, GraphError> {
        let url = self.transport.url(&["subscriptions", &id.to_string()]);
        let answer = self.transport.send(Request::new("read the subscription", NEEDS, Method::GET, url)).await?;
        match answer.status.as_u16() {
            404 if answer.is_from_graph() => Ok(None),
            _ => subscription(answer).map(Some),
        }
    }

    pub async fn create_subscription(&self, wanted: &NewSubscription) -> Result<SubscriptionCreation, GraphError> {
        let mut body = json!({
            "resource": wanted.resource,
            "changeType": wanted.change_type,
            "notificationUrl": wanted.notification_url.0.as_str(),
            "expirationDateTime": wanted.expires_at.to_string(),
            "clientState": wanted.client_state.expose_secret(),
            "latestSupportedTlsVersion": "v1_2",
        });
        if let Some(lifecycle) = &wanted.lifecycle_url {
            body["lifecycleNotificationUrl"] = json!(lifecycle.0.as_str());
        }
        let url = self.transport.url(&["subscriptions"]);
        let request = Request::new("create the subscription", NEEDS, Method::POST, url).json(&body).with_handshake();
        let answer = self.transport.send(request).await?;
        let envelope = answer.envelope().unwrap_or_default();
        Ok(match answer.status.as_u16() {
            409 => SubscriptionCreation::AlreadyExists { id: envelope.named_id },
            400 if speaks_of_endpoint(&envelope) => {
                SubscriptionCreation::EndpointRefused { message: message(envelope) }
            }
            403 if speaks_of_quota(&envelope) => SubscriptionCreation::QuotaExceeded { message: message(envelope) },
            _ => SubscriptionCreation::Created(subscription(answer)?),
        })
    }

    /// Moves the expiry; Graph treats it as a reauthorization too.
    pub async fn renew_subscription(&self, id: Uuid, expires_at: Timestamp) -> Result<SubscriptionRenewal, GraphError> {
        let body = json!({"expirationDateTime": expires_at.to_string()});
        let url = self.transport.url(&["subscriptions", &id.to_string()]);
        let request = Request::new("renew the subscription", NEEDS, Method::PATCH, url).json(&body).with_handshake();
        let answer = self.transport.send(request).await?;
        let envelope = answer.envelope().unwrap_or_default();
        Ok(match answer.status.as_u16() {
            404 if answer.is_from_graph() => SubscriptionRenewal::Gone,
            400 if speaks_of_endpoint(&envelope) => SubscriptionRenewal::EndpointRefused { message: message(envelope) },
            _ => SubscriptionRenewal::Renewed(subscription(answer)?),
        })
    }

    pub async fn delete_subscription(&self, id: Uuid) -> Result<SubscriptionDeletion, GraphError> {
        let url = self.transport.url(&["subscriptions", &id.to_string()]);
        let answer = self.transport.send(Request::new("delete the subscription", NEEDS, Method::DELETE, url)).await?;
        match answer.status.as_u16() {
            200..=299 => Ok(SubscriptionDeletion::Deleted),
            404 if answer.is_from_graph() => Ok(SubscriptionDeletion::Gone),
            _ => Err(answer.into_error()),
        }
    }
}

fn subscription(answer: Response) -> Result<Subscription, GraphError> {
    answer.json::<WireSubscription>().map(Subscription::from)
}

fn message(envelope: Envelope) -> String {
    envelope.message.or(envelope.code).unwrap_or_else(|| "Graph gave no reason".to_owned())
}

/// The code differs between years and workloads; the words do not.
fn speaks_of_endpoint(envelope: &Envelope) -> bool {
    let message = envelope.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    message.contains("validation request") || message.contains("notification endpoint")
}

/// A refusal for lack of a role and one for lack of room have the same status.
fn speaks_of_quota(envelope: &Envelope) -> bool {
    let message = envelope.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    ["quota", "limit", "maximum", "exceed"].iter().any(|word| message.contains(word))
}
