//! What Microsoft Graph answers, or a proxy in its place: batches, pages of users, photos, subscriptions, errors.
#![no_main]

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Response};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use photorelay::graph::{
    DeltaPage, FetchedPhoto, Graph, GraphError, MAX_PHOTO_BYTES, NewSubscription, PhotoState, Priority, SecretUrl,
    SubscriptionCreation,
};
use photorelay_core::id::{GroupId, UserId};
use photorelay_fuzz::{Limits, Script, assert_one_line, block_on, guard, impatient_graph, watch_panics};
use secrecy::SecretString;
use tokio::net::TcpListener;

const LIMITS: Limits = Limits { memory: 64 << 20, processor_time: Duration::from_secs(2) };
const STATUSES: [u16; 14] = [200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 429, 500, 503, 504];
const OPERATIONS: u8 = 15;
/// A list that leads to itself has this many pages.
const PAGES: usize = 3;
const A: &str = "1f2c0b0e-0000-4000-8000-000000000001";
const B: &str = "1f2c0b0e-0000-4000-8000-000000000002";

/// What the server answers next.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    header: Option<HeaderValue>,
    body: Vec<u8>,
}

static ANSWER: Mutex<Answer> = Mutex::new(Answer { status: 200, header: None, body: Vec::new() });
static ASKED: AtomicUsize = AtomicUsize::new(0);

struct Server {
    url: String,
    graph: Graph,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let url = block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1.0", listener.local_addr().expect("an address"));
        tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        url
    });
    Server { graph: impatient_graph(&url), url }
});

async fn answer() -> Response<Body> {
    let answer = ANSWER.lock().unwrap_or_else(PoisonError::into_inner);
    let is_last = ASKED.fetch_add(1, Ordering::Relaxed) >= PAGES;
    let body = if is_last { br#"{"value":[]}"#.to_vec() } else { answer.body.clone() };
    let mut response = Response::builder().status(answer.status);
    for name in [RETRY_AFTER, CONTENT_TYPE, HeaderName::from_static("request-id")] {
        response = response.header(name, answer.header.clone().unwrap_or(HeaderValue::from_static("")));
    }
    response.body(Body::from(body)).expect("a response")
}

fuzz_target!(init: { watch_panics(); LazyLock::force(&SERVER) }, |input: &[u8]| {
    guard(input, LIMITS, |input| {
        let script = Script::of(input);
        // Seeds cannot know the port.
        let body = match str::from_utf8(script.body) {
            Ok(text) => text.replace("{base}", &SERVER.url).into_bytes(),
            Err(_) => script.body.to_vec(),
        };
        *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) =
            Answer { status: script.choose(&STATUSES), header: HeaderValue::from_str(script.header).ok(), body };
        ASKED.store(0, Ordering::Relaxed);
        block_on(ask(&SERVER.graph, script.operation(OPERATIONS)));
    });
});

async fn ask(graph: &Graph, operation: u8) {
    let (a, b): (UserId, UserId) = (A.parse().expect("a GUID"), B.parse().expect("a GUID"));
    match operation {
        0 => each(graph.photo_states(&[a, b], Priority::Normal).await, |state| assert_can_be_kept(&state)),
        1 => judged(graph.photo_state(a).await).iter().for_each(assert_can_be_kept),
        2 => match judged(graph.photo(a).await) {
            Some(FetchedPhoto::Photo { bytes, .. }) => {
                assert!(!bytes.is_empty() && bytes.len() as u64 <= MAX_PHOTO_BYTES);
            }
            Some(FetchedPhoto::Absent { shape }) => assert_shown(&shape),
            _ => {}
        },
        3 => each(graph.users(&[a, b], Priority::Normal).await, |user| {
            let properties = user.map(|user| (user.anchor, user.sid, user.sam_account_name, user.domain));
            let (anchor, sid, account, domain) = properties.unwrap_or_default();
            assert!([anchor, sid, account, domain].iter().flatten().all(|text| (1..=256).contains(&text.len())));
        }),
        4 => _ = judged(graph.find_user("ada@contoso.test").await),
        5 => each(graph.are_in_groups(&[a, b], &[group()], Priority::Low).await, |_| {}),
        6 => judged(graph.users_delta(None).await).iter().for_each(assert_leads_on),
        7 => {
            let link = format!("{}/users/delta?$deltatoken=1", SERVER.url);
            judged(graph.users_delta(Some(&link)).await).iter().for_each(assert_leads_on);
        }
        8 => _ = judged(graph.group_members(group(), |_| {}).await),
        9 => _ = judged(graph.list_subscriptions().await),
        10 => _ = judged(graph.subscription(A.parse().expect("a GUID")).await),
        11 => match judged(graph.create_subscription(&wanted()).await) {
            Some(
                SubscriptionCreation::EndpointRefused { message } | SubscriptionCreation::QuotaExceeded { message },
            ) => {
                assert_shown(&message);
            }
            _ => {}
        },
        12 => _ = judged(graph.renew_subscription(A.parse().expect("a GUID"), Timestamp::UNIX_EPOCH).await),
        13 => _ = judged(graph.delete_subscription(A.parse().expect("a GUID")).await),
        _ => _ = judged(graph.photo_update_settings().await),
    }
}

/// An error names no address and no URL, in one line.
fn judged<T>(answer: Result<T, GraphError>) -> Option<T> {
    answer.inspect_err(|error| assert_shown(&error.to_string())).ok()
}

/// Every user that was asked about has an answer of its own.
fn each<T>(answer: Result<Vec<(UserId, Result<T, GraphError>)>, GraphError>, look: impl Fn(T)) {
    let Some(items) = judged(answer) else { return };
    assert!(items.iter().map(|(user, _)| user.to_string()).eq([A, B]));
    items.into_iter().filter_map(|(_, item)| judged(item)).for_each(look);
}

fn assert_shown(text: &(impl Display + ?Sized)) {
    let text = text.to_string();
    assert_one_line(&text);
    assert!(!text.contains('@') && !text.contains("://"), "{text}");
}

fn assert_can_be_kept(state: &PhotoState) {
    match state {
        PhotoState::Present { media_etag } => {
            assert!(media_etag.len() <= 256 && media_etag.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        }
        PhotoState::Absent { shape } => assert_shown(shape),
        PhotoState::NoSuchUser => {}
    }
}

/// The token goes with the link.
fn assert_leads_on(page: &DeltaPage) {
    if let DeltaPage::More { next: link, .. } | DeltaPage::Last { link, .. } = page {
        assert!(link.trim().to_ascii_lowercase().starts_with("http://127.0.0.1"), "{link}");
    }
}

fn group() -> GroupId {
    B.parse().expect("a GUID")
}

fn wanted() -> NewSubscription {
    NewSubscription {
        resource: "users".to_owned(),
        change_type: "updated".to_owned(),
        notification_url: SecretUrl("https://example.net/api/notifications".to_owned()),
        lifecycle_url: None,
        expires_at: Timestamp::UNIX_EPOCH,
        client_state: SecretString::from("c4-nary-client-state"),
    }
}
