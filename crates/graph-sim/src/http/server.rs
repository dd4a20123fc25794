//! Receives requests, logs them and adds the headers that every response of Graph carries.
//!
//! A call is carried out to its end even when the caller disconnects, as Graph does; only its response is lost.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::locked::locked;

use super::pipeline::{CarriedOut, perform};
use super::request_log::RecordedRequest;
use super::response::ApiBody;
use super::route::Route;
use super::{ApiCall, ApiResponse, ApiState, batch, control, dispatch, photo_writes, wire};

/// Room for a photo that is too large, so that it is refused with Graph's own error.
const LARGEST_BODY: usize = photo_writes::LARGEST_UPLOAD + (1 << 20);
const LOGGED_HEADERS: [&str; 6] =
    ["client-request-id", "user-agent", "if-none-match", "x-ms-throttle-priority", "content-type", "prefer"];
const DIAGNOSTIC: &str = r#"{"ServerInfo":{"DataCenter":"Simulated","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SIM00000001"}}"#;

pub(crate) async fn handle(State(state): State<Arc<ApiState>>, request: Request) -> Response {
    let task = state.tasks.spawn(received(state.clone(), request));
    task.await.unwrap_or_else(|_| {
        let call = ApiCall::new(Method::GET, "/", Default::default(), Bytes::new(), false);
        state.record_violation(&call, "the simulator panicked".into());
        let mut response = Response::new(Body::from("the simulator panicked"));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn received(state: Arc<ApiState>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let body = axum::body::to_bytes(body, LARGEST_BODY).await;
    let is_too_large = body.is_err();
    let call = ApiCall::new(head.method, &target, head.headers, body.unwrap_or_default(), false);
    if call.segments.first().is_some_and(|first| first == "_sim") {
        return wire::written(&state, control::respond(&state, &call), false, None);
    }
    let route = Route::of(&call);
    let done = if is_too_large {
        state.refuse(&call, "body_too_large", &[]).into()
    } else {
        carry_out(&state, &route, &call).await
    };
    record(&state, &call, &route, target, &done);
    let response = with_graph_headers(&state, &route, &call, done.response);
    let is_graph = call.segments.first().is_some_and(|first| first == "v1.0" || first == "beta");
    wire::written(&state, response, is_graph, done.body_fault)
}

async fn carry_out(state: &ApiState, route: &Route, call: &ApiCall) -> CarriedOut {
    if *route == Route::Batch {
        return perform(state, route, call, batch::respond(state, call)).await;
    }
    perform(state, route, call, async { dispatch::respond(state, route, call, None).await.into() }).await
}

fn with_graph_headers(state: &ApiState, route: &Route, call: &ApiCall, response: ApiResponse) -> ApiResponse {
    let request_id = state.model.dice.guid();
    let client_request_id = call.header("client-request-id").map_or_else(|| request_id.to_string(), str::to_owned);
    let response = response.finished(request_id, &client_request_id, state.now());
    if route.is_sign_in() {
        return response;
    }
    let response = response
        .with("request-id", request_id.to_string())
        .with("client-request-id", client_request_id)
        .with("x-ms-ags-diagnostic", DIAGNOSTIC);
    if matches!(response.body, ApiBody::Json(_)) { response.with("OData-Version", "4.0") } else { response }
}

fn record(state: &ApiState, call: &ApiCall, route: &Route, target: String, done: &CarriedOut) {
    let logged = |name: &&str| Some(((*name).to_owned(), call.header(name)?.to_owned()));
    locked(&state.requests).add(RecordedRequest {
        at: state.now(),
        method: call.method.to_string(),
        target,
        template: route.template().to_owned(),
        status: done.response.status,
        headers: LOGGED_HEADERS.iter().filter_map(logged).collect(),
        items: done.items.clone(),
    });
}
