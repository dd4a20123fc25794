//! A storage account in which every user has a settled head, one entry and one receipt.
//!
//! None of them is stored: they are made up as they are listed, in the wire format of Azure, from the simulated tenant,
//! whose people are generated. So a million users cost neither disk nor memory, and the program reads what it would read
//! in production. Everything else that it writes is kept, and every operation is counted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use graph_sim::Tenant;
use photorelay_core::heads::etag_metadata;
use photorelay_core::id::UserId;
use photorelay_core::names;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

const PAGE: usize = 5_000;
const SENT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList><QueueMessage>\
    <MessageId>5974b586-0df3-4e2d-ad0c-18e3892bfca2</MessageId><InsertionTime>Sun, 24 May 2026 22:24:31 GMT</InsertionTime>\
    <ExpirationTime>Fri, 31 Dec 9999 23:59:59 GMT</ExpirationTime><PopReceipt>AgAAAAMAAAA=</PopReceipt>\
    <TimeNextVisible>Sun, 24 May 2026 22:24:31 GMT</TimeNextVisible></QueueMessage></QueueMessagesList>";

const NO_MESSAGES: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList />";

#[derive(Clone)]
pub(crate) struct SyntheticAccount {
    /// Whose people come in the order of their ids.
    tenant: Tenant,
    people: usize,
    written: Arc<Mutex<BTreeMap<String, Bytes>>>,
    /// The check messages, in base64, as the host receives them.
    checks: Arc<Mutex<VecDeque<String>>>,
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl SyntheticAccount {
    pub(crate) fn new(tenant: Tenant, people: usize) -> Self {
        Self { tenant, people, written: Arc::default(), checks: Arc::default(), counts: Arc::default() }
    }

    /// Receives the oldest check message.
    pub(crate) fn next_check(&self) -> Option<String> {
        lock(&self.checks).pop_front()
    }

    /// Starts the service; its URI, with a SAS that is not checked.
    pub(crate) async fn serve(&self, tasks: &TaskTracker) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let service = format!("http://{}/?sv=2021-12-02&sig=bench", listener.local_addr()?);
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(self.clone());
        tasks.spawn(axum::serve(listener, router).into_future());
        Ok(service)
    }

    pub(crate) fn reset(&self) {
        lock(&self.counts).clear();
    }

    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.counts).clone()
    }

    fn count(&self, operation: &str) {
        *lock(&self.counts).entry(operation.to_owned()).or_default() += 1;
    }

    /// Makes the checkpoint that was just taken one of the day before, so that the next sweep takes one too.
    pub(crate) fn age_checkpoint(&self) -> Result<()> {
        let mut written = lock(&self.written);
        let is_checkpoint = |path: &str| {
            let name = path.strip_prefix("/audit/")?;
            names::parse_checkpoint(name).map(|day| (path.to_owned(), day))
        };
        let found = written.keys().find_map(|path| is_checkpoint(path));
        let (path, day) = found.with_context(|| format!("there is no checkpoint among {:?}", written.keys()))?;
        let before = day.yesterday()?;
        let mut checkpoint: Value = serde_json::from_slice(&written.remove(&path).unwrap_or_default())?;
        checkpoint["day"] = json!(before);
        written.insert(format!("/audit/{}", names::checkpoint(before)), Bytes::from(checkpoint.to_string()));
        Ok(())
    }

    /// The pages of one listing of all heads, entries and receipts.
    pub(crate) fn pages_of_a_listing(&self) -> usize {
        3 * self.people.div_ceil(PAGE)
    }

    fn list(&self, container: &str, query: &HashMap<String, String>) -> String {
        let with_metadata = query.get("include").is_some_and(|include| include == "metadata");
        let prefix = query.get("prefix").map_or("", String::as_str);
        let start: usize = query.get("marker").and_then(|marker| marker.parse().ok()).unwrap_or_default();
        let (mut blobs, mut next) = (String::new(), String::new());
        if is_of_all_users(container, prefix) {
            for (user, etag) in self.tenant.media_etags(start, PAGE) {
                let (name, metadata) = synthetic(container, UserId::from_uuid(user), &etag);
                push(&mut blobs, &name, if with_metadata { &metadata } else { "" });
            }
            if start + PAGE < self.people {
                next = (start + PAGE).to_string();
            }
        } else {
            let full = format!("/{container}/");
            for name in lock(&self.written).keys().filter_map(|path| path.strip_prefix(&full)) {
                if name.starts_with(prefix) {
                    push(&mut blobs, name, "");
                }
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"http://localhost/\" \
             ContainerName=\"{container}\"><Blobs>{blobs}</Blobs><NextMarker>{next}</NextMarker></EnumerationResults>"
        )
    }

    fn read(&self, path: &str) -> Response {
        match lock(&self.written).get(path).cloned() {
            Some(bytes) if bytes.is_empty() => StatusCode::OK.into_response(),
            Some(bytes) => {
                let range = format!("bytes 0-{}/{}", bytes.len() - 1, bytes.len());
                let headers = [("content-range", range), ("etag", "\"0x1\"".to_owned())];
                (StatusCode::PARTIAL_CONTENT, headers, Body::from(bytes)).into_response()
            }
            None => (StatusCode::NOT_FOUND, [("x-ms-error-code", "BlobNotFound")]).into_response(),
        }
    }
}

fn is_of_all_users(container: &str, prefix: &str) -> bool {
    matches!((container, prefix), ("state", names::HEADS_PREFIX) | ("audit" | "receipts", ""))
}

/// The name and the metadata of the user's one blob in this container.
fn synthetic(container: &str, user: UserId, etag: &str) -> (String, String) {
    match container {
        "state" => {
            let etag = escaped(&etag_metadata(etag));
            let metadata = format!("<Metadata><etag>{etag}</etag><seq>1</seq><settled>true</settled></Metadata>");
            (names::head(user), metadata)
        }
        "audit" => (names::audit_entry(user, 1), format!("<Metadata><cause>sweep</cause>{}</Metadata>", digest(user))),
        _ => (names::receipt(user, 1, "ad"), format!("<Metadata>{}</Metadata>", digest(user))),
    }
}

/// Any digest will do, because nothing is read.
fn digest(user: UserId) -> String {
    let simple = user.as_uuid().simple();
    format!("<sha256>{simple}{simple}</sha256>")
}

/// With the properties that Azure sends, because parsing them is part of the cost.
fn push(blobs: &mut String, name: &str, metadata: &str) {
    let _ = write!(
        blobs,
        "<Blob><Name>{name}</Name><Properties><Creation-Time>Sun, 24 May 2026 22:24:31 GMT</Creation-Time>\
         <Last-Modified>Sun, 24 May 2026 22:24:31 GMT</Last-Modified><Etag>0x8DCB6F1B2C3D4E5</Etag>\
         <Content-Length>612</Content-Length><Content-Type>application/json</Content-Type><Content-Encoding />\
         <Content-Language /><Content-CRC64 /><Content-MD5>rL0Y20zC+Fzt72VPzMSk2A==</Content-MD5><Cache-Control />\
         <Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>\
         <AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
         <ServerEncrypted>true</ServerEncrypted></Properties>{metadata}<OrMetadata /></Blob>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

async fn answer(
    State(account): State<SyntheticAccount>,
    method: Method,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    // The SDK sends the slashes of a blob's name in percent-encoding.
    let path = &uri.path().replace("%2F", "/");
    let (container, blob) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    match (method, query.get("comp").map(String::as_str)) {
        (Method::GET, Some("list")) => {
            let prefix = query.get("prefix").map_or("", String::as_str);
            account.count(if is_of_all_users(container, prefix) { "list all users" } else { "list" });
            ([("content-type", "application/xml")], account.list(container, &query)).into_response()
        }
        // Every queue is there, and empty.
        (Method::GET, Some("metadata")) => {
            account.count("count messages");
            (StatusCode::OK, [("x-ms-approximate-messages-count", "0")]).into_response()
        }
        (Method::GET, _) if query.contains_key("peekonly") => {
            account.count("peek");
            ([("content-type", "application/xml")], NO_MESSAGES).into_response()
        }
        (Method::PUT, _) if query.contains_key("restype") || blob.is_empty() => {
            account.count("create container or queue");
            StatusCode::CREATED.into_response()
        }
        (Method::PUT, _) => {
            account.count("write");
            lock(&account.written).insert(path.to_owned(), body);
            (StatusCode::CREATED, [("etag", "\"0x1\"")]).into_response()
        }
        (Method::DELETE, _) => {
            account.count("delete");
            lock(&account.written).remove(path);
            StatusCode::ACCEPTED.into_response()
        }
        (Method::GET, _) => {
            account.count("read");
            account.read(path)
        }
        (Method::POST, _) => {
            account.count("send");
            if container == names::CHECKS_QUEUE {
                lock(&account.checks).extend(message_text(&body));
            }
            (StatusCode::CREATED, [("content-type", "application/xml")], SENT).into_response()
        }
        (method, _) => {
            account.count(&format!("unexpected {method}"));
            StatusCode::NOT_IMPLEMENTED.into_response()
        }
    }
}

/// The body of a message that is sent, in base64.
fn message_text(sent: &[u8]) -> Option<String> {
    let sent = std::str::from_utf8(sent).ok()?;
    let (_, text) = sent.split_once("<MessageText>")?;
    Some(text.split_once("</MessageText>")?.0.to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
