//! The HTTP transport of credentials: TLS, no redirects, few and short attempts.
//!
//! It must never use plain http beyond this machine. The identity library requires an https authority, so for a
//! simulator on a loopback address it gets an https URL, which this transport turns back into http: one code path for
//! both.
//!
//! It also repairs error responses: azure_identity 1.0 cannot parse an `error_description` that contains a JSON escape,
//! and Entra ID's always contains line breaks. Without the repair, a wrong secret appears as a malformed response
//! without a status.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::error::ErrorKind;
use azure_core::http::{
    AsyncRawResponse, AsyncResponseBody, ClientOptions, ExponentialRetryOptions, HttpClient, Request, RetryOptions,
    Transport,
};
use futures::TryStreamExt as _;
use url::{Host, Url};

use super::error::{CredentialError, InsecureUrl, NoCaCertificates};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The library's default retries for a minute, longer than callers wait for a token.
const RETRIES: u32 = 2;
const RETRY_TOTAL_SECONDS: i64 = 10;
/// An error response is a few lines long.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// Whether the URL names a loopback address.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Accepts https, and plain http to a loopback address. An `Err` is a configuration error.
pub fn require_private(url: &Url) -> Result<(), InsecureUrl> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        scheme => Err(InsecureUrl { scheme: scheme.to_owned(), host: url.host_str().unwrap_or_default().to_owned() }),
    }
}

/// Options for a credential that requests tokens from the authority.
pub(super) fn for_authority(authority: &Url) -> Result<ClientOptions, CredentialError> {
    require_private(authority)?;
    let loopback = is_loopback(authority);
    let transport = AuthorityHttp { client: client(loopback)?, plain: authority.scheme() == "http" };
    let mut as_https = authority.clone();
    as_https.set_scheme("https").expect("http and https are interchangeable schemes");
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = as_https.to_string();
    Ok(ClientOptions { cloud: Some(Arc::new(cloud.into())), ..options(Arc::new(transport)) })
}

/// Options for a managed identity, whose local endpoint the platform provides.
pub(super) fn for_managed_identity() -> Result<ClientOptions, CredentialError> {
    Ok(options(Arc::new(client(true)?)))
}

fn options(transport: Arc<dyn HttpClient>) -> ClientOptions {
    ClientOptions {
        transport: Some(Transport::new(transport)),
        retry: RetryOptions::exponential(ExponentialRetryOptions {
            max_retries: RETRIES,
            max_total_elapsed: azure_core::time::Duration::seconds(RETRY_TOTAL_SECONDS),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn client(without_proxy: bool) -> Result<reqwest::Client, CredentialError> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    let builder = if without_proxy { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| match NoCaCertificates::find(&error) {
        Some(none) => none.into(),
        None => azure_core::Error::with_error(ErrorKind::Other, error, "cannot create an HTTP client").into(),
    })
}

/// The HTTP client for the authority.
#[derive(Debug)]
struct AuthorityHttp {
    client: reqwest::Client,
    /// Uses plain http where the library assumes https.
    plain: bool,
}

#[async_trait]
impl HttpClient for AuthorityHttp {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let mut request = request.clone();
        let url = request.url_mut();
        if self.plain {
            url.set_scheme("http").expect("http and https are interchangeable schemes");
        }
        if let Err(refused) = require_private(url) {
            return Err(azure_core::Error::with_error(ErrorKind::Other, refused, "the request was not sent"));
        }
        let response = HttpClient::execute_request(&self.client, &request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers, body) = response.deconstruct();
        let body = collect(body).await?;
        Ok(AsyncRawResponse::from_bytes(status, headers, without_escapes(&body)))
    }
}

async fn collect(mut body: AsyncResponseBody) -> azure_core::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.try_next().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_REFUSAL_BYTES {
            return Err(azure_core::Error::with_message(ErrorKind::Io, "the authority's error response is too large"));
        }
    }
    Ok(bytes)
}

/// An error response that the library can parse: only the members it needs, with texts that need no escapes. Anything
/// but a JSON object becomes an empty one, so that the status is preserved.
fn without_escapes(body: &[u8]) -> Vec<u8> {
    let refusal: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let description = refusal.get("error_description").and_then(|text| text.as_str()).unwrap_or_default();
    let description: String =
        description.chars().map(|c| if c.is_control() || matches!(c, '"' | '\\') { ' ' } else { c }).collect();
    let codes = refusal.get("error_codes").and_then(|codes| codes.as_array()).map(Vec::as_slice).unwrap_or_default();
    let codes: Vec<i32> = codes.iter().filter_map(|code| code.as_i64()?.try_into().ok()).collect();
    serde_json::json!({"error_codes": codes, "error_description": description}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_response_keeps_its_words_and_codes_and_loses_its_escapes() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000215: It's \"wrong\".\r\nTrace ID: 1","error_codes":[7000215,"x"]}"#;
        let repaired = String::from_utf8(without_escapes(body)).unwrap();
        assert!(!repaired.contains('\\') && repaired.contains("AADSTS7000215: It's  wrong"), "{repaired}");
        assert!(repaired.contains("[7000215]"), "{repaired}");
        for body in [&b"<html>"[..], b"[1]", b"", b"{}"] {
            assert_eq!(without_escapes(body), br#"{"error_codes":[],"error_description":""}"#);
        }
    }
}
