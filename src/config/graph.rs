//! Which tenant and which Graph, and who signs in to it.

use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::TenantId;
use photorelay_core::settings::{DEFAULT_AUTHORITY_URL, NoCredential, Reader};
use url::Url;

use crate::graph::{GraphUnset, IdentityExtra};

#[derive(Debug, Clone)]
pub struct GraphSettings {
    pub tenant_id: TenantId,
    pub credential: CredentialConfig,
    pub url: Url,
    /// The login host of the cloud, which also signs in to the storage.
    pub authority_url: Url,
    /// Personal data beyond what finds the on-premises account.
    pub identity_extra: IdentityExtra,
}

const DEFAULT_URL: &str = "https://graph.microsoft.com/v1.0";

const TENANT: &str = "PHOTORELAY_TENANT_ID";

impl GraphSettings {
    /// For programs that do nothing without Graph: what is missing is a problem, too. `credential` is what was read
    /// already, because the storage may need it.
    pub(super) fn read(reader: &mut Reader<'_>, credential: Result<CredentialConfig, NoCredential>) -> Option<Self> {
        match Self::read_if_set(reader, credential) {
            Ok(settings) => settings,
            Err(GraphUnset { missing, .. }) => {
                missing.iter().for_each(|missing| reader.problem(missing));
                None
            }
        }
    }

    /// The same for commands that ask Graph only where it is configured; `None` for settings that are wrong, which is
    /// reported.
    pub(super) fn read_if_set(
        reader: &mut Reader<'_>,
        credential: Result<CredentialConfig, NoCredential>,
    ) -> Result<Option<Self>, GraphUnset> {
        let tenant_id = reader.optional(TENANT);
        let url = reader.bare_url("PHOTORELAY_GRAPH_URL", DEFAULT_URL);
        let authority_url = authority_url(reader);
        let identity_extra = reader.optional("PHOTORELAY_IDENTITY_EXTRA").unwrap_or_default();
        let mut missing = Vec::new();
        if !reader.has(TENANT) {
            missing.push(format!("{TENANT} is missing"));
        }
        let has_broken_credential = matches!(credential, Err(NoCredential::Incomplete(_)));
        let credential = credential.map_err(|none| missing.extend(no_credential(none, &missing))).ok();
        if !missing.is_empty() {
            return Err(GraphUnset { missing, has_broken_credential });
        }
        let (Some(tenant_id), Some(credential)) = (tenant_id, credential) else { return Ok(None) };
        let (Some(url), Some(authority_url)) = (url, authority_url) else { return Ok(None) };
        Ok(Some(Self { tenant_id, credential, url, authority_url, identity_extra }))
    }
}

/// What there is to say about a credential that is not there, beside what is said already.
fn no_credential(none: NoCredential, said: &[String]) -> Option<String> {
    match none {
        NoCredential::NotConfigured => Some(
            "no credential for Microsoft Graph: run with a managed identity, or set PHOTORELAY_CLIENT_SECRET_FILE, \
             PHOTORELAY_CLIENT_CERTIFICATE_FILE, AZURE_FEDERATED_TOKEN_FILE (workload identity), or, for your own \
             sign-in, PHOTORELAY_CREDENTIAL to azure-cli"
                .to_owned(),
        ),
        NoCredential::Incomplete(why) if said.contains(&why) => None,
        NoCredential::Incomplete(why) => Some(format!("no credential for Microsoft Graph: {why}")),
        NoCredential::AlreadyReported => None,
    }
}

pub(super) fn authority_url(reader: &mut Reader<'_>) -> Option<Url> {
    reader.bare_url("PHOTORELAY_AUTHORITY_URL", DEFAULT_AUTHORITY_URL)
}
