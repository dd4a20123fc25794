//! The connection that blobs and queues on Azure share: one HTTP client, bounded retries, a checked service URI.
//!
//! It must never send a credential or a SAS over plain http beyond this machine.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};
use url::Url;

use crate::entra::{NoCaCertificates, is_loopback};
use crate::store::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// For one request and its response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// For one call with all its retries.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_RETRIES: u32 = 3;
const MAX_RETRY_SECONDS: i64 = 10;

/// The HTTP client that all connections to the storage share.
pub fn transport() -> Result<Transport, StoreError> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        // Parts of a blob must arrive exactly as they are stored.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .build()
        .map_err(|error| StoreError::Invalid {
            doing: "the HTTP client for the storage".to_owned(),
            source: NoCaCertificates::find(&error).map_or_else(|| error.without_url().into(), Into::into),
        })?;
    Ok(Transport::new(Arc::new(client)))
}

pub(crate) fn client_options(transport: Transport) -> ClientOptions {
    let retry = ExponentialRetryOptions {
        max_retries: MAX_RETRIES,
        max_total_elapsed: azure_core::time::Duration::seconds(MAX_RETRY_SECONDS),
        ..Default::default()
    };
    ClientOptions { transport: Some(transport), retry: RetryOptions::exponential(retry), ..Default::default() }
}

/// Fails a call that takes too long, whatever it waits for.
pub(crate) async fn within_time<T>(doing: impl Fn() -> String, call: impl Future<Output = T>) -> Result<T, StoreError> {
    tokio::time::timeout(CALL_TIMEOUT, call)
        .await
        .map_err(|elapsed| StoreError::Unavailable { doing: doing(), source: elapsed.into() })
}

/// The URI of a storage service without its query, so that it can be shown.
#[derive(Clone)]
pub(crate) struct Service(String);

impl Service {
    /// Refuses a URI that would send secrets in plain text or cannot work.
    pub(crate) fn check(kind: &str, uri: &Url, with_credential: bool) -> Result<Self, StoreError> {
        let mut shown = uri.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        let refused = |why: &str| StoreError::Invalid { doing: format!("the {kind} service URI"), source: why.into() };
        if uri.cannot_be_a_base() || uri.host().is_none() {
            return Err(refused("it is not an https URI"));
        }
        if !uri.username().is_empty() || uri.password().is_some() {
            return Err(refused("it contains a user name or a password; use a SAS or a credential"));
        }
        match uri.scheme() {
            "https" => {}
            "http" if !is_loopback(uri) => {
                return Err(refused("plain http is allowed only to this machine; use https"));
            }
            "http" if with_credential => {
                return Err(refused("a credential is never sent over plain http; use a SAS in the URI, or https"));
            }
            "http" => {}
            _ => return Err(refused("it is not an https URI")),
        }
        if !with_credential && !uri.query_pairs().any(|(name, _)| name == "sig") {
            return Err(refused("it has no SAS and there is no credential; set one of them"));
        }
        Ok(Self(shown.to_string()))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
