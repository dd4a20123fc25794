//! What a client asks before it signs in: where a tenant's endpoints are, and whether a sign-in service is a known one.
//!
//! No endpoint that these documents name is at another address than the simulator's, so that no client leaves it.
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>

use serde_json::json;
use url::Url;

use super::credentials::{SignInRefusal, is_tenant};
use super::sign_in::refused;
use super::{ApiCall, ApiResponse, ApiState};

const CLAIMS: [&str; 18] = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
];

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(crate) fn openid_configuration(state: &ApiState, call: &ApiCall, tenant: &str) -> ApiResponse {
    if !is_tenant(state, tenant) {
        return refused(state, call, ("discovery_tenant_unknown", vec![("tenant", tenant.to_owned())]));
    }
    let base = format!("{}/{}", state.url, state.model.id);
    let host = host_and_port(state);
    let body = json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{base}/v2.0"),
        "request_uri_parameter_supported": false,
        "userinfo_endpoint": format!("{}/oidc/userinfo", state.url),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "http_logout_supported": true,
        "frontchannel_logout_supported": true,
        "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
        "claims_supported": CLAIMS,
        "kerberos_endpoint": format!("{base}/kerberos"),
        "tenant_region_scope": "WW",
        "cloud_instance_name": host,
        "cloud_graph_host_name": host,
        "msgraph_host": host,
        "rbac_url": state.url,
    });
    ApiResponse::json(200, body).with("Cache-Control", "max-age=86400, private")
}

/// `GET /common/discovery/instance`: only the simulator's own address is a known sign-in service.
pub(crate) fn instance(state: &ApiState, call: &ApiCall) -> ApiResponse {
    known_instance(state, call).unwrap_or_else(|refusal| refused(state, call, refusal))
}

fn known_instance(state: &ApiState, call: &ApiCall) -> Result<ApiResponse, SignInRefusal> {
    let required = |name: &'static str| {
        let missing = || ("parameter_missing", vec![("parameter", name.to_owned())]);
        call.query_option(name).ok_or_else(missing)
    };
    required("api-version")?;
    let malformed = || ("discovery_malformed", Vec::new());
    let endpoint = Url::parse(required("authorization_endpoint")?).map_err(|_| malformed())?;
    let host = endpoint.host_str().ok_or_else(malformed)?;
    let tenant = endpoint.path_segments().and_then(|mut parts| parts.next()).unwrap_or_default();
    let own = Url::parse(&state.url).ok();
    if own.as_ref().and_then(Url::host_str) != Some(host) {
        return Err(("discovery_instance_unknown", Vec::new()));
    }
    // As the client wrote it: MSAL for Python leaves the port out, others look for their own spelling.
    let known = endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let body = json!({
        "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", state.url),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": known, "preferred_cache": known, "aliases": [known] }],
    });
    Ok(ApiResponse::json(200, body))
}

fn host_and_port(state: &ApiState) -> &str {
    state.url.split_once("://").map_or(state.url.as_str(), |(_, host)| host)
}
