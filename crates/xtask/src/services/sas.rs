//! An account SAS for Azurite's well-known development account, so that the tests use the same kind of service URI as
//! production does. The key is public (Azurite's README prints it) and opens nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const VERSION: &str = "2021-12-02";
const PERMISSIONS: &str = "rwdxlacuptfi";
/// Blob and queue.
const SERVICES: &str = "bq";
/// Service, container and object.
const TYPES: &str = "sco";
const PROTOCOLS: &str = "https,http";
/// Longer than any checkout lives; the servers themselves listen on loopback and end with the run.
const EXPIRY: &str = "2099-01-01T00:00:00Z";

/// The query part of a service URI, without its question mark.
pub(crate) fn query() -> String {
    // The order is that of "Create an account SAS" in the Azure Storage REST reference. Empty lines: no start, no
    // address range, no encryption scope.
    let signed = format!("{ACCOUNT}\n{PERMISSIONS}\n{SERVICES}\n{TYPES}\n\n{EXPIRY}\n\n{PROTOCOLS}\n{VERSION}\n\n",);
    let key = STANDARD.decode(KEY).expect("the well-known key is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(signed.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let expiry = EXPIRY.replace(':', "%3A");
    let protocols = PROTOCOLS.replace(',', "%2C");
    format!("sv={VERSION}&ss={SERVICES}&srt={TYPES}&sp={PERMISSIONS}&se={expiry}&spr={protocols}&sig={signature}")
}
