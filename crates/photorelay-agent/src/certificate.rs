//! When the certificate that the agent signs in with expires: reported weeks before, while there is time to replace it.
//! And whether the machine has certificates to verify others by, and a server one that Kerberos can be bound to.

use jiff::{SignedDuration, Timestamp};
use photorelay_core::entra::CredentialConfig;
use secrecy::ExposeSecret as _;
use x509_parser::oid_registry::OID_PKCS1_RSASSAPSS;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// From here on it is a warning.
pub const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The first end among the certificates of the credential; none if there is none.
pub fn expires_at(credential: &CredentialConfig) -> Option<Timestamp> {
    let CredentialConfig::ClientCertificate { pem, .. } = credential else { return None };
    let blocks = Pem::iter_from_buffer(pem.expose_secret().as_bytes()).filter_map(Result::ok);
    let ends = blocks.filter_map(|block| {
        let certificate = block.parse_x509().ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    ends.min()
}

/// Whether this certificate is signed with RSASSA-PSS: the library that speaks LDAP takes no digest of such a one, and
/// binds no sign-in to the channel (RFC 5929, 4.1).
pub(crate) fn is_signed_with_pss(der: &[u8]) -> bool {
    let certificate = X509Certificate::from_der(der);
    certificate.is_ok_and(|(_, certificate)| certificate.signature_algorithm.algorithm == OID_PKCS1_RSASSAPSS)
}

/// Whether this machine holds any CA certificate by which a server can be verified.
pub fn machine_has_authorities() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = include_str!("../../../tests/graph/fixtures/certificate-and-key.pem");

    #[test]
    fn a_certificate_signed_with_pss_is_recognised() {
        let der = |pem: &str| {
            Pem::iter_from_buffer(pem.as_bytes())
                .find_map(|block| block.ok().filter(|block| block.label == "CERTIFICATE").map(|block| block.contents))
        };
        assert!(is_signed_with_pss(&der(include_str!("../tests/fixtures/signed-with-pss.pem")).unwrap()));
        assert!(!is_signed_with_pss(&der(PEM).unwrap()) && !is_signed_with_pss(b"no certificate"));
    }

    #[test]
    fn the_end_of_a_certificate_is_read_from_the_same_file_as_its_key() {
        let of = |pem: &str| {
            let (tenant_id, client_id) = ("t".to_owned(), "c".to_owned());
            expires_at(&CredentialConfig::ClientCertificate { tenant_id, client_id, pem: pem.into() })
        };
        assert!(of(PEM).is_some_and(|end| end > Timestamp::UNIX_EPOCH));
        assert_eq!(of("no certificate"), None);
        assert_eq!(expires_at(&CredentialConfig::ManagedIdentity { client_id: None }), None);
    }
}
