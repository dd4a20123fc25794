//! Signs events as Standard Webhooks prescribes, for which most languages have a verifying library: HMAC-SHA-256 over id,
//! time and body, so that a receiver can tell that an event is ours, unchanged and recent.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sha2::Sha256;

const PREFIX: &str = "whsec_";

/// A key of 24 to 64 bytes.
#[derive(Clone)]
pub struct SigningKey(SecretSlice<u8>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads `whsec_` and base64. The error does not repeat the text.
    pub fn parse(text: &SecretString) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "expected whsec_ and 24 to 64 bytes in base64, such as `echo whsec_$(openssl rand -base64 32)`";
        let encoded = text.expose_secret().strip_prefix(PREFIX).ok_or(EXPECTED)?;
        let key = BASE64_STANDARD.decode(encoded).map_err(|_| EXPECTED)?;
        if (24..=64).contains(&key.len()) { Ok(Self(key.into())) } else { Err(EXPECTED) }
    }

    /// The value of the header `webhook-signature`.
    pub(super) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", at.as_second().to_string().as_bytes(), b".", body] {
            mac.update(part);
        }
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_the_reference() {
        let key = SigningKey::parse(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_too_short_or_not_base64_is_refused_without_being_repeated() {
        for text in ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let error = SigningKey::parse(&text.into()).unwrap_err();
            assert!(error.contains("24 to 64 bytes") && !error.contains("c2hvcnQ"), "{text}");
        }
    }
}
