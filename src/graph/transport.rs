//! The one place that sends requests to Graph: tokens, retries, and the URLs that a token may travel to.
//!
//! Retried are 429, 503, 504 and failures of the connection, by the configured policy; a 401 gets one renewed token;
//! nothing else is repeated. A link is followed only to the place that the token is for.

use std::sync::{Arc, OnceLock};

use photorelay_core::entra;
use photorelay_core::retry::RetrySchedule;
use reqwest::{Client, StatusCode};
use url::Url;

use super::config::{GraphConfig, SetupError};
use super::error::{GraphError, RequestContext};
use super::exchange;
use super::identity_extra::IdentityExtra;
use super::request::{Priority, Request};
use super::request_limit::ConcurrencyLimit;
use super::response::{Response, retry_after_of};
use super::throttle_gauge::ThrottleGauge;
use super::token::{Token, TokenSource};

pub(super) struct Transport {
    config: GraphConfig,
    pooled: Client,
    /// Built when first needed, because that takes longer than a start should.
    fresh: OnceLock<Client>,
    tokens: Arc<dyn TokenSource>,
    throttle: ThrottleGauge,
    limit: ConcurrencyLimit,
}

impl Transport {
    pub(super) fn new(config: GraphConfig, tokens: Arc<dyn TokenSource>) -> Result<Self, SetupError> {
        let base_url = &config.base_url;
        entra::require_private(base_url)?;
        let decorated = base_url.query().is_some() || base_url.fragment().is_some() || base_url.has_authority_secrets();
        if decorated {
            return Err(SetupError::Decorated);
        }
        let pooled = exchange::client(&config).build()?;
        let (throttle, limit) = (ThrottleGauge::default(), ConcurrencyLimit::default());
        Ok(Self { config, pooled, fresh: OnceLock::new(), tokens, throttle, limit })
    }

    /// Opens a connection for every request: after a 503, Graph wants requests to come through another one.
    fn fresh(&self) -> &Client {
        self.fresh.get_or_init(|| {
            // The same client was built before with one setting less; the old connections are better than none.
            exchange::client(&self.config).pool_max_idle_per_host(0).build().unwrap_or_else(|_| self.pooled.clone())
        })
    }

    pub(super) fn throttle(&self) -> &ThrottleGauge {
        &self.throttle
    }

    pub(super) fn identity_extra(&self) -> &IdentityExtra {
        &self.config.identity_extra
    }

    pub(super) fn base_url(&self) -> &Url {
        &self.config.base_url
    }

    /// The URL of a path below the base; each segment is encoded.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.config.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The same below the beta version, for what exists nowhere else.
    pub(super) fn beta_url(&self, segments: &[&str]) -> Url {
        let mut url = self.config.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().pop().push("beta").extend(segments);
        }
        url
    }

    /// Takes a link that Graph gave for the next page, if it leads to the same place: the token goes with it.
    pub(super) fn accept_link(&self, link: &str) -> Option<Url> {
        let url = Url::parse(link).ok()?;
        let below = url.path().starts_with(&format!("{}/", self.config.base_url.path().trim_end_matches('/')));
        (url.origin() == self.config.base_url.origin() && below && !url.has_authority_secrets()).then_some(url)
    }

    /// Sends until there is an answer for the caller; an `Err` is the last failure once no retry is left.
    pub(super) async fn send(&self, request: Request) -> Result<Response, GraphError> {
        let mut schedule = RetrySchedule::start(self.config.retry);
        let mut renewed = false;
        let mut client = &self.pooled;
        let mut token = self.token(&request).await?;
        loop {
            let outcome = self.exchange(client, &request, &token).await;
            let retry_after = match &outcome {
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED && !renewed => {
                    renewed = true;
                    self.tokens.invalidate(&token).await;
                    let next = self.token(&request).await?;
                    if !next.is_same(&token) {
                        token = next;
                        continue;
                    }
                    None
                }
                Ok(answer) => retry_after_of(&answer.headers),
                Err(_) => None,
            };
            let is_retried = match &outcome {
                Ok(answer) => matches!(answer.status.as_u16(), 429 | 503 | 504),
                Err(_) => true,
            };
            let Some(delay) = is_retried.then(|| schedule.after_failure(retry_after)).flatten() else {
                return match outcome {
                    Ok(answer) if is_retried => Err(answer.into_error()),
                    Ok(answer) => Ok(answer),
                    Err(error) => Err(error),
                };
            };
            tracing::debug!(
                operation = request.operation,
                delay_ms = delay.as_millis(),
                "the request to Graph is repeated"
            );
            if !matches!(&outcome, Ok(answer) if answer.status == StatusCode::TOO_MANY_REQUESTS) {
                client = self.fresh();
            }
            tokio::time::sleep(delay).await;
        }
    }

    async fn token(&self, request: &Request) -> Result<Token, GraphError> {
        self.tokens.token().await.map_err(|source| {
            let at = Box::new(RequestContext::of(request.operation, request.user));
            GraphError::Token { source, at }
        })
    }

    async fn exchange(&self, client: &Client, request: &Request, token: &Token) -> Result<Response, GraphError> {
        let turn = if request.is_ahead { Priority::Normal } else { request.priority };
        let _permit = self.limit.permit(turn).await;
        let timeout = request.handshake.then_some(self.config.handshake_timeout);
        let response = exchange::exchange(client, request, token, timeout).await?;
        if let Some(used) = response.limit_percentage() {
            self.throttle.record(used);
        }
        match response.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => self.limit.throttled(),
            status if status.is_server_error() => {}
            _ if self.throttle.current().is_none() => self.limit.answered(),
            // Near a limit already.
            _ => {}
        }
        Ok(response)
    }

    /// What the items of a batch say about limits: the status of each, and how much of the limit is used. One user alone is
    /// throttled by their own mailbox.
    pub(super) fn note_throttling(&self, items: impl Iterator<Item = (u16, Option<String>)>) {
        let mut throttled = 0;
        for (status, used) in items {
            throttled += usize::from(status == 429 || status == 503);
            if let Some(used) = used {
                self.throttle.record(&used);
            }
        }
        if throttled > 1 {
            self.limit.throttled();
        }
    }
}

/// A user and password in front of the host.
trait AuthoritySecrets {
    fn has_authority_secrets(&self) -> bool;
}

impl AuthoritySecrets for Url {
    fn has_authority_secrets(&self) -> bool {
        !self.username().is_empty() || self.password().is_some()
    }
}
