//! The sign-in of the Azure CLI (`az login`), for operators at a terminal.
//!
//! The CLI takes a second for each token and keeps none for us, so a token is kept here until shortly before its end. This
//! module owns the failure "the CLI does not answer"; what the CLI says otherwise is passed on as it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::time::OffsetDateTime;
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions};
use tokio::sync::Mutex;

/// The CLI may ask Entra ID, and waits for no input.
const PATIENCE: Duration = Duration::from_secs(60);
/// A token is not used within this time before its end.
const MARGIN: azure_core::time::Duration = azure_core::time::Duration::minutes(5);

/// Tokens of the account that is signed in to the CLI.
pub(super) struct AzureCliTokens {
    cli: Arc<AzureCliCredential>,
    /// By scope. Locked while the CLI runs, so that it runs once for each.
    kept: Mutex<HashMap<String, AccessToken>>,
}

impl AzureCliTokens {
    pub(super) fn new(tenant_id: Option<String>) -> azure_core::Result<Self> {
        let options = AzureCliCredentialOptions { tenant_id, ..AzureCliCredentialOptions::default() };
        Ok(Self { cli: AzureCliCredential::new(Some(options))?, kept: Mutex::default() })
    }
}

#[async_trait]
impl TokenCredential for AzureCliTokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mut kept = self.kept.lock().await;
        let scope = scopes.join(" ");
        if let Some(token) = kept.get(&scope).filter(|token| token.expires_on - MARGIN > OffsetDateTime::now_utc()) {
            return Ok(token.clone());
        }
        let answered = tokio::time::timeout(PATIENCE, self.cli.get_token(scopes, options)).await;
        let token = answered.map_err(|_| {
            let message = format!("`az account get-access-token` does not answer within {} s", PATIENCE.as_secs());
            azure_core::Error::with_message(ErrorKind::Credential, message)
        })??;
        kept.insert(scope, token.clone());
        Ok(token)
    }
}

impl fmt::Debug for AzureCliTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureCliTokens").field("cli", &self.cli).finish_non_exhaustive()
    }
}
