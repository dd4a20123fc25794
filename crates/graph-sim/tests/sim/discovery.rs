//! What a client asks before it signs in: the OpenID configuration, and whether the sign-in service is a known one.

use graph_sim::{Sim, SimConfig};
use serde_json::{Value, json};
use url::Url;

use crate::helpers::{members, sample};

async fn started(public_url: Option<&str>) -> Sim {
    let public_url = public_url.map(|url| Url::parse(url).unwrap());
    Sim::start(SimConfig { public_url, ..SimConfig::default() }).await.unwrap()
}

async fn get(sim: &Sim, path: &str) -> (u16, Value) {
    let response = reqwest::get(format!("{}{path}", sim.url())).await.unwrap();
    assert!(!response.headers().contains_key("x-ms-ags-diagnostic"), "the sign-in service is not Graph");
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_openid_configuration_has_the_documented_members_and_names_this_tenant() {
    let sim = started(None).await;
    let tenant = sim.tenant_id();
    let (status, body) = get(&sim, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(status, 200);
    assert_eq!(members(&body), members(&sample("openid_configuration")));
    assert_eq!(body["issuer"], format!("{}/{tenant}/v2.0", sim.url()));
    assert_eq!(body["token_endpoint"], format!("{}/{tenant}/oauth2/v2.0/token", sim.url()));
    assert_eq!(body["authorization_endpoint"], format!("{}/{tenant}/oauth2/v2.0/authorize", sim.url()));
    // A domain names the same tenant, whose id the endpoints have.
    assert_eq!(get(&sim, "/contoso.test/v2.0/.well-known/openid-configuration").await, (200, body));
    sim.assert_no_violations();
}

#[tokio::test]
async fn the_configuration_of_another_tenant_is_refused_and_recorded() {
    let sim = started(None).await;
    for (at, tenant) in ["22222222-2222-4222-8222-222222222222", "nonsense"].into_iter().enumerate() {
        let (status, body) = get(&sim, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
        assert_eq!((status, &body["error"], &body["error_codes"][0]), (400, &json!("invalid_tenant"), &json!(90002)));
        assert_eq!(sim.violations().len(), at + 1);
    }
}

#[tokio::test]
async fn instance_discovery_knows_this_sign_in_service_and_no_other() {
    let sim = started(None).await;
    let tenant = sim.tenant_id();
    // As MSAL for Python asks, without the port, and as the others ask, with it.
    for host in ["127.0.0.1", sim.url().strip_prefix("http://").unwrap()] {
        let asked = format!("authorization_endpoint=https%3A%2F%2F{host}%2F{tenant}%2Foauth2%2Fv2.0%2Fauthorize");
        let (status, body) = get(&sim, &format!("/common/discovery/instance?api-version=1.1&{asked}")).await;
        assert_eq!(status, 200);
        assert_eq!(members(&body), members(&sample("instance_discovery")));
        let configuration = format!("{}/{tenant}/v2.0/.well-known/openid-configuration", sim.url());
        assert_eq!(body["tenant_discovery_endpoint"], configuration);
        let known = json!([{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }]);
        assert_eq!(body["metadata"], known);
    }
    sim.assert_no_violations();

    let cases = [
        ("api-version=1.1&authorization_endpoint=https://login.example/x/oauth2/v2.0/authorize", 50049),
        ("api-version=1.1&authorization_endpoint=nonsense", 50050),
        ("api-version=1.1", 900144),
        ("authorization_endpoint=https://127.0.0.1/x/oauth2/v2.0/authorize", 900144),
    ];
    for (at, (query, number)) in cases.into_iter().enumerate() {
        let (status, body) = get(&sim, &format!("/common/discovery/instance?{query}")).await;
        assert_eq!((status, &body["error_codes"][0]), (400, &json!(number)), "{body}");
        assert_eq!(sim.violations().len(), at + 1);
    }
}

#[tokio::test]
async fn behind_a_proxy_links_and_endpoints_have_the_public_address() {
    let sim = started(Some("https://localhost:8443")).await;
    let (_, body) = get(&sim, &format!("/{}/v2.0/.well-known/openid-configuration", sim.tenant_id())).await;
    let token_endpoint = format!("https://localhost:8443/{}/oauth2/v2.0/token", sim.tenant_id());
    assert_eq!(body["token_endpoint"], token_endpoint);
    assert_eq!(sim.authority_url(), "https://localhost:8443");
    assert_eq!(sim.graph_url(), "https://localhost:8443/v1.0");
    assert!(sim.url().starts_with("http://127.0.0.1:"));

    let client = sim.client_id().to_string();
    let secret = sim.client_secret();
    let form = [
        ("client_id", client.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://localhost:8443/.default"),
        ("grant_type", "client_credentials"),
    ];
    let http = reqwest::Client::new();
    let url = format!("{}/{}/oauth2/v2.0/token", sim.url(), sim.tenant_id());
    let token: Value = http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    let users = http.get(format!("{}/v1.0/users?$top=2", sim.url()));
    let users = users.bearer_auth(token["access_token"].as_str().unwrap());
    let users: Value = users.send().await.unwrap().json().await.unwrap();
    assert!(users["@odata.nextLink"].as_str().unwrap().starts_with("https://localhost:8443/v1.0/users?"), "{users}");
    sim.assert_no_violations();
}
