//! Photos: untrusted bytes in, upright pixels, renditions and fingerprints out.
//!
//! [`decode()`] owns the failure "this is not a photo that we can safely use" and names it with a [`Refusal`]. Content is
//! judged by its bytes and never by what somebody says it is; size, sides, pixels and memory are checked from the
//! headers before anything is allocated for pixels; a decoder that panics refuses one photo and nothing else.
//! Decoding is work for a blocking thread, never for an async one.

mod colour;
mod decode;
mod fingerprint;
mod limits;
mod outline;
mod refusal;
mod rendition;
mod sample;
mod sniff;
mod upright;

pub use decode::decode;
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use limits::PhotoLimits;
pub use refusal::Refusal;
pub use rendition::{InvalidRenditionSpec, Rendition, RenditionSpec};
pub use sample::sample;
pub use sniff::{Format, sniff};
pub use upright::Upright;
