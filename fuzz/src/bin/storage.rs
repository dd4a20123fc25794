//! What Azure Storage answers: listing pages, blobs, queue messages, errors.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode, Transport};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use photorelay_core::names::{CHECKS_QUEUE, Container};
use photorelay_core::process::install_crypto_provider;
use photorelay_core::queue::azure::AzureQueues;
use photorelay_core::queue::{Delivery, MessageBody, Outgoing, PopReceipt, QueueStore};
use photorelay_core::store::azure::AzureBlobs;
use photorelay_core::store::{BlobStore, Listing, Metadata, StoreError};
use photorelay_fuzz::{Limits, Script, assert_one_line, assert_tells_no_secret, block_on, guard, watch_panics};
use url::Url;

const LIMITS: Limits = Limits { memory: 64 << 20, processor_time: Duration::from_secs(2) };
/// Those after which the SDK sends its request again are left out: it would wait.
const STATUSES: [u16; 12] = [200, 201, 202, 204, 206, 304, 400, 403, 404, 409, 412, 413];
const OPERATIONS: u8 = 13;
/// What an operation may look at.
const HEADERS: [&str; 6] = [
    "x-ms-error-code",
    "content-range",
    "etag",
    "x-ms-popreceipt",
    "x-ms-approximate-messages-count",
    "x-ms-meta-etag",
];
const BLOB_LIMIT: u64 = 1 << 20;

/// What the service answers to everything.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    header: String,
    body: Vec<u8>,
}

#[derive(Debug, Default)]
struct Service(Mutex<Answer>);

#[async_trait]
impl HttpClient for Service {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut headers = Headers::new();
        HEADERS.into_iter().for_each(|name| headers.insert(name, answer.header.clone()));
        headers.insert("content-length", answer.body.len().to_string());
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(answer.status), headers, answer.body.clone()))
    }
}

struct Client {
    service: Arc<Service>,
    blobs: AzureBlobs,
    queues: AzureQueues,
}

static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    install_crypto_provider();
    let service = Arc::new(Service::default());
    let transport = Transport::new(Arc::clone(&service) as Arc<dyn HttpClient>);
    let url = |kind: &str| Url::parse(&format!("https://st.{kind}.core.windows.net/?sv=1&sig=c4-nary")).expect("a URL");
    let blobs = AzureBlobs::connect(&url("blob"), None, transport.clone()).expect("blobs");
    let queues = AzureQueues::connect(&url("queue"), None, transport).expect("queues");
    Client { service, blobs, queues }
});

fuzz_target!(init: { watch_panics(); LazyLock::force(&CLIENT) }, |input: &[u8]| {
    guard(input, LIMITS, |input| {
        let script = Script::of(input);
        let (status, header) = (script.choose(&STATUSES), script.header.to_owned());
        let answer = Answer { status, header, body: script.body.to_vec() };
        *CLIENT.service.0.lock().unwrap_or_else(PoisonError::into_inner) = answer;
        block_on(ask(script.operation(OPERATIONS)));
    });
});

async fn ask(operation: u8) {
    let Client { blobs, queues, .. } = &*CLIENT;
    let (container, content, second) = (Container::State, Bytes::from_static(b"{}"), Duration::from_secs(1));
    match operation {
        0 => list(Listing::of("users/")).await,
        1 => list(Listing { with_metadata: true, continuation: Some("next"), ..Listing::of("") }).await,
        2 => {
            let read = judged(blobs.get(container, "population.json", BLOB_LIMIT).await).flatten();
            assert!(read.is_none_or(|read| read.len() as u64 <= BLOB_LIMIT));
        }
        3 => _ = judged(blobs.create(container, "a.json", "application/json", content).await),
        4 => {
            let metadata = Metadata::from([("etag".to_owned(), "1".to_owned())]);
            judged(blobs.put(container, "a.json", "application/json", content, &metadata).await);
        }
        5 => _ = judged(blobs.delete(container, "a.json").await),
        6 => _ = judged(blobs.ensure_container(container).await),
        7 => _ = judged(queues.receive(CHECKS_QUEUE, 32, second).await),
        8 => _ = judged(queues.send(CHECKS_QUEUE, vec![Outgoing::now(content)]).await),
        9 => _ = judged(queues.renew(CHECKS_QUEUE, &delivery(), second).await),
        10 => _ = judged(queues.delete(CHECKS_QUEUE, &delivery()).await),
        11 => _ = judged(queues.count(CHECKS_QUEUE).await),
        _ => _ = judged(queues.oldest(CHECKS_QUEUE).await),
    }
}

async fn list(listing: Listing<'_>) {
    let page = judged(CLIENT.blobs.list(Container::State, listing).await);
    assert!(page.is_none_or(|page| page.next.as_deref() != Some("")), "a listing that begins anew");
}

/// An error repeats neither the SAS nor what the service said.
fn judged<T>(answer: Result<T, StoreError>) -> Option<T> {
    let error = match answer {
        Ok(answer) => return Some(answer),
        Err(error) => error,
    };
    for text in [error.to_string(), format!("{error:?}")] {
        assert_tells_no_secret(&text);
        assert_one_line(&text);
    }
    None
}

fn delivery() -> Delivery {
    Delivery {
        id: "1".to_owned(),
        body: MessageBody::Bytes(Bytes::new()),
        dequeue_count: 1,
        inserted_at: jiff::Timestamp::UNIX_EPOCH,
        receipt: PopReceipt("1".to_owned()),
    }
}
