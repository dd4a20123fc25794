//! Which tenant and which Graph, and who signs in to it.

use photorelay_core::entra::CredentialConfig;
use photorelay_core::id::TenantId;
use photorelay_core::settings::{AlreadyReported, DEFAULT_AUTHORITY_URL, Reader};
use url::Url;

use crate::graph::IdentityExtra;

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

impl GraphSettings {
    /// `credential` is what was read already, because the storage may need it too.
    pub(super) fn read(
        reader: &mut Reader<'_>,
        credential: Result<Option<CredentialConfig>, AlreadyReported>,
    ) -> Option<Self> {
        let tenant_id = reader.required("PHOTORELAY_TENANT_ID");
        if matches!(credential, Ok(None)) {
            reader.problem(
                "no credential for Microsoft Graph: run with a managed identity, or set PHOTORELAY_CLIENT_SECRET_FILE, \
                 PHOTORELAY_CLIENT_CERTIFICATE_FILE, or AZURE_FEDERATED_TOKEN_FILE (workload identity)",
            );
        }
        let url = reader.bare_url("PHOTORELAY_GRAPH_URL", DEFAULT_URL);
        let authority_url = authority_url(reader);
        let identity_extra = reader.optional("PHOTORELAY_IDENTITY_EXTRA").unwrap_or_default();
        Some(Self {
            tenant_id: tenant_id?,
            credential: credential.ok().flatten()?,
            url: url?,
            authority_url: authority_url?,
            identity_extra,
        })
    }
}

pub(super) fn authority_url(reader: &mut Reader<'_>) -> Option<Url> {
    reader.bare_url("PHOTORELAY_AUTHORITY_URL", DEFAULT_AUTHORITY_URL)
}
