//! Why a configured credential cannot work at all.

/// Why no credential can be made of the configuration. Each of these needs an operator.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("the authority is not usable: {0}")]
    Authority(#[from] InsecureUrl),
    #[error("the client certificate is not usable: {0}")]
    Certificate(String),
    #[error("the credential is not usable: {0}")]
    Invalid(#[from] azure_core::Error),
}

/// A URL that secrets must not be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{scheme}://{host} is refused: use https (plain http is spoken with a loopback address only)")]
pub struct InsecureUrl {
    pub(super) scheme: String,
    pub(super) host: String,
}
