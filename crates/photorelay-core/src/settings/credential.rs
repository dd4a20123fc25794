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

const SELECTION: &str = "PHOTORELAY_CREDENTIAL";

/// Reads the one configured credential; `None` if none is configured.
pub fn credential(reader: &mut Reader<'_>) -> Result<Option<CredentialConfig>, AlreadyReported> {
    let tenant: Option<TenantId> = reader.peek("PHOTORELAY_TENANT_ID");
    match reader.optional::<String>(SELECTION).as_deref() {
        None => {}
        // What the program itself signs in with is not for the operator's eyes, and not read.
        Some("azure-cli") => {
            return Ok(Some(CredentialConfig::AzureCli { tenant_id: tenant.map(|id| id.to_string()) }));
        }
        Some(other) => {
            reader.problem(&format!("{SELECTION}: `{other}` is not azure-cli; without it, the other settings decide"));
            return Err(AlreadyReported);
        }
    }
    let client_id: Option<String> = reader.optional("PHOTORELAY_CLIENT_ID");
    let secret = reader.secret("PHOTORELAY_CLIENT_SECRET");
    let certificate = reader.secret("PHOTORELAY_CLIENT_CERTIFICATE");
    let token_file: Option<PathBuf> = reader.optional("AZURE_FEDERATED_TOKEN_FILE");
    // What the platform sets for every program must not shadow what was configured for this one.
    let is_offered = reader.has("IDENTITY_ENDPOINT") && !is_arc(reader) && token_file.is_none();
    let managed = is_offered || reader.flag("PHOTORELAY_MANAGED_IDENTITY");
    if secret.is_some() && certificate.is_some() {
        reader.problem("PHOTORELAY_CLIENT_SECRET and PHOTORELAY_CLIENT_CERTIFICATE are both set: keep one");
        return Err(AlreadyReported);
    }
    if secret.is_none() && certificate.is_none() && managed {
        return managed_identity(reader, client_id).map(Some);
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

/// The managed identity of the platform, unless it is one that cannot be used.
pub(super) fn managed_identity(
    reader: &mut Reader<'_>,
    client_id: Option<String>,
) -> Result<CredentialConfig, AlreadyReported> {
    if is_arc(reader) {
        reader.problem(
            "the managed identity of this machine is one of Azure Arc, which this program cannot use: set \
             PHOTORELAY_CLIENT_ID and PHOTORELAY_CLIENT_CERTIFICATE_FILE instead",
        );
        return Err(AlreadyReported);
    }
    Ok(CredentialConfig::ManagedIdentity { client_id })
}

/// Azure Arc sets these for the whole machine, and answers otherwise than App Service and virtual machines do:
/// <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>
fn is_arc(reader: &Reader<'_>) -> bool {
    reader.has("IDENTITY_ENDPOINT") && reader.has("IMDS_ENDPOINT") && !reader.has("IDENTITY_HEADER")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;

    const TOKEN_FILE: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/token");
    const APP_SERVICE: [(&str, &str); 2] =
        [("IDENTITY_ENDPOINT", "http://127.0.0.1:41000/msi/token"), ("IDENTITY_HEADER", "h")];
    const ARC: [(&str, &str); 2] = [
        ("IDENTITY_ENDPOINT", "http://localhost:40342/metadata/identity/oauth2/token"),
        ("IMDS_ENDPOINT", "http://localhost:40342"),
    ];

    fn read(variables: &[(&str, &str)]) -> (Result<Option<CredentialConfig>, AlreadyReported>, String) {
        let base = [("PHOTORELAY_TENANT_ID", "84bd8158-6d4d-4958-8b9f-9d6445542f95"), ("PHOTORELAY_CLIENT_ID", "app")];
        let environment: Environment = base.iter().chain(variables).copied().collect();
        let mut reader = Reader::new(&environment);
        let credential = credential(&mut reader);
        let problems = reader.finish(|| Some(())).err().map(|problems| problems.to_string());
        (credential, problems.unwrap_or_default())
    }

    #[test]
    fn a_token_file_is_used_though_the_platform_offers_a_managed_identity() {
        let (credential, _) = read(&[&APP_SERVICE[..], &[TOKEN_FILE]].concat());
        assert!(matches!(credential, Ok(Some(CredentialConfig::WorkloadIdentity { .. }))), "{credential:?}");
        let (credential, _) = read(&APP_SERVICE);
        assert!(matches!(credential, Ok(Some(CredentialConfig::ManagedIdentity { .. }))), "{credential:?}");
        let (credential, _) =
            read(&[&APP_SERVICE[..], &[TOKEN_FILE, ("PHOTORELAY_MANAGED_IDENTITY", "true")]].concat());
        assert!(matches!(credential, Ok(Some(CredentialConfig::ManagedIdentity { .. }))), "{credential:?}");
    }

    #[test]
    fn the_identity_of_azure_arc_is_not_taken_by_itself_and_refused_where_it_is_configured() {
        assert!(matches!(read(&ARC), (Ok(None), problems) if problems.is_empty()));
        let (_, problems) = read(&[&ARC[..], &[("PHOTORELAY_MANAGED_IDENTITY", "true")]].concat());
        assert!(problems.contains("Azure Arc"), "{problems}");
    }
}
