//! Credentials for Microsoft Entra ID: one configuration, and one credential type for both Graph and Azure Storage.
//!
//! This module must never print a secret, need OpenSSL, or send a secret over plain http, except to a simulator on this
//! machine. It owns the failure "the configured credential cannot work at all"; whether Entra ID accepts the credential
//! shows only when a token is requested.

mod access_token;
mod azure_cli;
mod certificate;
mod error;
mod federated;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::credentials::{Secret, TokenCredential};
use azure_identity::{
    ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use access_token::AccessTokens;
use azure_cli::AzureCliTokens;
use certificate::CertificateAssertion;
pub use error::{CredentialError, InsecureUrl, NoCaCertificates};
use federated::TokenFile;
pub use transport::{is_loopback, require_private};

/// How this program signs in to Entra ID.
#[derive(Debug, Clone)]
pub enum CredentialConfig {
    /// The identity that Azure assigns to the function app or the virtual machine.
    ManagedIdentity {
        /// A user-assigned identity; `None` for the system-assigned one.
        client_id: Option<String>,
    },
    ClientSecret {
        tenant_id: String,
        client_id: String,
        secret: SecretString,
    },
    ClientCertificate {
        tenant_id: String,
        client_id: String,
        /// The certificate and its unencrypted RSA private key, as PEM in any order.
        pem: SecretString,
    },
    /// The account that is signed in to the Azure CLI on this machine.
    AzureCli {
        /// The account's home tenant if none.
        tenant_id: Option<String>,
    },
    /// A token in a file that the platform, such as Kubernetes, refreshes.
    WorkloadIdentity {
        tenant_id: String,
        client_id: String,
        token_file: PathBuf,
    },
}

/// Creates the credential. `authority` is the login host of the cloud, such as `https://login.microsoftonline.com`; a
/// managed identity does not use it. Nothing is sent until a token is requested.
pub fn credential(config: &CredentialConfig, authority: &Url) -> Result<Arc<dyn TokenCredential>, CredentialError> {
    Ok(match config {
        CredentialConfig::ManagedIdentity { client_id } => {
            ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                client_options: transport::for_managed_identity()?,
            }))?
        }
        CredentialConfig::ClientSecret { tenant_id, client_id, secret } => ClientSecretCredential::new(
            tenant_id,
            client_id.clone(),
            Secret::new(secret.expose_secret().to_owned()),
            Some(ClientSecretCredentialOptions { client_options: transport::for_authority(authority)? }),
        )?,
        CredentialConfig::ClientCertificate { tenant_id, client_id, pem } => {
            let audience = token_endpoint(authority, tenant_id);
            let assertion = CertificateAssertion::new(pem, client_id.clone(), audience)?;
            by_assertion(tenant_id, client_id, assertion, authority)?
        }
        CredentialConfig::AzureCli { tenant_id } => Arc::new(AzureCliTokens::new(tenant_id.clone())?),
        CredentialConfig::WorkloadIdentity { tenant_id, client_id, token_file } => {
            by_assertion(tenant_id, client_id, TokenFile::new(token_file.clone()), authority)?
        }
    })
}

fn by_assertion<A: azure_identity::ClientAssertion + 'static>(
    tenant_id: &str,
    client_id: &str,
    assertion: A,
    authority: &Url,
) -> Result<Arc<dyn TokenCredential>, CredentialError> {
    let options = ClientAssertionCredentialOptions { client_options: transport::for_authority(authority)? };
    Ok(ClientAssertionCredential::new(tenant_id.to_owned(), client_id.to_owned(), assertion, Some(options))?)
}

/// The URL of the token endpoint, which is also the audience of an assertion.
fn token_endpoint(authority: &Url, tenant_id: &str) -> String {
    format!("{}/{tenant_id}/oauth2/v2.0/token", authority.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(authority: &str) -> Result<Arc<dyn TokenCredential>, CredentialError> {
        let config = CredentialConfig::ClientSecret {
            tenant_id: "contoso.test".to_owned(),
            client_id: "app".to_owned(),
            secret: "s3cret-value".into(),
        };
        credential(&config, &Url::parse(authority).unwrap())
    }

    #[test]
    fn plain_http_is_refused_for_every_authority_but_a_loopback_address() {
        for authority in ["http://login.microsoftonline.com", "http://10.0.0.1:8080", "http://127.0.0.1.example.com"] {
            let refused = secret(authority).expect_err(authority);
            assert!(matches!(refused, CredentialError::Authority(_)), "{refused}");
            assert!(refused.to_string().contains("https"), "{refused}");
        }
        for authority in ["http://127.0.0.1:7072", "http://[::1]:7072", "http://localhost", "https://login.test"] {
            secret(authority).expect(authority);
        }
    }

    #[test]
    fn debug_output_names_the_kind_and_no_secret() {
        let config = CredentialConfig::ClientCertificate {
            tenant_id: "contoso.test".to_owned(),
            client_id: "app".to_owned(),
            pem: "-----BEGIN PRIVATE KEY-----".into(),
        };
        let text = format!("{config:?}");
        assert!(text.contains("ClientCertificate") && !text.contains("PRIVATE"), "{text}");
        let text = format!("{:?}", secret("https://login.test").unwrap());
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn a_credential_without_its_parts_is_refused_before_anything_is_sent() {
        let config = CredentialConfig::ClientSecret {
            tenant_id: "not a tenant/..".to_owned(),
            client_id: "app".to_owned(),
            secret: "s3cret-value".into(),
        };
        let refused = credential(&config, &Url::parse("https://login.test").unwrap()).expect_err("not a tenant id");
        assert!(matches!(refused, CredentialError::Invalid(_)) && !refused.to_string().contains("s3cret"), "{refused}");
    }
}
