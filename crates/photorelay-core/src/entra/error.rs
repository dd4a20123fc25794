//! Errors of the credential configuration.

/// Why no credential can be created from the configuration. An operator must fix each of these.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("the authority is not usable: {0}")]
    Authority(#[from] InsecureUrl),
    #[error("the client certificate is not usable: {0}")]
    Certificate(String),
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
