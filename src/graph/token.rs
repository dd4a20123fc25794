//! Tokens for Graph: cached, renewed early in the background, by one request at a time however many callers wait.
//!
//! A token that is still valid is used while the authority is down. A token that Graph refused is never used again. Tokens are never printed. It owns the failures of the authority and of the configured credential.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use jiff::{SignedDuration, Timestamp};
use photorelay_core::clock::Clock;
use photorelay_core::entra::CredentialError;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::log_text::fit_for_logs;
use super::token_claims::TokenClaims;

/// A token that expires sooner than this is not sent if a new one can be acquired.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);
/// Between attempts to renew a token that is still valid; platforms may give out the same token for hours.
const RENEWAL_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Between renewals that a refused token forces: what one new token does not fix, another does not fix either.
const FORCED_RENEWAL_PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Longer than any single request for a token takes with its retries.
const ACQUISITION_TIMEOUT: Duration = Duration::from_secs(60);

/// A bearer token. Two are the same if they came from the same renewal.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    renewal: u64,
}

impl Token {
    /// A token that is known beforehand; `renewal` tells it from others.
    pub fn new(secret: SecretString, renewal: u64) -> Self {
        Self { secret, renewal }
    }

    pub fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// None if the token is opaque.
    pub fn claims(&self) -> Option<TokenClaims> {
        TokenClaims::of(self.secret())
    }

    pub fn is_same(&self, other: &Token) -> bool {
        self.renewal == other.renewal
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("renewal", &self.renewal).finish_non_exhaustive()
    }
}

/// Why there is no token. The text is the authority's, shortened; the cause is not cached, because what the library
/// keeps includes the whole answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The authority is down, slow or throttles.
    #[error("the authority is unavailable: {0}")]
    Unavailable(String),
    /// The secret, certificate, application or role is wrong: an operator has to correct it.
    #[error("the credential is refused: {0}")]
    Refused(String),
}

impl TokenError {
    pub fn is_transient(&self) -> bool {
        matches!(self, TokenError::Unavailable(_))
    }
}

/// Where tokens come from.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// A token that should be accepted now.
    async fn token(&self) -> Result<Token, TokenError>;

    /// Reports that `used` was refused, so that the next token is another one. Does nothing if it has been replaced
    /// already, so that many requests that were refused together cause one renewal.
    async fn invalidate(&self, used: &Token);
}

/// Creates a new credential. The identity library caches tokens inside a credential, and a new credential is the only
/// way to get another token long before that one expires.
pub type CredentialFactory = Box<dyn Fn() -> Result<Arc<dyn TokenCredential>, CredentialError> + Send + Sync>;

type Flight = Shared<BoxFuture<'static, Result<Token, TokenError>>>;

/// Tokens of one credential for one scope.
pub struct CachedTokens {
    inner: Arc<Inner>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Inner {
    factory: CredentialFactory,
    scope: String,
    clock: Clock,
    state: Mutex<CacheState>,
}

#[derive(Default)]
struct CacheState {
    current: Option<CachedToken>,
    renewals: u64,
    flight: Option<Flight>,
    forced_at: Option<Timestamp>,
}

struct CachedToken {
    token: Token,
    expires_at: Timestamp,
    renew_at: Timestamp,
}

impl CachedTokens {
    /// Acquires nothing yet. Renewals run as tasks of `tasks` and end with `stop`.
    pub fn new(factory: CredentialFactory, scope: String, tasks: TaskTracker, stop: CancellationToken) -> Self {
        Self::with_clock(factory, scope, tasks, stop, Clock::system())
    }

    /// The same by another clock.
    pub fn with_clock(
        factory: CredentialFactory,
        scope: String,
        tasks: TaskTracker,
        stop: CancellationToken,
        clock: Clock,
    ) -> Self {
        let inner = Inner { factory, scope, clock, state: Mutex::default() };
        Self { inner: Arc::new(inner), tasks, stop }
    }

    /// The renewal under way, or a new one. It goes on even if no caller waits for it any more.
    fn renewal(&self) -> Flight {
        let mut state = self.inner.lock();
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.peek().is_none()) {
            return flight.clone();
        }
        let (done, outcome) = oneshot::channel();
        let inner = Arc::clone(&self.inner);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let acquired = tokio::select! {
                acquired = tokio::time::timeout(ACQUISITION_TIMEOUT, inner.acquire()) => acquired
                    .unwrap_or_else(|_| Err(TokenError::Unavailable("no answer in time".to_owned()))),
                () = stop.cancelled() => Err(TokenError::Unavailable("this program is stopping".to_owned())),
            };
            // If no caller waits any more, the token is for the next one.
            let _ = done.send(inner.finish(acquired));
        });
        let flight = async move {
            outcome.await.unwrap_or_else(|_| Err(TokenError::Unavailable("the renewal ended early".to_owned())))
        };
        let flight = flight.boxed().shared();
        state.flight = Some(flight.clone());
        flight
    }
}

#[async_trait]
impl TokenSource for CachedTokens {
    async fn token(&self) -> Result<Token, TokenError> {
        let now = self.inner.clock.now();
        let (cached, renew) = {
            let state = self.inner.lock();
            match &state.current {
                Some(cached) if now + MARGIN < cached.expires_at => {
                    (Some(cached.token.clone()), now >= cached.renew_at)
                }
                _ => (None, true),
            }
        };
        match cached {
            Some(token) => {
                if renew {
                    // It runs as a task of its own; this caller does not wait for it.
                    drop(self.renewal());
                }
                Ok(token)
            }
            None => match self.renewal().await {
                Ok(token) => Ok(token),
                Err(error) => self.inner.still_valid().ok_or(error),
            },
        }
    }

    async fn invalidate(&self, used: &Token) {
        let now = self.inner.clock.now();
        let mut state = self.inner.lock();
        let is_current = state.current.as_ref().is_some_and(|cached| cached.token.is_same(used));
        let too_soon = state.forced_at.is_some_and(|at| now < at + FORCED_RENEWAL_PAUSE);
        if is_current && !too_soon {
            state.current = None;
            state.forced_at = Some(now);
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn still_valid(&self) -> Option<Token> {
        let now = self.clock.now();
        self.lock().current.as_ref().filter(|cached| now < cached.expires_at).map(|cached| cached.token.clone())
    }

    async fn acquire(&self) -> Result<(SecretString, Timestamp), TokenError> {
        let credential = (self.factory)().map_err(|e| TokenError::Refused(fit_for_logs(&e.to_string())))?;
        let token = credential.get_token(&[&self.scope], None).await.map_err(|e| judge(&e))?;
        let expires_at = Timestamp::from_second(token.expires_on.unix_timestamp())
            .map_err(|_| TokenError::Unavailable("the token has no sensible expiry".to_owned()))?;
        Ok((SecretString::from(token.token.secret().to_owned()), expires_at))
    }

    /// Ends a renewal: caches the new token, or delays the next attempt.
    fn finish(&self, acquired: Result<(SecretString, Timestamp), TokenError>) -> Result<Token, TokenError> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.flight = None;
        match acquired {
            Ok((secret, expires_at)) => {
                state.renewals += 1;
                let token = Token { secret, renewal: state.renewals };
                // Half-life is well before the last five minutes for every token that lives ten minutes or longer.
                let half = expires_at.duration_since(now) / 2;
                let renew_at = now + half.max(RENEWAL_PAUSE);
                state.current = Some(CachedToken { token: token.clone(), expires_at, renew_at });
                Ok(token)
            }
            Err(error) => {
                if let Some(cached) = &mut state.current {
                    cached.renew_at = now + RENEWAL_PAUSE;
                    tracing::warn!(error = %error, valid_until = %cached.expires_at, "the Graph token was not renewed; the old one stays in use");
                }
                Err(error)
            }
        }
    }
}

impl fmt::Debug for CachedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedTokens").field("scope", &self.inner.scope).finish_non_exhaustive()
    }
}

/// The library wraps the authority's answer, or the reason that there is none; both are in the chain of causes.
fn judge(error: &azure_core::Error) -> TokenError {
    let chain = || std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |this| this.source());
    let status = chain().find_map(|this| this.downcast_ref::<azure_core::Error>()?.http_status()).map(u16::from);
    let text = error.to_string();
    let text = text.split("To troubleshoot").next().unwrap_or_default().trim_end();
    // Without an answer, the first cause says why. The causes of other failures may quote the answer.
    let unanswered = chain().any(|this| this.is::<reqwest::Error>()).then(|| chain().last()).flatten();
    let text = match (status, unanswered) {
        (Some(status), _) => format!("{text} (HTTP {status})"),
        (None, Some(cause)) => format!("{text} ({cause})"),
        (None, None) => text.to_owned(),
    };
    let text = fit_for_logs(&text);
    match status {
        Some(400 | 401 | 403 | 404) => TokenError::Refused(text),
        _ => TokenError::Unavailable(text),
    }
}
