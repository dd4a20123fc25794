//! A server that answers every request by one closure and remembers what it was asked.
//!
//! It plays Graph, the login host and the managed identity endpoint alike; the closure decides.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use futures::stream;
use photorelay::graph::{Graph, GraphConfig, Token, TokenError, TokenSource};
use photorelay_core::id::UserId;
use photorelay_core::retry::RetryPolicy;
use serde_json::{Value, json};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use url::Url;

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The form fields of a token request.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let fields = url::form_urlencoded::parse(&self.body).collect::<Vec<_>>();
        fields.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
type Script = dyn Fn(usize, Asked) -> Answering + Send + Sync;

/// Stops when dropped.
pub(crate) struct Server {
    pub(crate) base: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Server {
    /// `script` gets the number of the request, from 0, and the request.
    pub(crate) async fn start(script: impl Fn(usize, &Asked) -> Response<Body> + Send + Sync + 'static) -> Self {
        Self::start_async(move |number, asked| {
            let answer = script(number, &asked);
            Box::pin(async move { answer })
        })
        .await
    }

    pub(crate) async fn start_async(script: impl Fn(usize, Asked) -> Answering + Send + Sync + 'static) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let remembered = Arc::clone(&asked);
        let router = Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Asked { method, uri, headers, body };
            let number = {
                let mut remembered = remembered.lock().unwrap();
                remembered.push(request.clone());
                remembered.len() - 1
            };
            script(number, request)
        });
        let serving = TaskTracker::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, asked, _serving: AbortOnDropHandle::new(serving) }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// A client of this server that has a token and hardly waits.
    pub(crate) fn graph(&self) -> Graph {
        self.graph_with(Arc::new(OneToken), |_| ())
    }

    pub(crate) fn graph_with(&self, tokens: Arc<dyn TokenSource>, adjust: impl FnOnce(&mut GraphConfig)) -> Graph {
        let mut config = GraphConfig::new(self.base.join("/v1.0").unwrap());
        config.retry = QUICK;
        adjust(&mut config);
        Graph::new(config, tokens).unwrap()
    }
}

/// As patient as production in attempts, not in time.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 4,
    total: Duration::from_secs(20),
    first_delay: Duration::from_millis(1),
    max_delay: Duration::from_millis(2),
};

pub(crate) const TOKEN: &str = "eyJ-the-token-that-nobody-may-see";

/// Always the same token.
#[derive(Debug)]
pub(crate) struct OneToken;

#[async_trait::async_trait]
impl TokenSource for OneToken {
    async fn token(&self) -> Result<Token, TokenError> {
        Ok(Token::new(TOKEN.into(), 1))
    }

    async fn invalidate(&self, _: &Token) {}
}

pub(crate) fn user(number: u32) -> UserId {
    format!("1f2c0b0e-0000-4000-8000-{number:012}").parse().unwrap()
}

pub(crate) fn answer(status: u16) -> axum::http::response::Builder {
    Response::builder().status(StatusCode::from_u16(status).unwrap()).header("request-id", "req-1")
}

pub(crate) fn with_json(status: u16, body: &Value) -> Response<Body> {
    answer(status).header("content-type", "application/json").body(body.to_string().into()).unwrap()
}

/// Graph's error envelope.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Response<Body> {
    with_json(status, &envelope(code, message))
}

pub(crate) fn envelope(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "innerError": {"request-id": "inner-1"}}})
}

/// A body that promises more than it gives and then breaks.
pub(crate) fn cut(promised: usize, given: &'static [u8]) -> Response<Body> {
    let parts = [Ok(Bytes::from_static(given)), Err(std::io::Error::other("cut"))];
    answer(200)
        .header("content-type", "image/jpeg")
        .header("content-length", promised)
        .body(Body::from_stream(stream::iter(parts)))
        .unwrap()
}

/// A body without a length and without an end.
pub(crate) fn endless(content_type: &str) -> Response<Body> {
    let parts = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 64 * 1024])));
    answer(200).header("content-type", content_type).body(Body::from_stream(parts)).unwrap()
}
