//! The sign-in service, the managed-identity endpoint and the check of bearer tokens.
//!
//! Tokens are opaque and short-lived as configured. Assertions are checked for form, claims and time; signatures are not.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::{App, roles};
use crate::inner::Inner;
use crate::locked;
use crate::wire::{Answer, Call};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Whoever holds a token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) app_id: Uuid,
    pub(crate) roles: Vec<String>,
}

impl Caller {
    /// Graph's refusal unless one of the roles is held.
    pub(crate) fn require(&self, inner: &Inner, any_of: &[&str]) -> Result<(), Answer> {
        let held = self.roles.iter().any(|role| any_of.contains(&role.as_str()));
        if held { Ok(()) } else { Err(inner.error("denied", &[])) }
    }
}

/// Roles that may read users.
pub(crate) const READ_USERS: [&str; 2] = [roles::USER_READ, roles::USER_WRITE];
/// Roles that may read who is in a group.
pub(crate) const READ_GROUPS: [&str; 1] = [roles::GROUP_MEMBERS_READ];
/// Roles that may read photos.
pub(crate) const READ_PHOTOS: [&str; 4] = [roles::PHOTO_READ, roles::USER_READ, roles::PHOTO_WRITE, roles::USER_WRITE];
/// Roles that may write photos.
pub(crate) const WRITE_PHOTOS: [&str; 2] = [roles::PHOTO_WRITE, roles::USER_WRITE];

#[derive(Debug)]
struct Token {
    caller: Caller,
    expires: Timestamp,
    revoked: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_text: HashMap<String, Token>,
    issued: u64,
}

impl Tokens {
    /// Makes every token invalid, as a tenant's administrator can; using one afterwards is no violation.
    pub(crate) fn revoke_all(&mut self) {
        for token in self.by_text.values_mut() {
            token.revoked = true;
        }
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }
}

/// The holder of the bearer token of a Graph call.
pub(crate) fn bearer(inner: &Inner, call: &Call) -> Result<Caller, Answer> {
    const CHALLENGE: &str = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", client_id=\"00000003-0000-0000-c000-000000000000\"";
    let challenged = |answer: Answer| answer.with("WWW-Authenticate", CHALLENGE);
    let Some(text) = call.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) else {
        return Err(challenged(inner.refuse(call, "token_empty", &[])));
    };
    let now = inner.now();
    let verdict = match locked(&inner.tokens).by_text.get(text) {
        None => Err((true, "token_invalid")),
        Some(token) if token.revoked => Err((false, "token_invalid")),
        Some(token) if token.expires <= now => Err((true, "token_expired")),
        Some(token) => Ok(token.caller.clone()),
    };
    verdict.map_err(|(violation, name)| {
        challenged(if violation { inner.refuse(call, name, &[]) } else { inner.error(name, &[]) })
    })
}

/// `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) fn token(inner: &Inner, call: &Call, tenant: &str) -> Answer {
    match granted(inner, call, tenant) {
        Ok(app) => {
            let (text, _) = issue(inner, app);
            let seconds = inner.config.token_lifetime.as_secs();
            Answer::json(
                200,
                json!({ "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": text }),
            )
            .with("Cache-Control", "no-store, no-cache")
        }
        Err((name, fill)) => {
            let fill: Vec<(&str, &str)> = fill.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let (status, error, message, number) = inner.answers.signin(name, &fill);
            locked(&inner.journal).violation(call, format!("sign-in refused: {name}"));
            let (trace, correlation, now) = (inner.fresh_guid(), inner.fresh_guid(), inner.now());
            let time = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
            Answer::json(
                status,
                json!({
                    "error": error,
                    "error_description": format!("{message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
                    "error_codes": [number], "timestamp": time, "trace_id": trace, "correlation_id": correlation,
                }),
            )
        }
    }
}

type Refusal = (&'static str, Vec<(&'static str, String)>);

fn granted<'a>(inner: &'a Inner, call: &Call, tenant: &str) -> Result<&'a App, Refusal> {
    if Uuid::try_parse(tenant).is_err() && !tenant.contains('.') {
        return Err(("tenant_malformed", vec![("tenant", tenant.to_owned())]));
    }
    if Uuid::try_parse(tenant).ok() != Some(inner.config.tenant_id) && tenant != "contoso.test" {
        return Err(("tenant_unknown", vec![("tenant", tenant.to_owned())]));
    }
    if call.media_type() != "application/x-www-form-urlencoded" {
        return Err(("parameter_missing", vec![("parameter", "grant_type".into())]));
    }
    let form: HashMap<String, String> = url::form_urlencoded::parse(&call.body).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str);
    match field("grant_type") {
        None => return Err(("parameter_missing", vec![("parameter", "grant_type".into())])),
        Some("client_credentials") => {}
        Some(grant) => return Err(("grant_unsupported", vec![("grant", grant.into())])),
    }
    let (basic_id, basic_secret) = basic(call).unzip();
    let Some(client) = field("client_id").or(basic_id.as_deref()) else {
        return Err(("parameter_missing", vec![("parameter", "client_id".into())]));
    };
    let unknown = || ("app_unknown", vec![("client", client.to_owned()), ("tenant", tenant.to_owned())]);
    let id = Uuid::try_parse(client).map_err(|_| unknown())?;
    let apps = [&inner.config.app, &inner.config.people_app];
    let app = apps.into_iter().find(|app| app.client_id == id).ok_or_else(unknown)?;
    match field("scope") {
        Some(scope) if is_default_scope(inner, scope) => {}
        Some(scope) if !scope.is_empty() && !scope.ends_with("/.default") => {
            return Err(("scope_not_default", vec![("scope", scope.into())]));
        }
        scope => return Err(("scope_invalid", vec![("scope", scope.unwrap_or_default().into())])),
    }
    match (field("client_secret").or(basic_secret.as_deref()), field("client_assertion")) {
        (Some(secret), None) if secret == app.secret => Ok(app),
        (Some(_), None) => Err(("wrong_secret", vec![("client", client.to_owned())])),
        (None, Some(jwt)) if field("client_assertion_type") == Some(ASSERTION_TYPE) => {
            assertion(inner, app, jwt).map(|()| app).map_err(|name| (name, Vec::new()))
        }
        _ => Err(("credential_missing", Vec::new())),
    }
}

/// The scope of the real Graph or of this simulator's own address.
fn is_default_scope(inner: &Inner, scope: &str) -> bool {
    scope.strip_suffix("/.default").is_some_and(|resource| is_graph(inner, resource))
}

fn is_graph(inner: &Inner, resource: &str) -> bool {
    let known = ["https://graph.microsoft.com", "https://graph.microsoft.us", "https://dod-graph.microsoft.us"];
    let resource = resource.trim_end_matches('/');
    known.contains(&resource) || resource == inner.url || resource == "https://microsoftgraph.chinacloudapi.cn"
}

fn basic(call: &Call) -> Option<(String, String)> {
    let text = STANDARD.decode(call.header("authorization")?.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn assertion(inner: &Inner, app: &App, jwt: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = jwt.split('.').collect();
    let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let [header, claims, signature] = parts.as_slice() else { return Err("assertion_signature") };
    let (Some(header), Some(claims), false) = (json(header), json(claims), signature.is_empty()) else {
        return Err("assertion_signature");
    };
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let client = app.client_id.to_string();
    let audience = text(&claims, "aud");
    let endpoint = format!("/{}/oauth2/v2.0/token", inner.config.tenant_id);
    let own = text(&claims, "iss") == client && text(&claims, "sub") == client && audience.ends_with(&endpoint);
    let federated = app.federated.as_ref().is_some_and(|(issuer, subject)| {
        text(&claims, "iss") == *issuer && text(&claims, "sub") == *subject && audience == "api://AzureADTokenExchange"
    });
    if own {
        let thumbprint = [text(&header, "x5t#S256"), text(&header, "x5t")];
        let accepted = &app.certificate_thumbprints;
        let registered = accepted.is_empty() || thumbprint.iter().any(|one| accepted.contains(one));
        let algorithm = ["PS256", "RS256"].contains(&text(&header, "alg").as_str());
        if !registered || !algorithm || thumbprint.iter().all(String::is_empty) || text(&claims, "jti").is_empty() {
            return Err("assertion_signature");
        }
    } else if !federated {
        return Err("assertion_signature");
    }
    let now = inner.now().as_second();
    let time = |name: &str, absent: i64| claims[name].as_i64().unwrap_or(absent);
    // The service allows five minutes of clock skew.
    if time("exp", 0) + 300 < now || time("nbf", now) - 300 > now { Err("assertion_time") } else { Ok(()) }
}

/// `GET /msi/token`, the endpoint that App Service gives to a function app.
pub(crate) fn identity(inner: &Inner, call: &Call) -> Answer {
    let refused = |name: &str, reason: &str| {
        locked(&inner.journal).violation(call, format!("identity refused: {name} {reason}"));
        let (status, error, message, _) = inner.answers.signin(name, &[("reason", reason)]);
        Answer::json(status, json!({ "statusCode": status, "error": error, "message": message }))
    };
    if call.header("x-identity-header") != Some(inner.config.identity_header.as_str()) {
        return refused("identity_header", "");
    }
    let option = |wanted: &str| call.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if option("api-version") != Some("2019-08-01") {
        return refused("identity_request", "api-version must be 2019-08-01");
    }
    let Some(resource) = option("resource").filter(|resource| is_graph(inner, resource)) else {
        return refused("identity_request", "resource must be that of Microsoft Graph");
    };
    let app = &inner.config.app;
    if option("client_id").is_some_and(|client| Uuid::try_parse(client).ok() != Some(app.client_id)) {
        return refused("identity_request", "no managed identity has this client_id");
    }
    let (text, expires) = issue(inner, app);
    Answer::json(
        200,
        json!({
            "access_token": text, "expires_on": expires.as_second().to_string(), "resource": resource,
            "token_type": "Bearer", "client_id": app.client_id,
        }),
    )
}

/// In the form of a JSON web token, so that a client can read what it was granted. The signature is none.
fn written(inner: &Inner, app: &App, issued: Timestamp, expires: Timestamp) -> String {
    let claims = json!({
        "aud": "https://graph.microsoft.com", "iss": format!("https://sts.windows.net/{}/", inner.config.tenant_id),
        "iat": issued.as_second(), "nbf": issued.as_second(), "exp": expires.as_second(), "appid": app.client_id,
        "idtyp": "app", "roles": app.roles, "tid": inner.config.tenant_id, "ver": "1.0",
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = format!("simulated-{}{}", inner.fresh_guid().simple(), inner.fresh_guid().simple());
    format!("{}.{}.{signature}", part(json!({ "typ": "JWT", "alg": "none" })), part(claims))
}

fn issue(inner: &Inner, app: &App) -> (String, Timestamp) {
    let lifetime = SignedDuration::try_from(inner.config.token_lifetime).unwrap_or(SignedDuration::MAX);
    let (now, expires) = (inner.now(), inner.now() + lifetime);
    let text = written(inner, app, now, expires);
    let caller = Caller { app_id: app.client_id, roles: app.roles.clone() };
    let mut tokens = locked(&inner.tokens);
    tokens.issued += 1;
    tokens.by_text.insert(text.clone(), Token { caller, expires, revoked: false });
    (text, expires)
}
