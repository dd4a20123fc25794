//! The location of the storage: the same `PhotoStorage__*` settings that the Functions bindings use, or a folder.

use std::path::PathBuf;

use url::Url;

use super::credential::{NoCredential, managed_identity};
use super::{Reader, without_key};
use crate::entra::{self, CredentialConfig, CredentialError};
use crate::storage::StorageConfig;

/// The configured storage, before its credential is created.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a process has only one of it")]
pub enum StorageSettings {
    Azure { blob_service: ServiceUri, queue_service: ServiceUri, credential: Option<CredentialConfig> },
    Embedded { path: PathBuf },
}

impl StorageSettings {
    /// Whether a server's certificate has to be verified.
    pub fn needs_authorities(&self) -> bool {
        match self {
            Self::Azure { blob_service, queue_service, .. } => {
                [blob_service, queue_service].iter().any(|service| service.0.scheme() == "https")
            }
            Self::Embedded { .. } => false,
        }
    }

    /// The folder or the blob service, as it may be shown.
    pub fn location(&self) -> String {
        match self {
            Self::Azure { blob_service, .. } => without_key(&blob_service.0),
            Self::Embedded { path } => path.display().to_string(),
        }
    }

    /// Creates the credential and returns the storage to open.
    pub fn resolve(&self, authority: &Url) -> Result<StorageConfig, CredentialError> {
        Ok(match self {
            Self::Embedded { path } => StorageConfig::Embedded { path: path.clone() },
            Self::Azure { blob_service, queue_service, credential } => StorageConfig::Azure {
                blob_service: blob_service.0.clone(),
                queue_service: queue_service.0.clone(),
                credential: credential.as_ref().map(|config| entra::credential(config, authority)).transpose()?,
            },
        })
    }
}

/// A service URI that may carry a SAS, which is a secret.
#[derive(Clone)]
pub struct ServiceUri(pub Url);

impl std::fmt::Debug for ServiceUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&without_key(&self.0))
    }
}

/// Reads the `PhotoStorage__*` settings: Azure Storage or a folder, never both. If they name no credential and carry no
/// SAS, the `own` credential of this program is used, and only then it matters that there is one.
pub fn storage(reader: &mut Reader<'_>, own: Result<&CredentialConfig, &NoCredential>) -> Option<StorageSettings> {
    let path: Option<PathBuf> = reader.optional("PhotoStorage__path");
    let blob_service = reader.url("PhotoStorage__blobServiceUri", None);
    let queue_service = reader.url("PhotoStorage__queueServiceUri", None);
    match (path, blob_service, queue_service) {
        (Some(path), None, None) => {
            // Set by Azure, where a local folder would be lost with the instance.
            if let Some(marker) = ["WEBSITE_INSTANCE_ID", "CONTAINER_APP_NAME"].iter().find(|name| reader.has(name)) {
                reader.problem(&format!(
                    "PhotoStorage__path is set inside Azure ({marker} is present), where a folder is lost with the \
                     instance: set PhotoStorage__blobServiceUri and PhotoStorage__queueServiceUri instead"
                ));
                return None;
            }
            Some(StorageSettings::Embedded { path })
        }
        (None, Some(blob_service), Some(queue_service)) => {
            let client_id = reader.optional("PhotoStorage__clientId");
            let is_operator = matches!(own, Ok(CredentialConfig::AzureCli { .. }));
            let credential = match reader.optional::<String>("PhotoStorage__credential").as_deref() {
                // Chosen explicitly, so it signs in everywhere.
                _ if is_operator => None,
                None => None,
                Some("managedidentity") => Some(managed_identity(reader, client_id).ok()?),
                Some(_) => {
                    reader.problem("PhotoStorage__credential must be `managedidentity`: the host supports no other");
                    return None;
                }
            };
            let has_sas = blob_service.query().is_some() && queue_service.query().is_some();
            let credential = match (credential, own) {
                (Some(credential), _) => Some(credential),
                (None, _) if has_sas => None,
                (None, Ok(own)) => Some(own.clone()),
                (None, Err(missing)) => {
                    report(reader, missing);
                    return None;
                }
            };
            Some(StorageSettings::Azure {
                blob_service: ServiceUri(blob_service),
                queue_service: ServiceUri(queue_service),
                credential,
            })
        }
        (None, None, None) => {
            reader.problem(
                "no storage: set PhotoStorage__blobServiceUri and PhotoStorage__queueServiceUri for Azure Storage, or \
                 PhotoStorage__path for a folder on this machine",
            );
            None
        }
        (Some(_), _, _) => {
            reader.problem("PhotoStorage__path and PhotoStorage__...ServiceUri are both set: keep one");
            None
        }
        (None, _, _) => {
            reader.problem("PhotoStorage__blobServiceUri and PhotoStorage__queueServiceUri: both or neither");
            None
        }
    }
}

/// The storage account cannot do without a credential.
fn report(reader: &mut Reader<'_>, missing: &NoCredential) {
    match missing {
        NoCredential::NotConfigured => reader.problem(
            "no credential for the storage account: set PHOTORELAY_CREDENTIAL to azure-cli for your own sign-in, \
             PhotoStorage__credential to managedidentity, or PHOTORELAY_CLIENT_ID and \
             PHOTORELAY_CLIENT_CERTIFICATE_FILE, or service URIs that carry a SAS",
        ),
        NoCredential::Incomplete(why) => reader.problem(&format!("no credential for the storage account: {why}")),
        NoCredential::AlreadyReported => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown_wherever_it_is_in_a_service_uri() {
        for uri in ["https://st.test/?sv=1&sig=SECRET", "https://st.test/#x?sig=SECRET", "https://user:SECRET@st.test/"]
        {
            let shown = format!("{:?}", ServiceUri(uri.parse().unwrap()));
            assert!(shown.starts_with("https://st.test/") && !shown.contains("SECRET"), "{shown}");
        }
    }
}
