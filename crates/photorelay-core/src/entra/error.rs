//! Errors of the credential configuration, and of a machine on which no connection is possible.

use std::error::Error;

/// Why no credential can be created from the configuration. An operator must fix each of these.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("the authority is not usable: {0}")]
    Authority(#[from] InsecureUrl),
    #[error("the client certificate is not usable: {0}")]
    Certificate(String),
    #[error(transparent)]
    NoCaCertificates(#[from] NoCaCertificates),
    #[error("the credential is not usable: {0}")]
    Invalid(#[from] azure_core::Error),
}

/// A URL to which secrets must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{scheme}://{host} is refused: use https (plain http is allowed only for a loopback address)")]
pub struct InsecureUrl {
    pub(super) scheme: String,
    pub(super) host: String,
}

/// No HTTP client can be made, whatever it is for. It is not the fault of a credential, a URL or the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem}: {fix}", problem = Self::PROBLEM, fix = Self::FIX)]
pub struct NoCaCertificates;

impl NoCaCertificates {
    pub const PROBLEM: &str = "this machine has no CA certificates, so no https connection is possible";
    pub const FIX: &str = "install the package ca-certificates, or name a PEM file with SSL_CERT_FILE";

    /// Whether this is why an HTTP client could not be built.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.to_string().contains("No CA certificates were loaded") {
                return Some(Self);
            }
            cause = error.source();
        }
        None
    }
}
