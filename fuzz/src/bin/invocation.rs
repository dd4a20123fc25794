//! What the Functions host invokes: envelopes in every encoding, with queue messages and events in them.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use photorelay::host::envelope;
use photorelay::host::router::trigger_router;
use photorelay_core::contract::{
    self, CheckMessage, DeadLetter, LifecycleMessage, NotificationActivity, UnreadableUser,
};
use photorelay_core::names::{self, CHECKS_QUEUE, SUBSCRIPTIONS_QUEUE};
use photorelay_core::queue::{Delivery, MessageBody, PopReceipt};
use photorelay_fuzz::{Limits, MemoryStore, block_on, functions, guard, manifest, watch_panics};
use serde_json::Value;
use tower::ServiceExt;

const LIMITS: Limits = Limits { memory: 64 << 20, processor_time: Duration::from_secs(2) };
/// The functions that a message reaches, and the binding of each.
const FUNCTIONS: [(&str, &str); 3] = [("propagate", "msg"), ("renew", "msg"), ("events", "events")];

struct Triggers {
    router: Router,
    store: Arc<MemoryStore>,
}

static TRIGGERS: LazyLock<Triggers> = LazyLock::new(|| {
    let store = Arc::new(MemoryStore::default());
    Triggers { router: trigger_router(&functions(&store), &manifest()).expect("a router"), store }
});

fuzz_target!(init: { watch_panics(); LazyLock::force(&TRIGGERS) }, |input: &[u8]| {
    guard(input, LIMITS, |input| block_on(invoke_all(input)));
});

/// The input as a whole envelope, and as a message in one.
async fn invoke_all(input: &[u8]) {
    for (function, binding) in FUNCTIONS {
        invoke(function, Body::from(input.to_vec())).await;
        let wrapped = envelope::for_message(function, binding, &delivery(input), input);
        invoke(function, Body::from(wrapped.to_string())).await;
    }
}

async fn invoke(function: &str, body: Body) {
    let request = Request::post(format!("/{function}")).header("content-type", "application/json").body(body);
    let request = request.expect("a request");
    let answer = TRIGGERS.router.clone().oneshot(request).await.expect("a router answers");
    let status = answer.status();
    assert!(matches!(status, StatusCode::OK | StatusCode::INTERNAL_SERVER_ERROR), "{function} answered {status}");
    let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body in memory");
    // An empty answer makes the host wait until its time limit; text in place of JSON is a panic that was caught.
    let answer: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{function}: {error}: {body:?}"));
    assert!(answer["Outputs"].is_object() && answer["Logs"].is_array(), "{function} answered {answer}");
    let (sent, stored) = TRIGGERS.store.take();
    sent.iter().for_each(|(queue, body)| assert_is_of(queue, body));
    for (container, name, bytes) in stored {
        if name.starts_with("poison/") {
            let kept: DeadLetter = contract::parse(&bytes).expect("a dead letter");
            assert!(sent.iter().any(|(queue, body)| *queue == names::poison_queue(&kept.queue) && *body == kept.body));
        } else if name.starts_with(names::UNREADABLE_PREFIX) {
            contract::parse::<UnreadableUser>(&bytes).expect("an unreadable user");
        } else {
            assert_eq!(name, names::NOTIFICATION_ACTIVITY, "in {container}");
            contract::parse::<NotificationActivity>(&bytes).expect("the activity");
        }
    }
}

fn assert_is_of(queue: &str, body: &Bytes) {
    match queue {
        CHECKS_QUEUE => _ = contract::parse::<CheckMessage>(body).expect("a check message"),
        SUBSCRIPTIONS_QUEUE => _ = contract::parse::<LifecycleMessage>(body).expect("a lifecycle message"),
        other => assert!(other.ends_with("-poison"), "a message in {other}"),
    }
}

fn delivery(input: &[u8]) -> Delivery {
    Delivery {
        id: "1".to_owned(),
        body: MessageBody::Bytes(Bytes::copy_from_slice(input)),
        dequeue_count: u32::from(input.len() % 7 == 0) + 1,
        inserted_at: Timestamp::UNIX_EPOCH,
        receipt: PopReceipt("1".to_owned()),
    }
}
