//! The HTTP front end: routes, keys, requests that are proxied as they came, and requests in envelopes.

use std::sync::Arc;

use anyhow::Result;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::host::{HOST_VERSION, Host};
use crate::package::{HostedFunction, is};
use crate::{decode, encode};

const LARGEST_BODY: usize = 104_857_600;

pub(crate) async fn serve(State(host): State<Arc<Host>>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let matching = host.app.functions.iter().filter(|function| function.kind() == "httpTrigger").find_map(|function| {
        let route = format!("{}/{}", host.app.route_prefix, function.route());
        let parameters = route_parameters(route.trim_start_matches('/'), &path)?;
        allows(function, request.method().as_str()).then_some((function, parameters))
    });
    let Some((function, parameters)) = matching else { return StatusCode::NOT_FOUND.into_response() };
    if function.trigger["authLevel"].as_str() != Some("anonymous") && !knows_key(&request, &host.options.key) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if host.ready().await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let is_proxied = (host.app.proxying || host.app.forwarding) && function.is_plain_http();
    let limit = host.options.http_limit;
    if is_proxied {
        // Not a task of its own: when the caller goes away, this is dropped, and the handler's connection with it.
        return match tokio::time::timeout(limit, proxied(&host, request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
        };
    }
    let (working, function) = (Arc::clone(&host), function.clone());
    let response = host.requests.spawn(async move { enveloped(&working, &function, parameters, request).await });
    match tokio::time::timeout(limit, response).await {
        Ok(Ok(Ok(response))) => response,
        Ok(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => StatusCode::GATEWAY_TIMEOUT.into_response(),
    }
}

fn allows(function: &HostedFunction, method: &str) -> bool {
    let Some(methods) = function.trigger["methods"].as_array() else { return true };
    methods.iter().filter_map(Value::as_str).any(|allowed| allowed.eq_ignore_ascii_case(method))
}

fn knows_key(request: &Request, key: &str) -> bool {
    let header = request.headers().get("x-functions-key").and_then(|value| value.to_str().ok());
    header == Some(key) || query(request).iter().any(|(name, value)| name == "code" && value == key)
}

fn query(request: &Request) -> Vec<(String, String)> {
    form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The values of `{name}`, `{name:constraint}` and `{*rest}`.
fn route_parameters(route: &str, path: &str) -> Option<Map<String, Value>> {
    let (mut values, mut parts) = (Map::new(), path.split('/'));
    for segment in route.split('/') {
        let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
            if !parts.next()?.eq_ignore_ascii_case(segment) {
                return None;
            }
            continue;
        };
        if let Some(name) = name.strip_prefix('*') {
            values.insert(name.to_owned(), json!(parts.collect::<Vec<_>>().join("/")));
            return Some(values);
        }
        let name = name.split(':').next().unwrap_or(name);
        values.insert(name.to_owned(), json!(parts.next()?));
    }
    parts.next().is_none().then_some(values)
}

/// Streamed both ways, whatever the handler answers; a redirect goes to the caller. Forwarding, the older way, loses a
/// body without a length.
async fn proxied(host: &Host, request: Request) -> Result<Response> {
    let target = format!("http://127.0.0.1:{}{}", host.worker.port, request.uri());
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove("host");
    headers.insert("x-azure-functions-invocationid", Uuid::new_v4().to_string().parse()?);
    headers.insert("x-azure-functions-hostversion", HOST_VERSION.parse()?);
    let body = match host.app.proxying || has_length(&headers) {
        true => reqwest::Body::wrap_stream(body.into_data_stream()),
        false => reqwest::Body::from(""),
    };
    let reply = host.proxy.request(parts.method, target).headers(headers).body(body).send().await?;
    let mut response = Response::builder().status(reply.status());
    for (name, value) in reply.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from_stream(reply.bytes_stream()))?)
}

async fn enveloped(
    host: &Host,
    function: &HostedFunction,
    params: Map<String, Value>,
    request: Request,
) -> Result<Response> {
    let queried: Map<String, Value> = query(&request).into_iter().fold(Map::new(), |mut all, (name, value)| {
        let joined = all.get(&name).and_then(Value::as_str).map(|first| format!("{first},{value}"));
        all.insert(name, Value::String(joined.unwrap_or(value)));
        all
    });
    let (parts, body) = request.into_parts();
    let mut data = json!({
        "Url": parts.uri.to_string(), "Method": parts.method.as_str(), "Query": queried,
        "Headers": headers(&parts.headers), "Params": params,
        "Identities": [{ "AuthenticationType": null, "IsAuthenticated": false, "Claims": [] }],
    });
    if has_length(&parts.headers) {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let bytes = to_bytes(body, LARGEST_BODY).await?;
        let binary =
            ["application/octet-stream", "multipart/"].iter().any(|kind| header("content-type").starts_with(kind));
        let text = if binary { STANDARD.encode(&bytes) } else { String::from_utf8_lossy(&bytes).into_owned() };
        data["Body"] = Value::String(text);
    }
    let mut metadata = Map::new();
    metadata.insert("Query".into(), data["Query"].clone());
    let envelope = encode::envelope(function, data, metadata, &host.options.faults);
    let reply = host.invoke_with_outputs(function, envelope).await?;
    let name = function.outputs.iter().find(|output| is(output, "http")).and_then(|output| output["name"].as_str());
    let output = decode::http_output(&reply, name.unwrap_or("$return"))?;
    let mut response = Response::builder().status(output.status);
    for (name, value) in output.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Body::from(output.body))?)
}

/// Without a length, as when it is chunked, a body is lost.
fn has_length(headers: &HeaderMap) -> bool {
    let length = headers.get("content-length").and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > 0)
}

fn headers(headers: &HeaderMap) -> Value {
    let mut all = Map::new();
    for name in headers.keys() {
        let values: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        all.insert(name.to_string(), json!(values));
    }
    Value::Object(all)
}
