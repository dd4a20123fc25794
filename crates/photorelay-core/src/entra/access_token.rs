//! Access tokens for a resource that is not the storage, by the same credential.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use secrecy::SecretString;
use url::Url;

use super::{CredentialConfig, CredentialError, credential};

/// Tokens of one scope. The credential keeps a token until it is about to expire.
pub struct AccessTokens {
    credential: Arc<dyn TokenCredential>,
    scope: String,
}

impl AccessTokens {
    pub fn new(config: &CredentialConfig, authority: &Url, scope: &str) -> Result<Self, CredentialError> {
        Ok(Self { credential: credential(config, authority)?, scope: scope.to_owned() })
    }

    /// On `Err`, why there is none now.
    pub async fn token(&self) -> Result<SecretString, String> {
        let token = self.credential.get_token(&[&self.scope], None).await.map_err(|error| error.to_string())?;
        Ok(SecretString::from(token.token.secret().to_owned()))
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("scope", &self.scope).finish_non_exhaustive()
    }
}
