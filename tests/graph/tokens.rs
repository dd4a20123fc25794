//! Keeping tokens: one renewal however many ask, early, and served on while the authority is down.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::OffsetDateTime;
use futures::future::join_all;
use jiff::Timestamp;
use photorelay::graph::{CachedTokens, FetchedPhoto, GraphError, TokenError, TokenSource};
use photorelay_core::clock::Clock;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::server::{Server, answer, error, user, with_json};

const START: i64 = 1_780_000_000;
const LIFE: i64 = 3600;

/// An authority that gives `secret-token-1`, `secret-token-2` ... by a clock that only the test moves.
#[derive(Debug)]
struct Authority {
    now: AtomicI64,
    life: AtomicI64,
    asked: AtomicUsize,
    down: Mutex<Option<String>>,
    /// Nobody is answered before this many have been let through.
    gate: Option<Notify>,
}

impl Authority {
    fn new(gated: bool) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicI64::new(START),
            life: AtomicI64::new(LIFE),
            asked: AtomicUsize::new(0),
            down: Mutex::new(None),
            gate: gated.then(Notify::new),
        })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn move_on(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn down(&self, reason: Option<&str>) {
        *self.down.lock().unwrap() = reason.map(str::to_owned);
    }
}

#[derive(Debug)]
struct Credential(Arc<Authority>);

#[async_trait::async_trait]
impl TokenCredential for Credential {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let number = self.0.asked.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(gate) = &self.0.gate {
            gate.notified().await;
        }
        if let Some(reason) = self.0.down.lock().unwrap().clone() {
            return Err(azure_core::Error::with_message(ErrorKind::Credential, reason));
        }
        let expires_at = self.0.now.load(Ordering::SeqCst) + self.0.life.load(Ordering::SeqCst);
        let expires_at = OffsetDateTime::from_unix_timestamp(expires_at).unwrap();
        Ok(AccessToken::new(Secret::new(format!("secret-token-{number}")), expires_at))
    }
}

struct Bench {
    authority: Arc<Authority>,
    tokens: Arc<CachedTokens>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Bench {
    fn new(gated: bool) -> Self {
        let authority = Authority::new(gated);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (made, clock) = (Arc::clone(&authority), Arc::clone(&authority));
        let tokens = CachedTokens::with_clock(
            Box::new(move || Ok(Arc::new(Credential(Arc::clone(&made))))),
            "https://graph.microsoft.com/.default".to_owned(),
            tasks.clone(),
            stop.clone(),
            Clock::telling(move || Timestamp::from_second(clock.now.load(Ordering::SeqCst)).unwrap()),
        );
        Self { authority, tokens: Arc::new(tokens), tasks, stop }
    }

    async fn secret(&self) -> String {
        self.tokens.token().await.unwrap().secret().to_owned()
    }

    /// Waits for the renewals that are under way.
    async fn settle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

#[tokio::test]
async fn fifty_who_ask_at_once_cause_one_request() {
    let bench = Bench::new(true);
    let asking = join_all((0..50).map(|_| bench.secret()));
    let open = async {
        while bench.authority.asked() == 0 {
            tokio::task::yield_now().await;
        }
        bench.authority.gate.as_ref().unwrap().notify_one();
    };
    let (secrets, ()) = tokio::join!(asking, open);
    assert!(secrets.iter().all(|secret| secret == "secret-token-1"), "{secrets:?}");
    assert_eq!(bench.authority.asked(), 1);
}

#[tokio::test]
async fn fifty_who_fail_together_fail_by_one_request() {
    let bench = Bench::new(true);
    bench.authority.down(Some("the authority is on fire"));
    let asking = join_all((0..50).map(|_| bench.tokens.token()));
    let open = async {
        while bench.authority.asked() == 0 {
            tokio::task::yield_now().await;
        }
        bench.authority.gate.as_ref().unwrap().notify_one();
    };
    let (outcomes, ()) = tokio::join!(asking, open);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(TokenError::Unavailable(_)))));
    assert_eq!(bench.authority.asked(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_in_the_background_at_half_its_life() {
    let bench = Bench::new(false);
    assert_eq!(bench.secret().await, "secret-token-1");
    bench.authority.move_on(LIFE / 2 - 1);
    assert_eq!(bench.secret().await, "secret-token-1");
    bench.settle().await;
    assert_eq!(bench.authority.asked(), 1);
    bench.authority.move_on(1);
    assert_eq!(bench.secret().await, "secret-token-1", "nobody waits for the renewal");
    bench.settle().await;
    assert_eq!(bench.secret().await, "secret-token-2");
    assert_eq!(bench.authority.asked(), 2);
}

#[tokio::test]
async fn a_valid_token_is_served_while_renewing_fails_and_not_a_second_longer() {
    let bench = Bench::new(false);
    bench.secret().await;
    bench.authority.down(Some("down"));
    bench.authority.move_on(LIFE / 2);
    for _ in 0..10 {
        assert_eq!(bench.secret().await, "secret-token-1");
        bench.settle().await;
    }
    assert_eq!(bench.authority.asked(), 2, "the authority is not hammered");
    bench.authority.move_on(LIFE / 2 - 2);
    assert_eq!(bench.secret().await, "secret-token-1", "two seconds are left");
    bench.authority.move_on(2);
    let refused = bench.tokens.token().await.unwrap_err();
    assert!(refused.is_transient(), "{refused}");
    bench.authority.down(None);
    assert!(bench.secret().await.starts_with("secret-token-"));
}

#[tokio::test]
async fn only_the_current_token_can_be_invalidated_and_not_in_quick_succession() {
    let bench = Bench::new(false);
    let first = bench.tokens.token().await.unwrap();
    bench.tokens.invalidate(&first).await;
    let second = bench.tokens.token().await.unwrap();
    bench.tokens.invalidate(&first).await;
    assert!(bench.tokens.token().await.unwrap().is_same(&second), "the first one is long gone");
    bench.tokens.invalidate(&second).await;
    assert!(bench.tokens.token().await.unwrap().is_same(&second), "a new token did not help a moment ago either");
    bench.authority.move_on(60);
    bench.tokens.invalidate(&second).await;
    assert_eq!(bench.secret().await, "secret-token-3");
}

#[tokio::test]
async fn fifty_refused_requests_cause_one_renewal_and_all_succeed() {
    let server = Server::start(|_, asked| match asked.header("authorization") {
        "Bearer secret-token-2" => answer(200).body("photo".into()).unwrap(),
        _ => error(401, "InvalidAuthenticationToken", "Lifetime validation failed"),
    })
    .await;
    let bench = Bench::new(false);
    let graph = server.graph_with(Arc::clone(&bench.tokens) as Arc<dyn TokenSource>, |_| ());
    let photos = join_all((0..50).map(|number| graph.photo(user(number)))).await;
    for photo in photos {
        assert!(matches!(photo.unwrap(), FetchedPhoto::Photo { .. }));
    }
    assert_eq!(bench.authority.asked(), 2);
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_an_error_and_not_a_storm() {
    let server = Server::start(|_, _| error(401, "InvalidAuthenticationToken", "Invalid audience")).await;
    let bench = Bench::new(false);
    let graph = server.graph_with(Arc::clone(&bench.tokens) as Arc<dyn TokenSource>, |_| ());
    for _ in 0..5 {
        let refused = graph.photo_state(user(1)).await.unwrap_err();
        assert!(matches!(refused, GraphError::Unauthorized { .. }) && !refused.is_transient(), "{refused}");
    }
    assert_eq!(bench.authority.asked(), 2);
    assert_eq!(server.count(), 6, "the first call twice, the others once");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_to_graph() {
    let server = Server::start(|_, _| with_json(200, &json!({}))).await;
    let bench = Bench::new(false);
    bench.authority.down(Some("AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1"));
    let graph = server.graph_with(Arc::clone(&bench.tokens) as Arc<dyn TokenSource>, |_| ());
    let refused = graph.photo_state(user(1)).await.unwrap_err();
    assert!(matches!(&refused, GraphError::Token { .. }), "{refused}");
    assert!(refused.to_string().contains("AADSTS7000215") && !refused.to_string().contains('\n'), "{refused}");
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn stopping_ends_a_renewal_that_hangs() {
    let bench = Bench::new(true);
    let stop = async {
        while bench.authority.asked() == 0 {
            tokio::task::yield_now().await;
        }
        bench.stop.cancel();
    };
    let (outcome, ()) = tokio::join!(bench.tokens.token(), stop);
    assert!(matches!(outcome, Err(TokenError::Unavailable(_))));
    bench.settle().await;
}

#[tokio::test]
async fn a_token_is_never_printed() {
    let bench = Bench::new(false);
    let token = bench.tokens.token().await.unwrap();
    let printed = format!("{token:?} {:?}", bench.tokens);
    assert!(!printed.contains("secret-token"), "{printed}");
}
