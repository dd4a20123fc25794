//! The token endpoint and the check of bearer tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::config::SimApp;
use crate::locked::locked;

use super::credentials::{SignInRefusal, granted};
use super::tokens::TokenCheck;
use super::{ApiCall, ApiResponse, ApiResult, ApiState, Caller};

const CHALLENGE: &str = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"";

/// The holder of the bearer token of a Graph call.
pub(crate) fn bearer(state: &ApiState, call: &ApiCall) -> ApiResult<Caller> {
    let text = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let check = text.map(|text| locked(&state.tokens).check(text, state.now()));
    let refusal = match check {
        Some(TokenCheck::Valid(caller)) => return Ok(caller),
        Some(TokenCheck::Revoked) => state.error("token_invalid", &[]),
        Some(TokenCheck::Unknown) => state.refuse(call, "token_invalid", &[]),
        Some(TokenCheck::Expired) => state.refuse(call, "token_expired", &[]),
        None => state.refuse(call, "token_empty", &[]),
    };
    Err(refusal.with("WWW-Authenticate", CHALLENGE))
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) fn token(state: &ApiState, call: &ApiCall, tenant: &str) -> ApiResponse {
    match granted(state, call, tenant) {
        Ok(app) => {
            let (text, _) = issue(state, app);
            let seconds = state.config.token_lifetime.as_secs();
            let body = json!({
                "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": text,
            });
            ApiResponse::json(200, body).with("Cache-Control", "no-store, no-cache")
        }
        Err(refusal) => refused(state, call, refusal),
    }
}

/// The sign-in service's error, recorded as a violation.
pub(crate) fn refused(state: &ApiState, call: &ApiCall, (name, fill): SignInRefusal) -> ApiResponse {
    state.record_violation(call, format!("sign-in refused: {name}"));
    let fill: Vec<(&str, &str)> = fill.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let error = state.catalog.sign_in_error(name, &fill);
    let (trace, correlation) = (state.model.dice.guid(), state.model.dice.guid());
    let time = state.now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let description = format!("{} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}", error.message);
    let body = json!({
        "error": error.code, "error_description": description, "error_codes": [error.number],
        "timestamp": time, "trace_id": trace, "correlation_id": correlation,
    });
    ApiResponse::json(error.status, body)
}

/// A new token for an app, and when it expires.
pub(crate) fn issue(state: &ApiState, app: &SimApp) -> (String, Timestamp) {
    let lifetime = SignedDuration::try_from(state.config.token_lifetime).unwrap_or(SignedDuration::MAX);
    let (now, expires) = (state.now(), state.now() + lifetime);
    let text = token_text(state, app, now, expires);
    let caller = Caller { app_id: app.client_id, roles: app.roles.clone() };
    locked(&state.tokens).issue(text.clone(), caller, expires);
    (text, expires)
}

/// In the form of a JSON web token, so that a client can read its roles. The signature is fake.
fn token_text(state: &ApiState, app: &SimApp, issued: Timestamp, expires: Timestamp) -> String {
    let tenant = state.model.id;
    let claims = json!({
        "aud": "https://graph.microsoft.com", "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": issued.as_second(), "nbf": issued.as_second(), "exp": expires.as_second(), "appid": app.client_id,
        "idtyp": "app", "roles": app.roles, "tid": tenant, "ver": "1.0",
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = format!("simulated-{}{}", state.model.dice.guid().simple(), state.model.dice.guid().simple());
    format!("{}.{}.{signature}", part(json!({ "typ": "JWT", "alg": "none" })), part(claims))
}
