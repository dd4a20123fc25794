//! A simulator with a client that calls it, and an endpoint that receives notifications.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use graph_sim::{Sim, SimConfig};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

pub(crate) struct Bench {
    pub(crate) sim: Sim,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
    /// A token of the app that may write photos.
    pub(crate) people_token: String,
}

pub(crate) async fn bench(config: SimConfig) -> Bench {
    let sim = Sim::start(config).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let config = sim.config();
    let (app, people) = (config.app.clone(), config.people_app.clone());
    let token = token(&sim, &http, app.client_id, &app.secret).await;
    let people_token = self::token(&sim, &http, people.client_id, &people.secret).await;
    sim.clear_requests();
    Bench { sim, http, token, people_token }
}

async fn token(sim: &Sim, http: &reqwest::Client, client: Uuid, secret: &str) -> String {
    let url = format!("{}/{}/oauth2/v2.0/token", sim.authority_url(), sim.tenant_id());
    let client = client.to_string();
    let form = [
        ("client_id", client.as_str()),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    let answer: Value = http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

impl Bench {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.sim.graph_url())).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The body of a response that must have this status.
    pub(crate) async fn json(&self, status: u16, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let got = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert_eq!(got, status, "{text}");
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    pub(crate) async fn get_json(&self, path: &str) -> Value {
        self.json(200, Method::GET, path, None).await
    }

    pub(crate) async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method, format!("{}/_sim/{path}", self.sim.url()));
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(crate) async fn subscribe(&self, url: &str) -> Uuid {
        let body = self.json(201, Method::POST, "/subscriptions", Some(subscription(url))).await;
        body["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) fn first_user(&self) -> Uuid {
        self.sim.tenant().user_ids()[0]
    }

    /// Ends a test in which no call broke the contract.
    pub(crate) async fn end(self) {
        self.sim.assert_no_violations();
        self.sim.shutdown().await;
    }
}

/// A valid body for a subscription of one day.
pub(crate) fn subscription(url: &str) -> Value {
    json!({
        "changeType": "updated", "resource": "users", "notificationUrl": url, "clientState": "a-secret-state",
        "expirationDateTime": in_hours(24), "latestSupportedTlsVersion": "v1_2",
    })
}

pub(crate) fn in_hours(hours: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string()
}

/// How an endpoint responds to the handshake.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Handshake {
    Good,
    WrongText,
    Json,
    Forbidden,
    Never,
}

pub(crate) struct Received {
    pub(crate) handshakes: Vec<String>,
    pub(crate) posts: Vec<Value>,
}

struct Endpoint {
    received: Mutex<Received>,
    arrived: Notify,
    handshake: Mutex<Handshake>,
    /// Responses to the next POSTs; 202 when there is none left. `None` counts as no response within any limit.
    responses: Mutex<Vec<Option<u16>>>,
}

/// A notification endpoint on loopback.
pub(crate) struct Receiver {
    pub(crate) url: String,
    endpoint: Arc<Endpoint>,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let endpoint = Arc::new(Endpoint {
            received: Mutex::new(Received { handshakes: Vec::new(), posts: Vec::new() }),
            arrived: Notify::new(),
            handshake: Mutex::new(Handshake::Good),
            responses: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?code=K%3D", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(receive).with_state(endpoint.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, endpoint, _server: server }
    }

    pub(crate) fn handshake(&self, how: Handshake) {
        *self.endpoint.handshake.lock().unwrap() = how;
    }

    pub(crate) fn respond_next(&self, responses: &[Option<u16>]) {
        *self.endpoint.responses.lock().unwrap() = responses.iter().rev().copied().collect();
    }

    pub(crate) fn handshakes(&self) -> Vec<String> {
        self.endpoint.received.lock().unwrap().handshakes.clone()
    }

    pub(crate) fn posts(&self) -> Vec<Value> {
        self.endpoint.received.lock().unwrap().posts.clone()
    }

    pub(crate) fn items(&self) -> Vec<Value> {
        self.posts().iter().flat_map(|post| post["value"].as_array().unwrap().clone()).collect()
    }

    /// The people reported so far, without repetition.
    pub(crate) fn people(&self) -> BTreeSet<String> {
        self.items().iter().map(|item| item["resourceData"]["id"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(State(endpoint): State<Arc<Endpoint>>, uri: Uri, body: bytes::Bytes) -> axum::response::Response {
    let respond = |status: u16, content_type: &str, body: String| {
        let response = axum::response::Response::builder().status(status).header("content-type", content_type);
        response.body(axum::body::Body::from(body)).unwrap()
    };
    let query = uri.query().unwrap_or_default();
    let token = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "validationToken");
    if let Some((_, token)) = token {
        endpoint.received.lock().unwrap().handshakes.push(uri.to_string());
        let how = *endpoint.handshake.lock().unwrap();
        return match how {
            Handshake::Good => respond(200, "text/plain; charset=utf-8", token.into_owned()),
            Handshake::WrongText => respond(200, "text/plain", "something else".into()),
            Handshake::Json => respond(200, "application/json", token.into_owned()),
            Handshake::Forbidden => respond(StatusCode::FORBIDDEN.as_u16(), "text/plain", String::new()),
            Handshake::Never => std::future::pending().await,
        };
    }
    endpoint.received.lock().unwrap().posts.push(serde_json::from_slice(&body).unwrap());
    endpoint.arrived.notify_one();
    let next = endpoint.responses.lock().unwrap().pop();
    match next.unwrap_or(Some(202)) {
        Some(status) => respond(status, "text/plain", String::new()),
        None => ([("graph-sim-never", "1")], "").into_response(),
    }
}

/// A body of `answers/samples.json`.
pub(crate) fn sample(name: &str) -> Value {
    let samples: Value = serde_json::from_str(include_str!("../../answers/samples.json")).unwrap();
    samples[name]["body"].clone()
}

pub(crate) fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// A picture of this size, in JPEG.
pub(crate) fn picture(width: u32, height: u32, red: u8) -> Vec<u8> {
    let pixels: Vec<u8> =
        (0..width * height).flat_map(|n| [red, (n % width % 256) as u8, (n / width % 256) as u8]).collect();
    let mut out = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut out, 90);
    encoder.encode(&pixels, width as u16, height as u16, jpeg_encoder::ColorType::Rgb).unwrap();
    out
}

pub(crate) fn dimensions(bytes: &[u8]) -> (u32, u32) {
    image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().unwrap().into_dimensions().unwrap()
}
