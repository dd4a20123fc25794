//! Photos: turns untrusted bytes into upright pixels, renditions and fingerprints.
//!
//! [`decode()`] owns the failure "this is not a photo that can be used safely" and reports it as a [`Refusal`]. It must
//! never trust a declared content type, only the bytes. Size, dimensions and memory are checked from the headers before
//! any pixels are allocated, and a panicking decoder refuses one photo and affects nothing else. Decoding must run on a
//! blocking thread, never on an async one.

mod colour;
mod decode;
mod extent;
mod fingerprint;
mod limits;
mod orientation;
mod reduction;
mod refusal;
mod rendition;
mod sample;
mod sniff;
mod upright;

pub use decode::{decode, decode_for};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use limits::PhotoLimits;
pub use refusal::Refusal;
pub use rendition::{InvalidRenditionSpec, Rendition, RenditionSpec};
pub use sample::sample;
pub use sniff::{Format, sniff};
pub use upright::Upright;
