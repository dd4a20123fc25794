//! Where Graph is, how long to wait for it, and the scope of its tokens.

use std::time::Duration;

use photorelay_core::entra::{self, InsecureUrl};
use photorelay_core::retry::RetryPolicy;
use url::Url;

use super::identity_extra::IdentityExtra;

#[derive(Debug, Clone)]
pub struct GraphConfig {
    /// With the version: `https://graph.microsoft.com/v1.0`.
    pub base_url: Url,
    pub connect_timeout: Duration,
    /// For one attempt, with all of its answer.
    pub request_timeout: Duration,
    /// The same for requests during which Graph calls the webhook.
    pub handshake_timeout: Duration,
    /// A longer wait than this allows is left to the caller, who has a queue to wait in.
    pub retry: RetryPolicy,
    pub identity_extra: IdentityExtra,
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
            identity_extra: IdentityExtra::default(),
        }
    }
}

/// Why the client could not be built. An operator has to correct each of these.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the Graph URL is not usable: {0}")]
    Insecure(#[from] InsecureUrl),
    #[error("the Graph URL is not usable: it must not carry a user, a query or a fragment")]
    Decorated,
    #[error("the HTTP client could not be built: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why Graph is not asked by a command that can do without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .missing.join("; "))]
pub struct GraphUnset {
    /// Each sentence names a setting that is missing.
    pub missing: Vec<String>,
    /// A credential is configured and cannot be used, which a deployment that gives none does not mean.
    pub has_broken_credential: bool,
}

/// The scope of the tokens. A simulator on this machine stands for the global cloud.
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
