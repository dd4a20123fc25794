//! Azure-specific behaviour, tested on Azurite: permissions, lost responses, foreign messages, secrets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, HttpClient, Request, StatusCode, Transport};
use azure_storage_queue::QueueServiceClient;
use azure_storage_queue::models::QueueMessage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use photorelay_core::names::Container;
use photorelay_core::queue::azure::AzureQueues;
use photorelay_core::queue::{Leased, MessageBody, Outgoing, QueueStore};
use photorelay_core::store::azure::{AzureBlobs, transport};
use photorelay_core::store::{BlobStore, Creation, Listing, Metadata, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;
use uuid::Uuid;

use crate::bench::{Bench, bytes_of};

const BLOB_VARIABLE: &str = "PHOTORELAY_TEST_AZURITE_BLOB";
const QUEUE_VARIABLE: &str = "PHOTORELAY_TEST_AZURITE_QUEUE";
const LEASE: Duration = Duration::from_secs(60);
/// Azurite's account and its published key: <https://learn.microsoft.com/azure/storage/common/storage-use-azurite>.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A service URI of Azurite, with a SAS that grants all permissions.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but what started Azurite for them")]
fn service(variable: &str) -> Url {
    let uri = std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run `cargo xtask test`, which starts Azurite"));
    uri.parse().unwrap()
}

pub(crate) fn connect() -> (AzureBlobs, AzureQueues) {
    (blobs_at(&service(BLOB_VARIABLE)), queues_at(&service(QUEUE_VARIABLE)))
}

fn blobs_at(uri: &Url) -> AzureBlobs {
    AzureBlobs::connect(uri, None, transport().unwrap()).unwrap()
}

fn queues_at(uri: &Url) -> AzureQueues {
    AzureQueues::connect(uri, None, transport().unwrap()).unwrap()
}

/// The SDK itself, for calls that photorelay never makes.
fn raw_queue(queue: &str) -> azure_storage_queue::QueueClient {
    QueueServiceClient::new(service(QUEUE_VARIABLE), None, None).unwrap().queue_client(queue).unwrap()
}

/// The year in which the queue's first message expires.
pub(crate) async fn expiry_of_first_message(bench: &Bench) -> i32 {
    // A delayed message cannot be peeked at, so this uses one without a delay.
    bench.queues.send(&bench.queue, vec![Outgoing::now("x")]).await.unwrap();
    let peeked = raw_queue(&bench.queue).peek_messages(None).await.unwrap().into_model().unwrap();
    peeked.items.unwrap()[0].expiration_time.unwrap().year()
}

#[tokio::test]
async fn foreign_text_is_delivered_unchanged() {
    let bench = Bench::azurite().await;
    bench.queues.send(&bench.queue, vec![Outgoing::now("ours")]).await.unwrap();
    let message = QueueMessage { message_text: Some("{\"not\": \"base64\"} <&>".to_owned()) };
    raw_queue(&bench.queue).send_message(message.try_into().unwrap(), None).await.unwrap();
    let received = bench.queues.receive(&bench.queue, 32, LEASE).await.unwrap();
    let bodies: Vec<_> = received.iter().map(|delivery| &delivery.body).collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies.contains(&&MessageBody::Bytes(Bytes::from_static(b"ours"))));
    assert!(bodies.contains(&&MessageBody::Undecodable("{\"not\": \"base64\"} <&>".to_owned())));
    for delivery in &received {
        assert_eq!(bench.queues.delete(&bench.queue, delivery).await.unwrap(), Leased::Yes(()));
    }
}

#[tokio::test]
async fn a_body_is_base64_on_the_wire() {
    let bench = Bench::azurite().await;
    bench.queues.send(&bench.queue, vec![Outgoing::now("{}")]).await.unwrap();
    let peeked = raw_queue(&bench.queue).peek_messages(None).await.unwrap().into_model().unwrap();
    assert_eq!(peeked.items.unwrap()[0].message_text.as_deref(), Some("e30="));
}

#[tokio::test]
async fn who_may_only_read_is_denied_and_can_work_with_what_is_there() {
    let bench = Bench::azurite().await;
    let name = bench.name("00000001.json");
    bench.blobs.create(Container::Audit, &name, "application/json", Bytes::from_static(b"{}")).await.unwrap();

    let blobs = blobs_at(&permitted(&service(BLOB_VARIABLE), "b", "rl"));
    assert!(blobs.get(Container::Audit, &name, 100).await.unwrap().is_some());
    blobs.ensure_container(Container::Audit).await.unwrap();
    let content = || Bytes::from_static(b"x");
    let denied = [
        blobs.create(Container::Audit, &bench.name("2.json"), "x/y", content()).await.map(drop),
        blobs.put(Container::Audit, &name, "x/y", content(), &Metadata::new()).await,
        blobs.delete(Container::Audit, &name).await,
    ];
    let queues = queues_at(&permitted(&service(QUEUE_VARIABLE), "q", "rl"));
    queues.ensure_queue(&bench.queue).await.unwrap();
    let missing = queues.ensure_queue(&format!("{}-no", bench.queue)).await;
    assert!(matches!(missing, Err(StoreError::Missing { .. })), "{missing:?}");
    let denied = denied.into_iter().chain([queues.send(&bench.queue, vec![Outgoing::now("x")]).await]);
    for outcome in denied {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        assert_no_secret(&error);
    }
}

#[tokio::test]
async fn who_may_create_but_not_overwrite_creates_once_and_learns_what_exists() {
    let bench = Bench::azurite().await;
    let name = bench.name("00000001.json");
    let blobs = blobs_at(&permitted(&service(BLOB_VARIABLE), "b", "rlc"));
    let content = |text: &'static str| Bytes::from_static(text.as_bytes());
    let create = async |text| blobs.create(Container::Audit, &name, "application/json", content(text)).await.unwrap();

    assert_eq!(create("ours").await, Creation::Created);
    assert_eq!(create("theirs").await, Creation::AlreadyExists);
    assert_eq!(blobs.get(Container::Audit, &name, 100).await.unwrap().unwrap(), "ours");
    let overwritten = blobs.put(Container::Audit, &name, "x/y", content("theirs"), &Metadata::new()).await;
    assert!(matches!(overwritten, Err(StoreError::Denied { .. })), "{overwritten:?}");
}

#[tokio::test]
async fn a_wrong_signature_is_denied_without_being_shown() {
    let mut uri = service(BLOB_VARIABLE);
    let forged: Vec<_> = uri
        .query_pairs()
        .map(|(name, value)| {
            (name.to_string(), if name == "sig" { "SECRETsignature=".into() } else { value.to_string() })
        })
        .collect();
    uri.query_pairs_mut().clear().extend_pairs(forged);
    let error = blobs_at(&uri).get(Container::Audit, "x.json", 100).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    assert_no_secret(&error);
}

#[tokio::test]
async fn blobs_of_a_missing_container_are_missing() {
    // Containers have fixed names that other tests use, so here a level above them in the path is missing.
    let mut uri = service(BLOB_VARIABLE);
    uri.path_segments_mut().unwrap().push(&format!("missing-{}", Uuid::new_v4()));
    let blobs = blobs_at(&uri);
    let content = || Bytes::from_static(b"x");
    let missing = [
        blobs.get(Container::Audit, "x.json", 100).await.map(drop),
        blobs.create(Container::Audit, "x.json", "x/y", content()).await.map(drop),
        blobs.put(Container::Audit, "x.json", "x/y", content(), &Metadata::new()).await,
        blobs.delete(Container::Audit, "x.json").await,
    ];
    for outcome in missing {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Missing { .. }), "{error:?}");
        assert_no_secret(&error);
    }
}

#[tokio::test]
async fn a_create_whose_reply_was_lost_reports_that_the_blob_exists() {
    let bench = Bench::azurite().await;
    let name = bench.name("00000001.json");
    let (uri, _proxy) = swallowing_the_first_reply(&service(BLOB_VARIABLE)).await;
    let blobs = blobs_at(&uri);
    let created = blobs.create(Container::Audit, &name, "application/json", Bytes::from_static(b"ours")).await.unwrap();
    assert_eq!(created, Creation::AlreadyExists);
    assert_eq!(bench.blobs.get(Container::Audit, &name, 100).await.unwrap().unwrap(), "ours");
}

#[tokio::test]
async fn a_send_whose_reply_was_lost_loses_nothing_and_may_send_twice() {
    let bench = Bench::azurite().await;
    let (uri, _proxy) = swallowing_the_first_reply(&service(QUEUE_VARIABLE)).await;
    let queues = queues_at(&uri);
    queues.send(&bench.queue, vec![Outgoing::now("once or twice")]).await.unwrap();
    let received = bench.queues.receive(&bench.queue, 32, LEASE).await.unwrap();
    assert!((1..=2).contains(&received.len()), "{} messages", received.len());
    assert!(received.iter().all(|delivery| bytes_of(delivery) == b"once or twice"));
}

/// Counts the requests to the service.
#[derive(Debug)]
struct Counting(reqwest::Client, AtomicUsize);

#[async_trait::async_trait]
impl HttpClient for Counting {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.execute_request(request).await
    }
}

#[tokio::test]
async fn every_call_is_one_transaction() {
    let bench = Bench::azurite().await;
    let name = bench.name("photo.jpg");
    let counting = Arc::new(Counting(reqwest::Client::new(), AtomicUsize::new(0)));
    let transport = Transport::new(Arc::clone(&counting) as Arc<dyn HttpClient>);
    let blobs = AzureBlobs::connect(&service(BLOB_VARIABLE), None, transport.clone()).unwrap();
    let queues = AzureQueues::connect(&service(QUEUE_VARIABLE), None, transport).unwrap();
    let requests = || counting.1.swap(0, Ordering::SeqCst);
    let photo = Bytes::from(vec![7; 4 * 1024 * 1024]);

    blobs.create(Container::Photos, &name, "image/jpeg", photo.clone()).await.unwrap();
    assert_eq!(requests(), 1, "create");
    blobs.create(Container::Photos, &name, "image/jpeg", photo.clone()).await.unwrap();
    assert_eq!(requests(), 1, "create what exists");
    blobs.put(Container::Photos, &name, "image/jpeg", photo, &Metadata::new()).await.unwrap();
    assert_eq!(requests(), 1, "put");
    blobs.get(Container::Photos, &name, u64::MAX).await.unwrap().unwrap();
    assert_eq!(requests(), 1, "get");
    blobs.get(Container::Photos, &name, 10).await.unwrap_err();
    assert_eq!(requests(), 1, "get what is too large");
    assert_eq!(blobs.get(Container::Photos, &bench.name("nothing"), 10).await.unwrap(), None);
    assert_eq!(requests(), 1, "get what is not there");
    let page = blobs.list(Container::Photos, Listing { page_size: 1, ..Listing::of(&bench.prefix) }).await.unwrap();
    assert_eq!((page.blobs.len(), requests()), (1, 1), "list");
    blobs.delete(Container::Photos, &name).await.unwrap();
    assert_eq!(requests(), 1, "delete");

    queues.send(&bench.queue, vec![Outgoing::now("x"), Outgoing::now("y")]).await.unwrap();
    assert_eq!(requests(), 2, "send two");
    let received = queues.receive(&bench.queue, 32, LEASE).await.unwrap();
    assert_eq!((received.len(), requests()), (2, 1), "receive");
    assert!(matches!(queues.renew(&bench.queue, &received[0], LEASE).await.unwrap(), Leased::Yes(_)));
    assert_eq!(requests(), 1, "renew");
    queues.delete(&bench.queue, &received[1]).await.unwrap();
    assert_eq!(requests(), 1, "delete");
}

/// A service that has two bytes of a blob and claims to have four exabytes.
#[derive(Debug)]
struct Boastful;

#[async_trait::async_trait]
impl HttpClient for Boastful {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut headers = Headers::new();
        headers.insert("content-range", format!("bytes 0-1/{}", 1_u64 << 62));
        headers.insert("content-length", "2");
        Ok(AsyncRawResponse::from_bytes(StatusCode::PartialContent, headers, "{}"))
    }
}

#[tokio::test]
async fn a_blob_of_any_claimed_length_is_refused_before_memory_is_taken_for_it() {
    let uri: Url = "https://account.blob.core.windows.net/?sv=2022-11-02&sig=SECRETsignature".parse().unwrap();
    let transport = Transport::new(Arc::new(Boastful) as Arc<dyn HttpClient>);
    let blobs = AzureBlobs::connect(&uri, None, transport).unwrap();
    let refused = blobs.get(Container::State, "population.json", 1 << 20).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { bytes, .. } if bytes == 1 << 62), "{refused:?}");
}

#[tokio::test]
async fn a_dead_endpoint_is_unavailable_within_bounded_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let uri: Url =
        format!("http://127.0.0.1:{port}/devstoreaccount1?sv=2022-11-02&sig=SECRETsignature").parse().unwrap();
    let started = Instant::now();
    let (blobs, queues) = (blobs_at(&uri), queues_at(&uri));
    let outcomes = tokio::join!(
        blobs.get(Container::Audit, "x.json", 100),
        blobs.list(Container::Audit, Listing::of("")),
        queues.send("photo-checks", vec![Outgoing::now("x")]),
    );
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    for error in [outcomes.0.unwrap_err(), outcomes.1.unwrap_err(), outcomes.2.unwrap_err()] {
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert_no_secret(&error);
    }
    for shown in [format!("{blobs:?}"), format!("{queues:?}")] {
        assert!(shown.contains("127.0.0.1") && !shown.contains("SECRET") && !shown.contains("sig="), "{shown}");
    }
}

#[test]
fn service_uris_that_would_leak_or_cannot_work_are_refused() {
    for uri in [
        "http://account.blob.core.windows.net/?sig=SECRETsignature",
        "http://127.0.0.1.example.com/?sig=SECRETsignature",
        "ftp://127.0.0.1/?sig=SECRETsignature",
        "https://user:SECRET@account.blob.core.windows.net/?sig=x",
        "https://account.blob.core.windows.net/",
        "data:text/plain,SECRET",
    ] {
        let error = AzureBlobs::connect(&uri.parse().unwrap(), None, transport().unwrap()).unwrap_err();
        assert!(matches!(error, StoreError::Invalid { .. }), "{uri}: {error:?}");
        assert_no_secret(&error);
    }
    for uri in ["http://localhost:1/a?sig=x", "http://[::1]:1/a?sig=x", "https://account.blob.core.windows.net/?sig=x"]
    {
        assert!(AzureBlobs::connect(&uri.parse().unwrap(), None, transport().unwrap()).is_ok(), "{uri}");
    }
}

fn assert_no_secret(error: &StoreError) {
    let mut shown = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        shown += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    for secret in ["sig=", "SECRET", "sv=", "?"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

/// A proxy that loses the response to the first request after the service has executed it. Stays open until the set is
/// dropped.
async fn swallowing_the_first_reply(service: &Url) -> (Url, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut uri = service.clone();
    uri.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let target = (service.host_str().unwrap().to_owned(), service.port().unwrap());
    let mut proxy = JoinSet::new();
    proxy.spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut service = TcpStream::connect(&target).await.unwrap();
        {
            let (mut from_client, _to_client) = client.split();
            let (mut from_service, mut to_service) = service.split();
            let mut reply = [0; 1];
            tokio::select! {
                _ = tokio::io::copy(&mut from_client, &mut to_service) => {}
                _ = from_service.read(&mut reply) => {}
            }
        }
        drop((client, service));
        while let Ok((mut client, _)) = listener.accept().await {
            let mut service = TcpStream::connect(&target).await.unwrap();
            // The client must cope with a broken connection.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
        }
    });
    (uri, proxy)
}

/// The same service with an account SAS of these permissions. The string to sign is that of versions from 2020-12-06 on:
/// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>.
fn permitted(service: &Url, services: &str, permissions: &str) -> Url {
    let expiry = (Timestamp::now() + jiff::SignedDuration::from_hours(1)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let fields = BTreeMap::from([
        ("sp", permissions),
        ("ss", services),
        ("srt", "sco"),
        ("se", expiry.as_str()),
        ("spr", "https,http"),
        ("sv", "2022-11-02"),
    ]);
    let signed: String = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"]
        .iter()
        .map(|name| format!("{}\n", fields.get(name).copied().unwrap_or_default()))
        .collect();
    let signature = hmac_sha256(&STANDARD.decode(ACCOUNT_KEY).unwrap(), format!("{ACCOUNT}\n{signed}").as_bytes());
    let mut uri = service.clone();
    uri.query_pairs_mut().clear().extend_pairs(fields).append_pair("sig", &STANDARD.encode(signature));
    uri
}

/// RFC 2104, for a key that is not longer than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let padded = |pad: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ pad).collect() };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}
