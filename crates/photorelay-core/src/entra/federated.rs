//! Workload identity: the assertion is a token in a file that the platform refreshes.
//!
//! The file is read for each token request, because it is replaced about every hour. Its content must never be printed.

use std::path::PathBuf;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use tokio::io::AsyncReadExt as _;

/// Tokens are far smaller; a larger file is not a token.
const MAX_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    async fn read(&self) -> std::io::Result<String> {
        let mut text = String::new();
        tokio::fs::File::open(&self.0).await?.take(MAX_BYTES + 1).read_to_string(&mut text).await?;
        match text.trim() {
            "" => Err(std::io::Error::other("it is empty")),
            token if token.len() as u64 > MAX_BYTES => Err(std::io::Error::other("it is too large to be a token")),
            token => Ok(token.to_owned()),
        }
    }
}

#[async_trait]
impl ClientAssertion for TokenFile {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.read().await.map_err(|e| {
            let message = format!("the federated token file {} cannot be used: {e}", self.0.display());
            azure_core::Error::with_error(ErrorKind::Credential, e, message)
        })
    }
}
