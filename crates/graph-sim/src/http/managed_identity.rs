//! `GET /msi/token`, the endpoint that App Service gives to a function app.

use serde_json::json;
use uuid::Uuid;

use super::credentials::is_graph;
use super::sign_in::issue;
use super::{ApiCall, ApiResponse, ApiState};

pub(crate) fn token(state: &ApiState, call: &ApiCall) -> ApiResponse {
    let refused = |name: &str, reason: &str| {
        state.record_violation(call, format!("identity refused: {name} {reason}"));
        let error = state.catalog.sign_in_error(name, &[("reason", reason)]);
        let body = json!({ "statusCode": error.status, "error": error.code, "message": error.message });
        ApiResponse::json(error.status, body)
    };
    if call.header("x-identity-header") != Some(state.config.identity_header.as_str()) {
        return refused("identity_header", "");
    }
    if call.query_option("api-version") != Some("2019-08-01") {
        return refused("identity_request", "api-version must be 2019-08-01");
    }
    let Some(resource) = call.query_option("resource").filter(|resource| is_graph(state, resource)) else {
        return refused("identity_request", "resource must be that of Microsoft Graph");
    };
    let app = &state.config.app;
    if call.query_option("client_id").is_some_and(|client| Uuid::try_parse(client).ok() != Some(app.client_id)) {
        return refused("identity_request", "no managed identity has this client_id");
    }
    let (text, expires) = issue(state, app);
    let body = json!({
        "access_token": text, "expires_on": expires.as_second().to_string(), "resource": resource,
        "token_type": "Bearer", "client_id": app.client_id,
    });
    ApiResponse::json(200, body)
}
