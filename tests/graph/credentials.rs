//! Each kind of credential against a login host that looks closely at what it is sent.

use std::process::Command;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use photorelay::graph::{CachedTokens, TokenError, TokenSource};
use photorelay_core::entra::{CredentialConfig, CredentialError, credential};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::server::{Asked, Server, with_json};

const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";
const CLIENT: &str = "24d3b144-21ae-4080-943f-7067b395b913";
const SCOPE: &str = "https://graph.microsoft.com/.default";

const CERTIFICATE: &str = include_str!("fixtures/certificate-and-key.pem");
const PUBLIC_KEY: &str = include_str!("fixtures/public-key.pem");
/// As `openssl x509 -outform DER | openssl dgst -sha256 -binary` says, in base64url.
const THUMBPRINT: &str = "3jpDNh3VACKykKfcBeVyKXZum8iL1IFsiDZdxZUwRtc";

async fn token(config: CredentialConfig, authority: &Url) -> Result<String, TokenError> {
    let authority = authority.clone();
    let tokens = CachedTokens::new(
        Box::new(move || credential(&config, &authority)),
        SCOPE.to_owned(),
        TaskTracker::new(),
        CancellationToken::new(),
    );
    tokens.token().await.map(|token| token.secret().to_owned())
}

/// Answers with a token if everything that every request must have is there.
fn grant(asked: &Asked) -> Response<Body> {
    let plain = asked.path() == format!("/{TENANT}/oauth2/v2.0/token")
        && asked.form("client_id").as_deref() == Some(CLIENT)
        && asked.form("scope").as_deref() == Some(SCOPE)
        && asked.form("grant_type").as_deref() == Some("client_credentials");
    if plain {
        with_json(
            200,
            &json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "granted"}),
        )
    } else {
        refusal(900_144, "The request body is wrong.")
    }
}

fn refusal(code: u32, text: &str) -> Response<Body> {
    let description = format!("AADSTS{code}: {text}\r\nTrace ID: t\r\nCorrelation ID: c\r\nTimestamp: 2026-05-20");
    with_json(401, &json!({"error": "invalid_client", "error_description": description, "error_codes": [code]}))
}

fn secret_config() -> CredentialConfig {
    CredentialConfig::ClientSecret {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        secret: "s3cret~value+&=".into(),
    }
}

fn certificate_config(pem: &str) -> CredentialConfig {
    CredentialConfig::ClientCertificate { tenant_id: TENANT.to_owned(), client_id: CLIENT.to_owned(), pem: pem.into() }
}

#[tokio::test]
async fn a_client_secret_gets_a_token() {
    let server = Server::start(|_, asked| match asked.form("client_secret").as_deref() {
        Some("s3cret~value+&=") => grant(asked),
        _ => refusal(7_000_215, "Invalid client secret provided."),
    })
    .await;
    assert_eq!(token(secret_config(), &server.base).await.as_deref(), Ok("granted"));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_with_the_words_of_the_authority_and_never_printed() {
    let server = Server::start(|_, _| refusal(7_000_215, "Invalid client secret provided.")).await;
    let refused = token(secret_config(), &server.base).await.unwrap_err();
    assert!(matches!(refused, TokenError::Refused(_)) && !refused.is_transient(), "{refused:?}");
    assert!(refused.to_string().contains("AADSTS7000215"), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("s3cret"), "{refused:?}");
    assert_eq!(server.count(), 1);
}

/// What the login host checks of an assertion: who signed it, with which certificate, for whom and for how long.
fn check_assertion(asked: &Asked) -> Result<(), String> {
    let kind = asked.form("client_assertion_type");
    if kind.as_deref() != Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
        return Err(format!("assertion type {kind:?}"));
    }
    let assertion = asked.form("client_assertion").ok_or("no assertion")?;
    let header = jsonwebtoken::decode_header(&assertion).map_err(|e| e.to_string())?;
    if header.typ.as_deref() != Some("JWT") || header.x5t_s256.as_deref() != Some(THUMBPRINT) {
        return Err(format!("header {header:?}"));
    }
    let mut validation = Validation::new(Algorithm::PS256);
    validation.set_audience(&[format!("http://{}/{TENANT}/oauth2/v2.0/token", asked.header("host"))]);
    validation.set_issuer(&[CLIENT]);
    validation.sub = Some(CLIENT.to_owned());
    validation.set_required_spec_claims(&["aud", "iss", "sub", "exp", "nbf"]);
    validation.validate_nbf = true;
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).map_err(|e| e.to_string())?;
    let claims = jsonwebtoken::decode::<Value>(&assertion, &key, &validation).map_err(|e| e.to_string())?.claims;
    let life = claims["exp"].as_u64().zip(claims["nbf"].as_u64()).map(|(exp, nbf)| exp - nbf);
    if life.is_none_or(|life| !(300..=600).contains(&life)) || claims["jti"].as_str().is_none_or(|jti| jti.len() != 36)
    {
        return Err(format!("claims {claims}"));
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_gets_a_token_by_an_assertion_that_holds() {
    let server = Server::start(|_, asked| match check_assertion(asked) {
        Ok(()) => grant(asked),
        Err(reason) => refusal(700_027, &reason),
    })
    .await;
    let whole_chain_and_older_key_format = include_str!("fixtures/chain-and-pkcs1-key.pem");
    for pem in [CERTIFICATE, whole_chain_and_older_key_format] {
        assert_eq!(token(certificate_config(pem), &server.base).await.as_deref(), Ok("granted"));
    }
    let assertions: Vec<_> = server.asked().iter().map(|asked| asked.form("client_assertion")).collect();
    assert_ne!(assertions[0], assertions[1], "no assertion is used twice");
}

#[test]
fn a_certificate_that_cannot_work_is_told_before_anything_is_sent() {
    let only_certificate = &CERTIFICATE[..CERTIFICATE.find("-----BEGIN PRIVATE").unwrap()];
    let only_key = &CERTIFICATE[CERTIFICATE.find("-----BEGIN PRIVATE").unwrap()..];
    let cases = [
        (include_str!("fixtures/mismatched.pem"), "another certificate"),
        (include_str!("fixtures/elliptic.pem"), "RSA"),
        (only_certificate, "no private key"),
        (only_key, "no certificate"),
        ("", "no certificate"),
        ("not PEM at all", "no certificate"),
    ];
    for (pem, expected) in cases {
        let refused = credential(&certificate_config(pem), &Url::parse("https://login.test").unwrap()).unwrap_err();
        assert!(matches!(refused, CredentialError::Certificate(_)), "{refused}");
        assert!(refused.to_string().contains(expected), "{expected}: {refused}");
        assert!(!format!("{refused:?}").contains("BEGIN"), "{refused:?}");
    }
}

#[tokio::test]
async fn workload_identity_reads_its_token_anew_each_time() {
    let server = Server::start(|number, asked| match asked.form("client_assertion") {
        Some(token) if token == format!("federated-{number}") => {
            with_json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "granted"}))
        }
        other => refusal(700_021, &format!("{other:?}")),
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = CredentialConfig::WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        token_file: file.path().to_owned(),
    };
    let credential = credential(&config, &server.base).unwrap();
    for (number, scope) in [SCOPE, "https://storage.azure.com/.default"].into_iter().enumerate() {
        std::fs::write(file.path(), format!("federated-{number}\n")).unwrap();
        let token = credential.get_token(&[scope], None).await.unwrap();
        assert_eq!(token.token.secret(), "granted");
    }
}

#[tokio::test]
async fn a_workload_identity_without_its_file_is_told_by_name() {
    let server = Server::start(|_, asked| grant(asked)).await;
    let config = CredentialConfig::WorkloadIdentity {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        token_file: "/nowhere/token".into(),
    };
    let refused = token(config, &server.base).await.unwrap_err();
    assert!(refused.to_string().contains("/nowhere/token"), "{refused}");
    assert_eq!(server.count(), 0);
}

/// The platform tells a managed identity's endpoint by the environment, which a process must not change while it has
/// threads: so this test runs itself once more in a process that has it.
#[tokio::test]
async fn a_managed_identity_gets_a_token_from_the_platform() {
    const NAME: &str = "credentials::a_managed_identity_gets_a_token_from_the_platform";
    if inside_platform() {
        let config = CredentialConfig::ManagedIdentity { client_id: Some(CLIENT.to_owned()) };
        let token = token(config, &Url::parse("https://login.test").unwrap()).await;
        assert_eq!(token.as_deref(), Ok("granted"));
        return;
    }
    let server = Server::start(|_, asked| {
        let expires_on = (jiff::Timestamp::now().as_second() + 86_400).to_string();
        with_json(
            200,
            &json!({"access_token": "granted", "expires_on": expires_on, "token_type": "Bearer",
                "resource": "https://graph.microsoft.com", "client_id": asked.header("host")}),
        )
    })
    .await;
    let endpoint = server.base.join("/msi/token").unwrap();
    let child = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env("IDENTITY_ENDPOINT", endpoint.as_str())
            .env("IDENTITY_HEADER", "platform-secret")
            .env_remove("IDENTITY_SERVER_THUMBPRINT")
            .output()
            .unwrap()
    });
    let output = child.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let asked = server.asked();
    let [asked] = &asked[..] else { panic!("one request, not {}", asked.len()) };
    assert_eq!(asked.header("x-identity-header"), "platform-secret");
    let query = asked.uri.query().unwrap();
    for part in ["api-version=2019-08-01", "resource=https%3A%2F%2Fgraph.microsoft.com", &format!("client_id={CLIENT}")]
    {
        assert!(query.contains(part), "{query}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the platform's own variable, which the tested library reads too")]
fn inside_platform() -> bool {
    std::env::var("IDENTITY_HEADER").is_ok_and(|header| header == "platform-secret")
}

#[tokio::test]
async fn a_login_host_that_redirects_is_not_followed() {
    let elsewhere = Server::start(|_, asked| grant(asked)).await;
    let target = elsewhere.base.join(&format!("/{TENANT}/oauth2/v2.0/token")).unwrap().to_string();
    let server =
        Server::start(move |_, _| crate::server::answer(307).header("location", &target).body(Body::empty()).unwrap())
            .await;
    token(secret_config(), &server.base).await.unwrap_err();
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn why_there_is_no_token_is_told_by_its_first_cause() {
    // Nobody listens there.
    let unheard = token(secret_config(), &Url::parse("http://127.0.0.1:1").unwrap()).await.unwrap_err();
    assert!(unheard.is_transient() && unheard.to_string().contains("Connection refused"), "{unheard}");

    let server = Server::start(|_, _| crate::server::answer(404).body(Body::empty()).unwrap()).await;
    let unknown = token(secret_config(), &server.base).await.unwrap_err();
    assert!(!unknown.is_transient() && unknown.to_string().contains("HTTP 404"), "{unknown}");
    for error in [unheard, unknown] {
        assert!(!error.to_string().contains("troubleshoot"), "a link that is left out helps nobody: {error}");
    }
}

#[tokio::test]
async fn one_credential_serves_storage_and_graph() {
    let server = Server::start(|_, asked| {
        let scope = asked.form("scope").unwrap();
        with_json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("for {scope}")}))
    })
    .await;
    let credential: Arc<dyn azure_core::credentials::TokenCredential> =
        credential(&secret_config(), &server.base).unwrap();
    for scope in [SCOPE, "https://storage.azure.com/.default"] {
        let token = credential.get_token(&[scope], None).await.unwrap();
        assert_eq!(token.token.secret(), format!("for {scope}"));
    }
}
