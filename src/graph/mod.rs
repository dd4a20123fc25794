//! Microsoft Graph as photorelay needs it: photos, people, subscriptions.
//!
//! Concrete on purpose: what differs between clouds, simulators and tests is the base URL. Nothing here knows what is
//! done with an answer. It owns every failure of the wire: throttling, outages, answers that are cut, endless, wrong
//! or come from somebody else; and it never follows a redirect, because a token must not travel on.

mod batch;
mod error;
mod groups;
mod photo;
mod photo_settings;
mod photo_write;
mod request;
mod retry_after;
mod subscription;
mod throttle_gauge;
mod token;
mod user_lookup;
mod users;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use photorelay_core::entra::{self, InsecureUrl};
use photorelay_core::retry::RetryPolicy;
use url::Url;

pub use batch::MAX_BATCH;
pub use error::{GraphError, RequestContext};
pub use groups::MAX_GROUPS;
pub use photo::{FetchedPhoto, MAX_PHOTO_BYTES, PhotoState};
pub use photo_settings::{PhotoSource, PhotoUpdateSettings};
pub use subscription::{
    NewSubscription, SecretUrl, Subscription, SubscriptionCreation, SubscriptionDeletion, SubscriptionRenewal,
};
pub use token::{CachedTokens, CredentialFactory, Token, TokenError, TokenSource};
pub use user_lookup::GraphUser;
pub use users::{DeltaPage, DeltaUser};

/// How urgent a request is when the tenant is near a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// Throttled first: for sweeps.
    Low,
    #[default]
    Normal,
}

/// Where Graph is and how patient to be with it.
#[derive(Debug, Clone)]
pub struct GraphConfig {
    /// With the version: `https://graph.microsoft.com/v1.0`.
    pub base_url: Url,
    pub connect_timeout: Duration,
    /// For one attempt, with all of its answer.
    pub request_timeout: Duration,
    /// The same for calls during which Graph calls our webhook back.
    pub handshake_timeout: Duration,
    /// A longer wait than this allows is the caller's, who has a queue to wait in.
    pub retry: RetryPolicy,
}

impl GraphConfig {
    pub fn new(base_url: Url) -> Self {
        Self {
            base_url,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            handshake_timeout: Duration::from_secs(40),
            retry: RetryPolicy {
                attempts: 4,
                total: Duration::from_secs(20),
                first_delay: Duration::from_millis(300),
                max_delay: Duration::from_secs(4),
            },
        }
    }
}

/// Why there can be no client. Each of these needs an operator.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the Graph URL is not usable: {0}")]
    Insecure(#[from] InsecureUrl),
    #[error("the Graph URL is not usable: it must not carry a user, a query or a fragment")]
    Decorated,
    #[error("no HTTP client could be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// The client. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Graph {
    inner: Arc<request::Transport>,
}

impl Graph {
    pub fn new(config: GraphConfig, tokens: Arc<dyn TokenSource>) -> Result<Self, SetupError> {
        Ok(Self { inner: Arc::new(request::Transport::new(config, tokens)?) })
    }

    /// How much of a limit is used, if Graph has said so within the last seconds: it speaks up from 0.8 on, and above
    /// 1.0 it refuses.
    pub fn limit_percentage(&self) -> Option<f64> {
        self.inner.pressure().lately()
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("base_url", &self.inner.base_url().as_str()).finish_non_exhaustive()
    }
}

/// The scope to ask tokens for. A simulator on this machine stands for the global cloud.
pub fn scope(base_url: &Url) -> String {
    if entra::is_loopback(base_url) {
        "https://graph.microsoft.com/.default".to_owned()
    } else {
        format!("{}/.default", base_url.origin().ascii_serialization())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_follows_the_cloud() {
        let scope_of = |url: &str| scope(&Url::parse(url).unwrap());
        assert_eq!(scope_of("https://graph.microsoft.us/v1.0"), "https://graph.microsoft.us/.default");
        assert_eq!(scope_of("http://127.0.0.1:7072/v1.0"), "https://graph.microsoft.com/.default");
    }
}
