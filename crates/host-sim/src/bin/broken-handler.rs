//! A handler that misbehaves as `HANDLER_MODE` says, for this crate's tests.

use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "a handler of the tests has no settings but these")]
async fn main() -> std::io::Result<()> {
    let mode = std::env::var("HANDLER_MODE").unwrap_or_default();
    if let Some(code) = mode.strip_prefix("exits-at-start ") {
        std::process::exit(code.parse().unwrap_or(1));
    }
    let port = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").expect("the host names a port");
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    let answer = move |request: Request| {
        let mode = mode.clone();
        async move {
            match mode.as_str() {
                "echo" if request.uri().path() != "/" => echo(request).await,
                _ => answer(&mode, request.uri().path(), request.method()).await,
            }
        }
    };
    axum::serve(listener, axum::Router::new().fallback(answer)).await
}

async fn answer(mode: &str, path: &str, method: &Method) -> Response {
    if path == "/" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if path == "/elsewhere" {
        let status = if *method == Method::GET { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        return (status, [(CONTENT_TYPE, "application/json")], "{}").into_response();
    }
    if let Some(reply) = mode.strip_prefix("reply ") {
        // 70,000 letters are more than a message of a queue can hold.
        let reply = reply.replace("HUGE", &"x".repeat(70_000));
        return ([(CONTENT_TYPE, "application/json")], reply).into_response();
    }
    match mode {
        "failed" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "empty" => StatusCode::OK.into_response(),
        "null" => ([(CONTENT_TYPE, "application/json")], "null").into_response(),
        "text" => ([(CONTENT_TYPE, "text/plain")], "{}").into_response(),
        "not json" => ([(CONTENT_TYPE, "application/json")], "{").into_response(),
        "redirect" => (StatusCode::FOUND, [(LOCATION, "/elsewhere")]).into_response(),
        "error" => StatusCode::BAD_REQUEST.into_response(),
        "slow" => std::future::pending().await,
        "cancelled" => {
            let _request = Cancelled;
            println!("arrived");
            std::future::pending().await
        }
        "exits" => std::process::exit(0),
        "restarts" => std::process::exit(200),
        "crashes" => std::process::exit(3),
        _ => ([(CONTENT_TYPE, "application/json")], "{}").into_response(),
    }
}

/// Says so when the request is dropped.
struct Cancelled;

impl Drop for Cancelled {
    fn drop(&mut self) {
        println!("cancelled");
    }
}

/// What arrived, as JSON.
async fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let headers: serde_json::Map<String, serde_json::Value> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let request = serde_json::json!({
        "method": head.method.as_str(), "uri": head.uri.to_string(), "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")], request.to_string()).into_response()
}
