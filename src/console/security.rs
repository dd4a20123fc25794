//! What every request has to pass before a page sees it, and what every answer carries.
//!
//! The console listens on loopback, but so may any page that a browser on this machine shows send requests to it. So: the
//! Host must be ours (a name that is rebound to 127.0.0.1 is not), the session's cookie must be there, and what changes
//! anything must come from a page of ours. Nothing here may tell more than that the door is shut.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::render::PageError;
use super::state::ConsoleState;

/// The most that a form may send: every photo of a page of approvals, and a reason.
const MAX_FORM_BYTES: usize = 256 * 1024;

/// Where the link leads.
pub(super) const OPEN_PATH: &str = "/open/";

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Stands before all pages.
pub(super) async fn guard(State(console): State<Arc<ConsoleState>>, request: Request, next: Next) -> Response {
    let mut response = match admit(&console, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Why a request does not reach a page: the status, and a line of plain text.
type ShutDoor = (StatusCode, &'static str);

fn admit(console: &ConsoleState, request: &Request) -> Result<(), ShutDoor> {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = console.port;
    if headers.get_all(header::HOST).iter().count() != 1
        || (host != format!("127.0.0.1:{port}") && host != format!("localhost:{port}"))
    {
        return Err((StatusCode::MISDIRECTED_REQUEST, "this is not the address of the console\n"));
    }
    let is_read = request.method() == Method::GET;
    if is_read && request.uri().path().starts_with(OPEN_PATH) {
        return Ok(());
    }
    if !cookies(headers, &cookie_name(port)).any(|session| console.admission.admits(session)) {
        return Err((StatusCode::FORBIDDEN, "open the console with the link that `photorelay console` printed\n"));
    }
    match is_read || (request.method() == Method::POST && is_from_our_page(headers, host)) {
        true => Ok(()),
        false => Err((StatusCode::FORBIDDEN, "only a page of the console may do this\n")),
    }
}

/// Browsers say where a request comes from in one header or the other, and no page can change what they say. Because of
/// our own `no-referrer`, `Origin` is `null` for our forms in browsers that send `Sec-Fetch-Site`.
fn is_from_our_page(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    match (site, text(header::ORIGIN)) {
        (Some("same-origin"), None | Some("null")) => true,
        (Some("same-origin") | None, Some(origin)) => origin == format!("http://{host}"),
        _ => false,
    }
}

/// Cookies do not know ports: two consoles must not share one.
fn cookie_name(port: u16) -> String {
    format!("photorelay-console-{port}")
}

fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).filter_map(move |pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

/// The cookie of the session: for this site alone, and out of reach of scripts.
pub(super) fn session_cookie(port: u16, session: &str) -> String {
    format!("{}={session}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port))
}

/// The fields of a form that a page of this session sent.
pub(super) struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// The value of the field, without blanks around it; none if it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().filter(|(field, _)| field == name);
        named.map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

impl FromRequest<Arc<ConsoleState>> for FormFields {
    type Rejection = PageError;

    async fn from_request(request: Request, console: &Arc<ConsoleState>) -> Result<Self, PageError> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if content_type.is_none_or(|found| !found.starts_with("application/x-www-form-urlencoded")) {
            return Err(PageError::Refused("this is not a form of the console".to_owned()));
        }
        let body = axum::body::to_bytes(request.into_body(), MAX_FORM_BYTES).await;
        let body = body.map_err(|_| PageError::Refused("the form is too large".to_owned()))?;
        let pairs = url::form_urlencoded::parse(&body);
        let fields = Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect());
        match fields.get("csrf").is_some_and(|token| console.admission.is_csrf(token)) {
            true => Ok(fields),
            false => Err(PageError::Refused("the form is not of this session: open the page again".to_owned())),
        }
    }
}
