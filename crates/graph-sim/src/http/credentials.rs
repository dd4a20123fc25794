//! The credentials of a token request: a secret, a certificate or a federated assertion.
//!
//! Assertions are checked for form, claims and time; signatures are not.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use uuid::Uuid;

use crate::config::SimApp;

use super::{ApiCall, ApiState};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const FEDERATED_AUDIENCE: &str = "api://AzureADTokenExchange";
const GRAPHS: [&str; 4] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
];
/// The service allows five minutes of clock skew.
const CLOCK_SKEW: i64 = 300;

/// The name of a sign-in error, and the values of its placeholders.
pub(crate) type SignInRefusal = (&'static str, Vec<(&'static str, String)>);

/// The app that may have a token.
pub(crate) fn granted<'a>(state: &'a ApiState, call: &ApiCall, tenant: &str) -> Result<&'a SimApp, SignInRefusal> {
    let tenant_id = Uuid::try_parse(tenant).ok();
    if tenant_id.is_none() && !tenant.contains('.') {
        return Err(("tenant_malformed", vec![("tenant", tenant.to_owned())]));
    }
    if !is_tenant(state, tenant) {
        return Err(("tenant_unknown", vec![("tenant", tenant.to_owned())]));
    }
    let missing = |parameter: &str| ("parameter_missing", vec![("parameter", parameter.to_owned())]);
    if call.media_type() != "application/x-www-form-urlencoded" {
        return Err(missing("grant_type"));
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str);
    match field("grant_type") {
        None => return Err(missing("grant_type")),
        Some("client_credentials") => {}
        Some(grant) => return Err(("grant_unsupported", vec![("grant", grant.into())])),
    }
    let (basic_id, basic_secret) = basic(call).unzip();
    let client = field("client_id").or(basic_id.as_deref()).ok_or_else(|| missing("client_id"))?;
    let unknown = || ("app_unknown", vec![("client", client.to_owned()), ("tenant", tenant.to_owned())]);
    let id = Uuid::try_parse(client).map_err(|_| unknown())?;
    let apps = [&state.config.app, &state.config.people_app];
    let app = apps.into_iter().find(|app| app.client_id == id).ok_or_else(unknown)?;
    check_scope(state, field("scope").unwrap_or_default())?;
    match (field("client_secret").or(basic_secret.as_deref()), field("client_assertion")) {
        (Some(secret), None) if secret == app.secret => Ok(app),
        (Some(_), None) => Err(("wrong_secret", vec![("client", client.to_owned())])),
        (None, Some(jwt)) if field("client_assertion_type") == Some(ASSERTION_TYPE) => {
            check_assertion(state, app, jwt).map(|()| app).map_err(|name| (name, Vec::new()))
        }
        _ => Err(("credential_missing", Vec::new())),
    }
}

/// Whether a text names the tenant, by its id or its domain.
pub(crate) fn is_tenant(state: &ApiState, text: &str) -> bool {
    Uuid::try_parse(text).ok() == Some(state.model.id) || text == "contoso.test"
}

/// Whether a resource is Graph, of any cloud or at this simulator's own address.
pub(crate) fn is_graph(state: &ApiState, resource: &str) -> bool {
    let resource = resource.trim_end_matches('/');
    GRAPHS.contains(&resource) || resource == state.url
}

fn check_scope(state: &ApiState, scope: &str) -> Result<(), SignInRefusal> {
    let refused = |name| Err((name, vec![("scope", scope.to_owned())]));
    match scope.strip_suffix("/.default") {
        Some(resource) if is_graph(state, resource) => Ok(()),
        None if !scope.is_empty() => refused("scope_not_default"),
        _ => refused("scope_invalid"),
    }
}

fn basic(call: &ApiCall) -> Option<(String, String)> {
    let text = STANDARD.decode(call.header("authorization")?.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// An error is the name of the sign-in error.
fn check_assertion(state: &ApiState, app: &SimApp, jwt: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = jwt.split('.').collect();
    let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let [header, claims, signature] = parts.as_slice() else { return Err("assertion_signature") };
    let (Some(header), Some(claims), false) = (json(header), json(claims), signature.is_empty()) else {
        return Err("assertion_signature");
    };
    if !is_certificate_assertion(state, app, &header, &claims) && !is_federated_assertion(app, &claims) {
        return Err("assertion_signature");
    }
    let now = state.now().as_second();
    let time = |name: &str, absent: i64| claims[name].as_i64().unwrap_or(absent);
    let is_current = time("exp", 0) + CLOCK_SKEW >= now && time("nbf", now) - CLOCK_SKEW <= now;
    if is_current { Ok(()) } else { Err("assertion_time") }
}

fn is_certificate_assertion(state: &ApiState, app: &SimApp, header: &Value, claims: &Value) -> bool {
    let client = app.client_id.to_string();
    let audience = text(claims, "aud").ends_with(&format!("/{}/oauth2/v2.0/token", state.model.id));
    let is_own = text(claims, "iss") == client && text(claims, "sub") == client && audience;
    let accepted = &app.certificate_thumbprints;
    let is_accepted = |print: &&str| accepted.is_empty() || accepted.iter().any(|one| one == print);
    let mut thumbprints = [text(header, "x5t#S256"), text(header, "x5t")].into_iter().filter(|print| !print.is_empty());
    let is_signed = ["PS256", "RS256"].contains(&text(header, "alg")) && thumbprints.any(|print| is_accepted(&print));
    is_own && is_signed && !text(claims, "jti").is_empty()
}

fn is_federated_assertion(app: &SimApp, claims: &Value) -> bool {
    app.federated.as_ref().is_some_and(|(issuer, subject)| {
        text(claims, "iss") == issuer && text(claims, "sub") == subject && text(claims, "aud") == FEDERATED_AUDIENCE
    })
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
