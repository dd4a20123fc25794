//! `GET` and `HEAD` of `/photos/{samAccountName}.jpg` and `/avatar/{hash of the mail address}`.
//!
//! A request only ever selects an entry of the index. An unknown person, one without a photo, one who was forgotten and a
//! name that two users have are all the same 404. The log says which route was answered how, never whom it was about.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, RawQuery, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{Response, StatusCode};
use axum::middleware::{self, Next};
use axum::routing::get;
use photorelay_core::id::Digest;
use url::form_urlencoded;

use super::index::PhotoKey;
use super::photos::{IndexedPhotos, PhotoBytes};
use super::request_limit::RequestLimit;

/// What is shown where there is no photo, unless the client asks for 404.
const NO_PHOTO: &[u8] = include_bytes!("no-photo.jpg");
/// What Jabber shows best.
const PHOTO_SIZE: u32 = 128;
/// What Gravatar's clients get without `s`.
const AVATAR_SIZE: u32 = 80;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What the routes need.
#[derive(Debug, Clone)]
pub(super) struct Answering {
    photos: Arc<IndexedPhotos>,
    limit: Arc<RequestLimit>,
    behind_proxy: bool,
    /// How long a copy may be used: it may be as old as the index.
    max_age: Duration,
    no_photo: Digest,
}

impl Answering {
    pub(super) fn new(photos: Arc<IndexedPhotos>, per_minute: u32, behind_proxy: bool, max_age: Duration) -> Self {
        let limit = Arc::new(RequestLimit::new(per_minute));
        Self { photos, limit, behind_proxy, max_age, no_photo: Digest::of(NO_PHOTO) }
    }
}

pub(super) fn router(answering: Answering) -> Router {
    Router::new()
        .route("/", get(health))
        .route("/photos/{file}", get(photo))
        .route("/avatar/{hash}", get(avatar))
        .fallback(|| async { empty(StatusCode::NOT_FOUND) })
        .layer(middleware::from_fn_with_state(answering.clone(), admit))
        .with_state(answering)
}

/// Counts the client's requests, and logs the answer.
async fn admit(
    State(answering): State<Answering>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let began = Instant::now();
    let client = if answering.behind_proxy { forwarded_for(request.headers()) } else { None };
    let route = match request.uri().path().split('/').nth(1) {
        Some("photos") => "photos",
        Some("avatar") => "avatar",
        _ => "other",
    };
    let answer = if answering.limit.admits(client.unwrap_or(peer.ip()), began) {
        next.run(request).await
    } else {
        with(empty(StatusCode::TOO_MANY_REQUESTS), RETRY_AFTER, "60")
    };
    tracing::info!(route, status = answer.status().as_u16(), duration = ?began.elapsed(), "answered");
    with(answer, X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// The address that the proxy itself has seen: what stands before it is the client's word.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let address = last.rsplit(',').next()?.trim();
    // Some proxies add the port.
    address.parse().or_else(|_| address.parse::<SocketAddr>().map(|client| client.ip())).ok()
}

async fn health(State(answering): State<Answering>) -> Response<Body> {
    empty(if answering.photos.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE })
}

async fn photo(
    State(answering): State<Answering>,
    Path(file): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let Some(account) = file.strip_suffix(".jpg") else { return answering.not_found() };
    let key = PhotoKey::account(account);
    let size = size(query.as_deref()).unwrap_or(PHOTO_SIZE);
    answering.show(&key, size, &headers).await.unwrap_or_else(|| answering.not_found())
}

async fn avatar(
    State(answering): State<Answering>,
    Path(hash): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response<Body> {
    let (hash, query) = (hash.strip_suffix(".jpg").unwrap_or(&hash), query.as_deref());
    let key = PhotoKey::mail_hash(hash);
    if let Some(shown) = answering.show(&key, size(query).unwrap_or(AVATAR_SIZE), &headers).await {
        return shown;
    }
    // Nothing else that `d` may ask for is served, and a URL in it is not followed.
    match option(query, ["d", "default"]).as_deref() {
        Some("404") => answering.not_found(),
        _ => answering.answer(answering.no_photo, Bytes::from_static(NO_PHOTO), &headers),
    }
}

impl Answering {
    /// None if there is no photo to show.
    async fn show(&self, key: &PhotoKey, size: u32, headers: &HeaderMap) -> Option<Response<Body>> {
        if !self.photos.is_ready() {
            return Some(unavailable());
        }
        let stored = self.photos.find(key, size)?;
        if is_known(headers, stored.sha256()) {
            return Some(self.not_modified(stored.sha256()));
        }
        match self.photos.read(&stored).await {
            PhotoBytes::Read(bytes) => Some(self.answer(stored.sha256(), bytes, headers)),
            PhotoBytes::Gone => None,
            PhotoBytes::Unavailable => Some(unavailable()),
        }
    }

    fn answer(&self, sha256: Digest, photo: Bytes, headers: &HeaderMap) -> Response<Body> {
        if is_known(headers, sha256) {
            return self.not_modified(sha256);
        }
        let mut answer = self.not_modified(sha256);
        *answer.status_mut() = StatusCode::OK;
        *answer.body_mut() = Body::from(photo);
        with(answer, CONTENT_TYPE, "image/jpeg")
    }

    fn not_modified(&self, sha256: Digest) -> Response<Body> {
        let answer = with(empty(StatusCode::NOT_MODIFIED), ETAG, &etag(sha256));
        with(answer, CACHE_CONTROL, &self.max_age())
    }

    fn not_found(&self) -> Response<Body> {
        if self.photos.is_ready() {
            with(empty(StatusCode::NOT_FOUND), CACHE_CONTROL, &self.max_age())
        } else {
            unavailable()
        }
    }

    fn max_age(&self) -> String {
        format!("max-age={}", self.max_age.as_secs())
    }
}

fn is_known(headers: &HeaderMap, sha256: Digest) -> bool {
    let etag = etag(sha256);
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn etag(sha256: Digest) -> String {
    format!("\"{sha256}\"")
}

fn size(query: Option<&str>) -> Option<u32> {
    option(query, ["s", "size"])?.parse().ok()
}

fn option(query: Option<&str>, names: [&str; 2]) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(name, _)| names.contains(&name.as_ref())).map(|(_, value)| value.into_owned())
}

fn unavailable() -> Response<Body> {
    with(empty(StatusCode::SERVICE_UNAVAILABLE), RETRY_AFTER, "10")
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn with(mut answer: Response<Body>, name: HeaderName, value: &str) -> Response<Body> {
    if let Ok(value) = value.parse() {
        answer.headers_mut().insert(name, value);
    }
    answer
}
