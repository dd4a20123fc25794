//! The settings for signing in to Entra ID: for Graph, for the storage account, or for both.

use std::path::PathBuf;

use super::Reader;
use crate::entra::CredentialConfig;
use crate::id::TenantId;

/// The login host of the public cloud, unless `PHOTORELAY_AUTHORITY_URL` names another one.
pub const DEFAULT_AUTHORITY_URL: &str = "https://login.microsoftonline.com";

/// Why there is no credential. Only what cannot do without one makes a problem of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCredential {
    /// No setting names one.
    NotConfigured,
    /// One is named, and a setting that it needs is missing, or a file that this account may not read.
    Incomplete(String),
    /// A setting is wrong, which the reader knows already.
    AlreadyReported,
}

const SELECTION: &str = "PHOTORELAY_CREDENTIAL";
const TENANT: &str = "PHOTORELAY_TENANT_ID";
const SECRETS: [&str; 2] = ["PHOTORELAY_CLIENT_SECRET", "PHOTORELAY_CLIENT_CERTIFICATE"];

/// Reads the one configured credential.
pub fn credential(reader: &mut Reader<'_>) -> Result<CredentialConfig, NoCredential> {
    let tenant: Option<TenantId> = reader.optional(TENANT);
    match reader.optional::<String>(SELECTION).as_deref() {
        None => {}
        // What the program itself signs in with is not for the operator's eyes, and not read.
        Some("azure-cli") => {
            return Ok(CredentialConfig::AzureCli { tenant_id: tenant.map(|id| id.to_string()) });
        }
        Some(other) => {
            reader.problem(&format!("{SELECTION}: `{other}` is not azure-cli; without it, the other settings decide"));
            return Err(NoCredential::AlreadyReported);
        }
    }
    let client_id: Option<String> = reader.optional("PHOTORELAY_CLIENT_ID");
    if let Some(why) = SECRETS.iter().find_map(|name| reader.unreadable_secret(name)) {
        // Another credential in its place would be another identity.
        return Err(NoCredential::Incomplete(why));
    }
    let [secret, certificate] = SECRETS.map(|name| reader.secret(name));
    let token_file: Option<PathBuf> = reader.optional("AZURE_FEDERATED_TOKEN_FILE");
    // What the platform sets for every program must not shadow what was configured for this one.
    let is_offered = reader.has("IDENTITY_ENDPOINT") && !is_arc(reader) && token_file.is_none();
    let managed = is_offered || reader.flag("PHOTORELAY_MANAGED_IDENTITY");
    if secret.is_some() && certificate.is_some() {
        reader.problem("PHOTORELAY_CLIENT_SECRET and PHOTORELAY_CLIENT_CERTIFICATE are both set: keep one");
        return Err(NoCredential::AlreadyReported);
    }
    if secret.is_none() && certificate.is_none() && managed {
        return managed_identity(reader, client_id);
    }
    if secret.is_none() && certificate.is_none() && token_file.is_none() {
        let is_wrong = SECRETS.iter().any(|name| reader.names_secret(name));
        return Err(if is_wrong { NoCredential::AlreadyReported } else { NoCredential::NotConfigured });
    }
    let incomplete = |why: &str| NoCredential::Incomplete(why.to_owned());
    let client_id = client_id.ok_or_else(|| {
        incomplete("PHOTORELAY_CLIENT_ID is missing: the application (client) id that the credential belongs to")
    })?;
    let tenant_id = match tenant {
        Some(tenant) => tenant.to_string(),
        None if reader.has(TENANT) => return Err(NoCredential::AlreadyReported),
        None => return Err(incomplete("PHOTORELAY_TENANT_ID is missing")),
    };
    Ok(match (secret, certificate, token_file) {
        (Some(secret), ..) => CredentialConfig::ClientSecret { tenant_id, client_id, secret },
        (_, Some(pem), _) => CredentialConfig::ClientCertificate { tenant_id, client_id, pem },
        (.., Some(token_file)) => CredentialConfig::WorkloadIdentity { tenant_id, client_id, token_file },
        (None, None, None) => return Err(NoCredential::NotConfigured),
    })
}

/// The managed identity of the platform, unless it is one that cannot be used.
pub(super) fn managed_identity(
    reader: &mut Reader<'_>,
    client_id: Option<String>,
) -> Result<CredentialConfig, NoCredential> {
    if is_arc(reader) {
        reader.problem(
            "the managed identity of this machine is one of Azure Arc, which this program cannot use: set \
             PHOTORELAY_CLIENT_ID and PHOTORELAY_CLIENT_CERTIFICATE_FILE instead",
        );
        return Err(NoCredential::AlreadyReported);
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

    fn read(variables: &[(&str, &str)]) -> (Result<CredentialConfig, NoCredential>, String) {
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
        assert!(matches!(credential, Ok(CredentialConfig::WorkloadIdentity { .. })), "{credential:?}");
        let (credential, _) = read(&APP_SERVICE);
        assert!(matches!(credential, Ok(CredentialConfig::ManagedIdentity { .. })), "{credential:?}");
        let (credential, _) =
            read(&[&APP_SERVICE[..], &[TOKEN_FILE, ("PHOTORELAY_MANAGED_IDENTITY", "true")]].concat());
        assert!(matches!(credential, Ok(CredentialConfig::ManagedIdentity { .. })), "{credential:?}");
    }

    #[test]
    fn the_identity_of_azure_arc_is_not_taken_by_itself_and_refused_where_it_is_configured() {
        assert!(matches!(read(&ARC), (Err(NoCredential::NotConfigured), problems) if problems.is_empty()));
        let (_, problems) = read(&[&ARC[..], &[("PHOTORELAY_MANAGED_IDENTITY", "true")]].concat());
        assert!(problems.contains("Azure Arc"), "{problems}");
    }

    #[test]
    fn what_a_credential_lacks_is_no_problem_until_something_needs_the_credential() {
        let lacking = |variables: &[(&str, &str)]| match read(variables) {
            (Err(NoCredential::Incomplete(why)), problems) if problems.is_empty() => why,
            other => panic!("{other:?}"),
        };
        let unreadable = [("PHOTORELAY_CLIENT_CERTIFICATE_FILE", "/nowhere/agent.pem")];
        assert!(
            lacking(&unreadable).starts_with("PHOTORELAY_CLIENT_CERTIFICATE_FILE: /nowhere/agent.pem cannot be read")
        );
        let secret = ("PHOTORELAY_CLIENT_SECRET", "s3cret");
        assert!(lacking(&[secret, ("PHOTORELAY_CLIENT_ID", "")]).starts_with("PHOTORELAY_CLIENT_ID is missing"));
        assert_eq!(lacking(&[secret, ("PHOTORELAY_TENANT_ID", "")]), "PHOTORELAY_TENANT_ID is missing");
        // The platform's identity is not taken for the one whose secret is in that file.
        lacking(&[&APP_SERVICE[..], &unreadable].concat());
        assert!(matches!(read(&[secret, ("PHOTORELAY_TENANT_ID", "x")]), (Err(NoCredential::AlreadyReported), _)));
    }
}
