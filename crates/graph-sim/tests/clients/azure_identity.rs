//! Signs in with azure-identity for Rust as it comes, with its own transport: `azure-identity AUTHORITY TENANT CLIENT SECRET`.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential as _;
use azure_core::http::ClientOptions;
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [authority, tenant, client, secret] = arguments.as_slice() else { anyhow::bail!("four arguments are needed") };
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = authority.clone();
    let client_options = ClientOptions { cloud: Some(Arc::new(cloud.into())), ..ClientOptions::default() };
    let options = ClientSecretCredentialOptions { client_options };
    let credential = ClientSecretCredential::new(tenant, client.clone(), secret.clone().into(), Some(options))?;
    let token = credential.get_token(&["https://graph.microsoft.com/.default"], None).await.context("signing in")?;
    ensure!(token.token.secret().matches('.').count() == 2, "not a token");
    Ok(())
}
