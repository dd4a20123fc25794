//! A photo that the trail does not know yet: decoded, or refused.

use bytes::Bytes;
use photorelay_core::id::Digest;
use photorelay_core::photo::{Fingerprint, Rendition};

pub(super) enum NewPhoto {
    Decoded(Box<DecodedPhoto>),
    Refused { reason: String },
}

pub(super) struct DecodedPhoto {
    pub(super) bytes: Bytes,
    pub(super) sha256: Digest,
    pub(super) content_type: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fingerprint: Fingerprint,
    pub(super) renditions: Vec<Rendition>,
}
