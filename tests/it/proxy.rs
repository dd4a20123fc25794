//! A place on the wire between a program and a server, where a test holds one named request.
//!
//! A request that is held before it reaches the server, or whose answer is held after the server has carried it out,
//! waits until the test lets it go on or cuts it off. Nothing else is changed on the way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use graph_sim::HoldPoint;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

/// More than any blob of the tests.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// A running proxy. Dropping it closes its port.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Way {
    /// Where requests are sent on to; none means that there is nobody.
    server: Mutex<Option<SocketAddr>>,
    holds: Mutex<Vec<ApprovalItem>>,
    client: reqwest::Client,
}

#[derive(Debug)]
struct ApprovalItem {
    method: Method,
    path: String,
    point: HoldPoint,
    /// So many matching requests pass before one is held.
    pass: usize,
    state: Arc<watch::Sender<Held>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    NotYet,
    Arrived,
    GoesOn,
    Cut,
}

impl Proxy {
    pub(crate) async fn before(server: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let way =
            Arc::new(Way { server: Mutex::new(server), holds: Mutex::default(), client: client.build().unwrap() });
        let app = Router::new().fallback(forward).with_state(Arc::clone(&way));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, way, _server: server }
    }

    /// The same URL on this proxy.
    pub(crate) fn of(&self, url: &Url) -> Url {
        let mut url = url.clone();
        url.set_port(Some(self.address.port())).unwrap();
        url
    }

    pub(crate) fn url(&self) -> Url {
        Url::parse(&format!("http://{}", self.address)).unwrap()
    }

    /// From now on requests go there.
    pub(crate) fn lead_to(&self, server: Option<SocketAddr>) {
        *self.way.server.lock().unwrap() = server;
    }

    /// Holds one request of this method and path at this point, after `pass` others like it. `*` in the path stands
    /// for any run of characters; it is compared without the query.
    pub(crate) fn hold(&self, method: &Method, path: &str, point: HoldPoint, pass: usize) -> Hold {
        let state = Arc::new(watch::Sender::new(Held::NotYet));
        let waiting =
            ApprovalItem { method: method.clone(), path: path.to_owned(), point, pass, state: Arc::clone(&state) };
        self.way.holds.lock().unwrap().push(waiting);
        Hold { state }
    }
}

/// A hold on one request. Dropping it lets the request go on.
#[derive(Debug)]
pub(crate) struct Hold {
    state: Arc<watch::Sender<Held>>,
}

impl Hold {
    /// Until the request has come to the point.
    pub(crate) async fn arrived(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this hold.
        let _ = state.wait_for(|state| *state != Held::NotYet).await;
    }

    /// The request goes no further: not to the server, or not back with its answer.
    pub(crate) fn cut(self) {
        self.state.send_replace(Held::Cut);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.state.send_if_modified(|state| {
            let open = *state != Held::Cut;
            if open {
                *state = Held::GoesOn;
            }
            open
        });
    }
}

impl Way {
    /// Waits if a hold is on this request. `false` if it goes no further.
    async fn passes(&self, method: &Method, path: &str, point: HoldPoint) -> bool {
        let caught = {
            let mut holds = self.holds.lock().unwrap();
            holds.retain(|hold| *hold.state.borrow() == Held::NotYet);
            let found = holds
                .iter_mut()
                .find(|hold| hold.point == point && hold.method == *method && matches(&hold.path, path));
            match found {
                Some(hold) if hold.pass == 0 => {
                    hold.state.send_replace(Held::Arrived);
                    Some(hold.state.subscribe())
                }
                Some(hold) => {
                    hold.pass -= 1;
                    None
                }
                None => None,
            }
        };
        match caught {
            None => true,
            Some(mut state) => {
                let end = state.wait_for(|state| matches!(state, Held::GoesOn | Held::Cut)).await;
                end.is_ok_and(|state| *state == Held::GoesOn)
            }
        }
    }

    async fn send_on(&self, request: axum::http::request::Parts, body: Bytes) -> Option<Response> {
        let server = (*self.server.lock().unwrap())?;
        let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
        let answer = self
            .client
            .request(request.method, format!("http://{server}{target}"))
            .headers(end_to_end(request.headers))
            .body(body)
            .send()
            .await
            .ok()?;
        let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
        let body = answer.bytes().await.ok()?;
        Some((status, headers, Body::from(body)).into_response())
    }
}

async fn forward(State(way): State<Arc<Way>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return StatusCode::BAD_REQUEST.into_response() };
    // The Azure SDK writes the slashes within a blob name like this.
    let (method, path) = (head.method.clone(), head.uri.path().replace("%2F", "/"));
    if !way.passes(&method, &path, HoldPoint::Before).await {
        return std::future::pending().await;
    }
    let answer = way.send_on(head, body).await;
    if !way.passes(&method, &path, HoldPoint::After).await {
        return std::future::pending().await;
    }
    answer.unwrap_or_else(|| StatusCode::BAD_GATEWAY.into_response())
}

/// Without what belongs to one connection alone.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::HOST] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}

fn matches(pattern: &str, path: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == path };
    let Some(path) = path.strip_prefix(head) else { return false };
    (0..=path.len()).any(|at| path.is_char_boundary(at) && matches(rest, &path[at..]))
}
