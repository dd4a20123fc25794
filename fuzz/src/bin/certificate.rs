//! Certificates and keys: the PEM file of the credential, and the DER in it.
#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use libfuzzer_sys::fuzz_target;
use photorelay_agent::certificate::expires_at;
use photorelay_core::entra::{CredentialConfig, credential};
use photorelay_core::process::install_crypto_provider;
use photorelay_fuzz::{Limits, assert_one_line, assert_tells_no_secret, guard, watch_panics};
use url::Url;

const LIMITS: Limits = Limits { memory: 64 << 20, processor_time: Duration::from_secs(2) };
const PEM: &str = include_str!("../../../tests/graph/fixtures/certificate-and-key.pem");

static AUTHORITY: LazyLock<Url> = LazyLock::new(|| Url::parse("https://login.microsoftonline.com").expect("a URL"));

fuzz_target!(init: { install_crypto_provider(); watch_panics() }, |input: &[u8]| {
    guard(input, LIMITS, |input| {
        if let Ok(pem) = str::from_utf8(input) {
            read(pem.to_owned());
        } else {
            let der = BASE64.encode(input);
            read(format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n{PEM}"));
            read(format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n{PEM}"));
        }
    });
});

fn read(pem: String) {
    let (tenant_id, client_id) = ("contoso.test".to_owned(), "app".to_owned());
    let config = CredentialConfig::ClientCertificate { tenant_id, client_id, pem: pem.into() };
    expires_at(&config);
    assert_tells_no_secret(&format!("{config:?}"));
    if let Err(error) = credential(&config, &AUTHORITY) {
        assert_tells_no_secret(&error.to_string());
        assert_one_line(&error.to_string());
    }
}
