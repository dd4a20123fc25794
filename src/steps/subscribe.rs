//! Keeps the subscription to changes of users alive: makes one, adopts one that is there, renews it well in time.
//!
//! Level-triggered: every run compares what is with what should be. A subscription that died is never announced for
//! users, so this runs every hour. It must never wait for the webhook that Graph calls back while it answers.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;
use uuid::Uuid;

use crate::graph::{Creation, Graph, GraphError, NewSubscription, Renewal, SecretUrl};

/// A bit less than the 41,760 minutes that Graph allows for users.
/// <https://learn.microsoft.com/graph/api/resources/subscription>
const LIFETIME: SignedDuration = SignedDuration::from_mins(41_000);
/// Renewed when less than this is left.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_hours(7 * 24);
pub(super) const RESOURCE: &str = "users";

#[derive(Debug)]
pub struct Subscribe {
    graph: Arc<Graph>,
    /// Where Graph reaches us; none means that there is no webhook.
    public_url: Option<Url>,
    client_state: SecretString,
}

/// What there was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    NotConfigured,
    Alive { id: Uuid, expires_at: Timestamp },
    Created { id: Uuid, expires_at: Timestamp },
    Renewed { id: Uuid, expires_at: Timestamp },
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::NotConfigured => {
                f.write_str("no subscription: PHOTORELAY_PUBLIC_URL is not set, so Graph cannot notify")
            }
            Kept::Alive { id, expires_at } => write!(f, "subscription {id} is alive until {expires_at}"),
            Kept::Created { id, expires_at } => write!(f, "subscription {id} created, until {expires_at}"),
            Kept::Renewed { id, expires_at } => write!(f, "subscription {id} renewed, until {expires_at}"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(
        "Graph cannot reach the notification endpoint ({message}): check PHOTORELAY_PUBLIC_URL and its certificate"
    )]
    EndpointRefused { message: String },
    #[error("Graph allows no more subscriptions ({message}): delete some that are not used")]
    QuotaExceeded { message: String },
    #[error("another subscription to users exists with another URL: delete it with the application that made it")]
    TakenElsewhere,
}

impl Subscribe {
    pub fn new(graph: Arc<Graph>, public_url: Option<Url>, client_state: SecretString) -> Self {
        Self { graph, public_url, client_state }
    }

    /// Makes sure that there is a subscription with enough life left.
    pub async fn keep(&self) -> Result<Kept, SubscribeError> {
        let Some(public_url) = &self.public_url else { return Ok(Kept::NotConfigured) };
        let endpoint = endpoint(public_url);
        let subscriptions = self.graph.list_subscriptions().await?;
        let ours = subscriptions.into_iter().find(|subscription| {
            subscription.resource.trim_start_matches('/').eq_ignore_ascii_case(RESOURCE)
                && subscription.notification_url.as_deref() == Some(endpoint.as_str())
        });
        let kept = match ours {
            Some(ours) if ours.expires_at.duration_since(Timestamp::now()) > RENEW_BEFORE => {
                Kept::Alive { id: ours.id, expires_at: ours.expires_at }
            }
            Some(ours) => match self.renew(ours.id).await? {
                Some(kept) => kept,
                None => self.create(endpoint).await?,
            },
            None => self.create(endpoint).await?,
        };
        tracing::info!(outcome = %kept, "subscription");
        Ok(kept)
    }

    async fn create(&self, endpoint: Url) -> Result<Kept, SubscribeError> {
        let wanted = NewSubscription {
            resource: RESOURCE.to_owned(),
            change_type: "updated".to_owned(),
            notification_url: SecretUrl(endpoint),
            lifecycle_url: None,
            expires_at: Timestamp::now() + LIFETIME,
            client_state: self.client_state.clone(),
        };
        match self.graph.create_subscription(&wanted).await? {
            Creation::Created(made) => Ok(Kept::Created { id: made.id, expires_at: made.expires_at }),
            // Somebody made it in between, or a list that was behind did not show it.
            Creation::AlreadyExists { id: Some(id) } => self.renew(id).await?.ok_or(SubscribeError::TakenElsewhere),
            Creation::AlreadyExists { id: None } => Err(SubscribeError::TakenElsewhere),
            Creation::EndpointRefused { message } => Err(SubscribeError::EndpointRefused { message }),
            Creation::QuotaExceeded { message } => Err(SubscribeError::QuotaExceeded { message }),
        }
    }

    /// None if it vanished: renewing never brings it back.
    async fn renew(&self, id: Uuid) -> Result<Option<Kept>, SubscribeError> {
        match self.graph.renew_subscription(id, Timestamp::now() + LIFETIME).await? {
            Renewal::Renewed(ours) => Ok(Some(Kept::Renewed { id: ours.id, expires_at: ours.expires_at })),
            Renewal::Gone => Ok(None),
            Renewal::EndpointRefused { message } => Err(SubscribeError::EndpointRefused { message }),
        }
    }
}

/// The webhook's address below the public one.
pub(super) fn endpoint(public_url: &Url) -> Url {
    let mut url = public_url.clone();
    let path = format!("{}/api/notifications", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}
