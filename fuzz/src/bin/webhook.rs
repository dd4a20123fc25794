//! What Graph posts, or somebody else: bodies of notifications and lifecycle notifications, and validation tokens.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use photorelay::host::router::public_router;
use photorelay_core::contract::{self, CheckMessage, LifecycleMessage};
use photorelay_core::names::{CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE};
use photorelay_fuzz::{Limits, MemoryStore, block_on, functions, guard, manifest, watch_panics};
use tower::ServiceExt;

const LIMITS: Limits = Limits { memory: 32 << 20, processor_time: Duration::from_secs(2) };

struct Doors {
    router: Router,
    store: Arc<MemoryStore>,
}

static DOORS: LazyLock<Doors> = LazyLock::new(|| {
    let store = Arc::new(MemoryStore::default());
    Doors { router: public_router(&functions(&store), &manifest()).expect("a router"), store }
});

fuzz_target!(init: { watch_panics(); LazyLock::force(&DOORS) }, |input: &[u8]| {
    guard(input, LIMITS, |input| block_on(knock(input)));
});

async fn knock(input: &[u8]) {
    for path in ["/api/notifications", "/api/lifecycle"] {
        let answer = post(path, Body::from(input.to_vec())).await;
        assert_eq!(answer.1, "", "an answer tells nothing");
        let (sent, stored) = DOORS.store.take();
        assert!(stored.is_empty());
        match answer.0 {
            StatusCode::ACCEPTED => sent.iter().for_each(|(queue, body)| assert_is_of(queue, body, input)),
            StatusCode::BAD_REQUEST => assert!(sent.is_empty(), "a body that was refused has an effect"),
            other => panic!("{path} answered {other}"),
        }
    }
    validate(input).await;
}

fn assert_is_of(queue: &str, body: &[u8], input: &[u8]) {
    match queue {
        CHECKS_QUEUE => {
            let check: CheckMessage = contract::parse(body).expect("a check message");
            assert!(check.users.is_sorted() && check.users.len() * 36 <= input.len());
        }
        SUBSCRIPTIONS_QUEUE => {
            contract::parse::<LifecycleMessage>(body).expect("a lifecycle message");
        }
        other => panic!("a message in {other}"),
    }
}

/// The handshake repeats the token and nothing else, as text that no browser takes for a page.
async fn validate(input: &[u8]) {
    let encoded: String = input.iter().map(|byte| format!("%{byte:02X}")).collect();
    let (status, text) = post(&format!("/api/notifications?validationToken={encoded}"), Body::empty()).await;
    let token = String::from_utf8_lossy(input);
    match status {
        StatusCode::OK => assert_eq!(text, token),
        StatusCode::BAD_REQUEST => assert!(token.is_empty() || token.len() > 2048),
        other => panic!("the handshake answered {other}"),
    }
}

async fn post(path: &str, body: Body) -> (StatusCode, String) {
    let request = Request::post(path).header("content-type", "application/json").body(body).expect("a request");
    let answer = DOORS.router.clone().oneshot(request).await.expect("a router answers");
    let (head, body) = answer.into_parts();
    if head.status == StatusCode::OK {
        assert_eq!(head.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(head.headers["x-content-type-options"], "nosniff");
    }
    let body = to_bytes(body, usize::MAX).await.expect("a body in memory");
    (head.status, String::from_utf8(body.to_vec()).expect("text"))
}
