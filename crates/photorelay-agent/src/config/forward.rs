//! The settings of `forward`.

use std::time::Duration;

use photorelay_core::settings::{Environment, Problems, Reader, ServiceUri};
use photorelay_core::telemetry::LogSettings;

use super::{AgentIdentity, AzureSettings};
use crate::agent::DEFAULT_LEASE;
use crate::certificate;
use crate::forward::SigningKey;

/// Every setting of `forward`.
#[derive(Debug, Clone)]
pub struct ForwardConfig {
    pub identity: AgentIdentity,
    pub azure: AzureSettings,
    pub url: ServiceUri,
    pub key: Option<SigningKey>,
    /// Events carry an access token for this scope, of the identity that signs in to Azure.
    pub scope: Option<String>,
    pub lease: Duration,
    pub logs: LogSettings,
}

impl ForwardConfig {
    /// Reads every setting; the error names all that are missing or wrong.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut reader = Reader::new(environment);
        let identity = AgentIdentity::read(&mut reader);
        let azure = AzureSettings::read(&mut reader);
        let url = url(&mut reader);
        let key = reader.secret("PHOTORELAY_FORWARD_SECRET").map(|secret| SigningKey::parse(&secret));
        if let Some(Err(error)) = &key {
            reader.problem(&format!("PHOTORELAY_FORWARD_SECRET: {error}"));
        }
        let scope: Option<String> = reader.optional("PHOTORELAY_FORWARD_SCOPE");
        if key.is_none() && scope.is_none() {
            reader.problem(
                "PHOTORELAY_FORWARD_SECRET_FILE or PHOTORELAY_FORWARD_SCOPE is missing: how does the receiver know that \
                 events are yours?",
            );
        }
        if scope.is_some() && azure.as_ref().is_some_and(|azure| azure.credential.is_none()) {
            reader.problem("PHOTORELAY_FORWARD_SCOPE needs a credential, such as PHOTORELAY_CLIENT_CERTIFICATE_FILE");
        }
        if reader.flag("PHOTORELAY_DRY_RUN") {
            reader.problem("PHOTORELAY_DRY_RUN: `forward` has no dry run, and takes messages from the queue");
        }
        let lease = reader.positive_seconds("PHOTORELAY_LEASE_SECONDS", DEFAULT_LEASE);
        let logs = LogSettings::read(&mut reader);
        reader.finish(|| {
            Some(Self {
                identity: identity?,
                azure: azure?,
                url: url?,
                key: key.and_then(Result::ok),
                scope,
                lease,
                logs,
            })
        })
    }

    /// Whether a server is verified by the CA certificates of this machine, and there are none.
    pub fn lacks_authorities(&self) -> bool {
        (self.azure.storage.needs_authorities() || self.url.0.scheme() == "https")
            && !certificate::machine_has_authorities()
    }
}

fn url(reader: &mut Reader<'_>) -> Option<ServiceUri> {
    const URL: &str = "PHOTORELAY_FORWARD_URL";
    if !reader.has(URL) {
        reader.problem(&format!("{URL} is missing"));
    }
    let url = reader.url(URL, None)?;
    if url.password().is_some() || !url.username().is_empty() {
        reader.problem(&format!("{URL} must not hold a user or a password: use PHOTORELAY_FORWARD_SECRET_FILE"));
        return None;
    }
    Some(ServiceUri(url))
}
