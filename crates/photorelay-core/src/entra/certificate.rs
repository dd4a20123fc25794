//! Signs client assertions with a certificate's private key, as "Microsoft identity platform application authentication
//! certificate credentials" on learn.microsoft.com specifies: PS256, `x5t#S256`, valid for ten minutes.
//!
//! The key must never leave this module and is never printed. This module owns the failures of the PEM text: no
//! certificate, no key, or a key that is encrypted, is not RSA or belongs to another certificate.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::error::CredentialError;

const LIFE_SECONDS: u64 = 600;

/// Creates a new assertion for each token request.
pub(super) struct CertificateAssertion {
    key: EncodingKey,
    header: Header,
    client_id: String,
    audience: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: Uuid,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl CertificateAssertion {
    pub(super) fn new(pem: &SecretString, client_id: String, audience: String) -> Result<Self, CredentialError> {
        let pem = pem.expose_secret();
        let certificate = certificate_of_key(pem)?;
        let key = EncodingKey::from_rsa_pem(private_key_block(pem)?.as_bytes())
            .map_err(|_| unusable("its private key is not an RSA key"))?;
        let mut header = Header::new(Algorithm::PS256);
        header.x5t_s256 = Some(URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)));
        let assertion = Self { key, header, client_id, audience };
        // Reports a key that cannot sign at start-up, not at the first photo.
        assertion.sign().map_err(|_| unusable("its private key cannot sign"))?;
        Ok(assertion)
    }

    fn sign(&self) -> jsonwebtoken::errors::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = Claims {
            aud: &self.audience,
            iss: &self.client_id,
            sub: &self.client_id,
            jti: Uuid::new_v4(),
            iat: now,
            nbf: now,
            exp: now + LIFE_SECONDS,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key)
    }
}

#[async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.sign().map_err(|e| azure_core::Error::with_error(ErrorKind::Credential, e, "cannot sign an assertion"))
    }
}

impl fmt::Debug for CertificateAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAssertion").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// The certificate that the private key belongs to; the text may contain a whole chain.
fn certificate_of_key(pem: &str) -> Result<CertificateDer<'static>, CredentialError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| unusable("it is not valid PEM"))?;
    if certificates.is_empty() {
        return Err(unusable("it contains no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| unusable("it contains no private key, or an encrypted one: add the key, not encrypted"))?;
    let key = any_supported_type(&key).map_err(|_| unusable("its private key has an unsupported type"))?;
    certificates
        .into_iter()
        .find(|certificate| {
            let matching = CertifiedKey::new(vec![certificate.clone()], key.clone()).keys_match();
            // Entra ID judges a certificate that cannot be parsed here.
            !matches!(matching, Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)))
        })
        .ok_or_else(|| unusable("its private key belongs to another certificate"))
}

/// The text from the private key on; the parser reads only the first block.
fn private_key_block(pem: &str) -> Result<&str, CredentialError> {
    pem.match_indices("-----BEGIN ")
        .map(|(start, _)| &pem[start..])
        .find(|block| block.lines().next().is_some_and(|line| line.contains("PRIVATE KEY")))
        .ok_or_else(|| unusable("it contains no private key"))
}

fn unusable(reason: &str) -> CredentialError {
    CredentialError::Certificate(reason.to_owned())
}
