//! The settings for signing in to Entra ID: for Graph, for the storage account, or for both.

use std::path::PathBuf;

use super::Reader;
use crate::entra::CredentialConfig;
use crate::id::TenantId;

/// The login host of the public cloud, unless `PHOTORELAY_AUTHORITY_URL` names another one.
pub const DEFAULT_AUTHORITY_URL: &str = "https://login.microsoftonline.com";

/// The problem has already been reported to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyReported;

/// Reads the one configured credential; `None` if none is configured.
pub fn credential(reader: &mut Reader<'_>) -> Result<Option<CredentialConfig>, AlreadyReported> {
    let tenant: Option<TenantId> = reader.peek("PHOTORELAY_TENANT_ID");
    let client_id: Option<String> = reader.optional("PHOTORELAY_CLIENT_ID");
    let secret = reader.secret("PHOTORELAY_CLIENT_SECRET");
    let certificate = reader.secret("PHOTORELAY_CLIENT_CERTIFICATE");
    let token_file: Option<PathBuf> = reader.optional("AZURE_FEDERATED_TOKEN_FILE");
    let managed = reader.has("IDENTITY_ENDPOINT") || reader.flag("PHOTORELAY_MANAGED_IDENTITY");
    if secret.is_some() && certificate.is_some() {
        reader.problem("PHOTORELAY_CLIENT_SECRET and PHOTORELAY_CLIENT_CERTIFICATE are both set: keep one");
        return Err(AlreadyReported);
    }
    if secret.is_none() && certificate.is_none() && managed {
        return Ok(Some(CredentialConfig::ManagedIdentity { client_id }));
    }
    if secret.is_none() && certificate.is_none() && token_file.is_none() {
        return Ok(None);
    }
    let Some(client_id) = client_id else {
        reader.problem("PHOTORELAY_CLIENT_ID is missing: the application (client) id that the credential belongs to");
        return Err(AlreadyReported);
    };
    // A missing tenant is reported where it is required.
    let tenant_id = tenant.ok_or(AlreadyReported)?.to_string();
    Ok(match (secret, certificate, token_file) {
        (Some(secret), ..) => Some(CredentialConfig::ClientSecret { tenant_id, client_id, secret }),
        (_, Some(pem), _) => Some(CredentialConfig::ClientCertificate { tenant_id, client_id, pem }),
        (.., Some(token_file)) => Some(CredentialConfig::WorkloadIdentity { tenant_id, client_id, token_file }),
        (None, None, None) => None,
    })
}
