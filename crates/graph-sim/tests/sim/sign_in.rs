//! The sign-in service, the managed identity and bearer tokens.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use graph_sim::{Sim, SimConfig, roles};
use serde_json::{Value, json};

use crate::helpers::{bench, members, sample};

/// Form fields to replace, or to leave out.
type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

async fn signed_in(sim: &Sim, tenant: &str, changes: Changes<'_>) -> (u16, Value) {
    let client = sim.client_id().to_string();
    let secret = sim.client_secret();
    let mut form = vec![
        ("client_id", client.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
        ("grant_type", "client_credentials"),
    ];
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        form.extend(value.map(|value| (*name, value)));
    }
    let url = format!("{}/{tenant}/oauth2/v2.0/token", sim.authority_url());
    let response = reqwest::Client::new().post(url).form(&form).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn secret_gives_a_bearer_token_of_the_documented_shape() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let (status, body) = signed_in(&sim, &sim.tenant_id().to_string(), &[]).await;
    assert_eq!(status, 200);
    assert_eq!(members(&body), members(&sample("token")));
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(sim.tokens_issued(), 1);
    sim.assert_no_violations();
}

#[tokio::test]
async fn every_mistake_at_sign_in_has_its_number_and_is_recorded() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let tenant = sim.tenant_id().to_string();
    let cases: [(&str, Changes<'_>, u16, u64); 8] = [
        (&tenant, &[("client_secret", Some("wrong"))], 401, 7000215),
        (&tenant, &[("client_secret", None)], 401, 7000218),
        (&tenant, &[("client_id", Some("11111111-1111-4111-8111-111111111111"))], 400, 700016),
        ("22222222-2222-4222-8222-222222222222", &[], 400, 90002),
        ("nonsense", &[], 400, 900023),
        (&tenant, &[("scope", Some("https://graph.microsoft.com/User.Read"))], 400, 1002012),
        (&tenant, &[("scope", Some("https://other.example/.default"))], 400, 70011),
        (&tenant, &[("grant_type", Some("password"))], 400, 70003),
    ];
    for (at, (tenant, changes, status, number)) in cases.into_iter().enumerate() {
        let (got, body) = signed_in(&sim, tenant, changes).await;
        assert_eq!((got, &body["error_codes"][0]), (status, &json!(number)), "{body}");
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
        assert_eq!(sim.violations().len(), at + 1);
    }
    assert_eq!(sim.tokens_issued(), 0);
}

#[tokio::test]
async fn certificate_assertion_is_accepted_until_it_expires() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let tenant = sim.tenant_id().to_string();
    let now = sim.now().as_second();
    let jwt = |exp: i64, audience: &str| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": "thumb" }));
        let claims = part(json!({
            "aud": audience, "iss": sim.client_id(), "sub": sim.client_id(), "jti": "1", "nbf": now - 10, "iat": now, "exp": exp,
        }));
        format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode("signature"))
    };
    let audience = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let cases = [
        (jwt(now + 300, &audience), 200, 0),
        (jwt(now - 900, &audience), 401, 700024),
        (jwt(now + 300, "x"), 401, 700027),
    ];
    for (jwt, status, number) in cases {
        let changes =
            [("client_secret", None), ("client_assertion", Some(jwt.as_str())), ("client_assertion_type", Some(kind))];
        let (got, body) = signed_in(&sim, &tenant, &changes).await;
        assert_eq!(got, status, "{body}");
        assert_eq!(body["error_codes"][0].as_u64().unwrap_or(0), number);
    }
}

#[tokio::test]
async fn managed_identity_wants_its_header_and_gives_expiry_as_text() {
    let sim = Sim::start(SimConfig::default()).await.unwrap();
    let url = format!("{}?resource=https://graph.microsoft.com&api-version=2019-08-01", sim.identity_endpoint());
    let http = reqwest::Client::new();
    assert_eq!(http.get(&url).send().await.unwrap().status(), 403);
    assert_eq!(sim.violations().len(), 1);
    sim.clear_violations();

    let good = http.get(&url).header("X-IDENTITY-HEADER", sim.identity_header()).send().await.unwrap();
    let body: Value = good.json().await.unwrap();
    assert_eq!(members(&body), members(&sample("identity_token")));
    let expires: i64 = body["expires_on"].as_str().unwrap().parse().unwrap();
    assert!(expires > sim.now().as_second());
    let users = http.get(format!("{}/users", sim.graph_url())).bearer_auth(body["access_token"].as_str().unwrap());
    assert_eq!(users.send().await.unwrap().status(), 200);
    sim.assert_no_violations();
}

#[tokio::test]
async fn missing_unknown_and_expired_tokens_are_violations_and_revoked_ones_are_not() {
    let bench = bench(SimConfig::default()).await;
    let url = format!("{}/users", bench.sim.graph_url());
    let refused = async |request: reqwest::RequestBuilder| {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.headers().contains_key("www-authenticate"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], "InvalidAuthenticationToken");
        bench.sim.violations().len()
    };
    assert_eq!(refused(bench.http.get(&url)).await, 1);
    assert_eq!(refused(bench.http.get(&url).bearer_auth("made-up")).await, 2);
    bench.sim.revoke_tokens();
    assert_eq!(refused(bench.request(reqwest::Method::GET, "/users")).await, 2);
    let bench = self::bench(SimConfig { token_lifetime: Duration::from_secs(60), ..SimConfig::default() }).await;
    assert_eq!(bench.get("/users").await.status(), 200);
    bench.sim.advance(Duration::from_secs(61));
    assert_eq!(bench.get("/users").await.status(), 401);
    assert_eq!(bench.sim.violations().len(), 1);
}

#[tokio::test]
async fn a_token_without_the_role_is_denied() {
    let mut config = SimConfig::default();
    config.app.roles = vec![roles::PHOTO_READ.into()];
    let bench = bench(config).await;
    let body = bench.json(403, reqwest::Method::GET, "/users", None).await;
    assert_eq!(body["error"]["code"], "Authorization_RequestDenied");
    assert_eq!(bench.get(&format!("/users/{}/photo", bench.first_user())).await.status(), 200);
    bench.end().await;
}

#[tokio::test]
async fn only_loopback_addresses_are_listened_on() {
    let problem =
        Sim::start(SimConfig { listen: "0.0.0.0:0".parse().unwrap(), ..SimConfig::default() }).await.unwrap_err();
    assert!(problem.to_string().contains("loopback"));
}
