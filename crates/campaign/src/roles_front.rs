//! A storage service as an identity sees it whose roles have not arrived yet: every request is denied until then, and
//! passed on from then on.
//!
//! What is passed on goes to containers and queues of the front's own, whose names begin with its prefix, so that many
//! fronts share one service and none sees what another one stored.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

/// More than any blob of a campaign.
const LARGEST_BODY: usize = 16 * 1024 * 1024;
/// What Azure Storage answers an identity without the role.
const DENIAL: (&str, &str) = (
    "AuthorizationPermissionMismatch",
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthorizationPermissionMismatch</Code><Message>This request is \
     not authorized to perform this operation using this permission.</Message></Error>",
);

/// A running front. Dropping it closes its port.
#[derive(Debug)]
pub struct RolesFront {
    url: Url,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct FrontRules {
    /// Host and port of the service.
    service: String,
    prefix: String,
    roles_at: Instant,
    client: reqwest::Client,
}

impl RolesFront {
    /// Denies until `roles_at`.
    pub async fn before(service: &Url, prefix: &str, roles_at: Instant) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut url = service.clone();
        url.set_port(Some(listener.local_addr()?.port())).expect("a URL with a host");
        let host = service.host_str().unwrap_or_default();
        let rules = FrontRules {
            service: format!("{host}:{}", service.port_or_known_default().unwrap_or_default()),
            prefix: prefix.to_owned(),
            roles_at,
            client: reqwest::Client::builder().no_proxy().build().map_err(std::io::Error::other)?,
        };
        let router = Router::new().fallback(pass_on).with_state(Arc::new(rules));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, _server: server })
    }

    /// The service's URL at this front.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

async fn pass_on(State(rules): State<Arc<FrontRules>>, request: Request) -> Response {
    let (code, body) = DENIAL;
    if Instant::now() < rules.roles_at {
        return (StatusCode::FORBIDDEN, [("x-ms-error-code", code), ("content-type", "application/xml")], body)
            .into_response();
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let target = format!("http://{}{}", rules.service, own_path(&head.uri, &rules.prefix));
    let sent = rules.client.request(head.method, target).headers(end_to_end(head.headers)).body(body).send().await;
    let Ok(answer) = sent else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), end_to_end(answer.headers().clone()));
    match answer.bytes().await {
        Ok(body) => (status, headers, Body::from(body)).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// `/{account}/{container or queue}/...` with the prefix before the container or queue.
fn own_path(uri: &Uri, prefix: &str) -> String {
    let mut parts = uri.path().splitn(3, '/').skip(1);
    let (account, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let rest = if rest.is_empty() { String::new() } else { format!("{prefix}{rest}") };
    format!("/{account}/{rest}{query}")
}

/// Without what belongs to one connection alone.
fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::HOST] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers
}
