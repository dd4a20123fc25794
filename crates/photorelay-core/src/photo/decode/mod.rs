//! Decodes untrusted bytes to upright pixels, with the cheapest checks first: length, kind, headers, then pixels.

mod jpeg;
mod raster;

use super::limits::PhotoLimits;
use super::outline::{Outline, outline};
use super::refusal::{Refusal, contained};
use super::sniff::{Format, name_of_other, sniff};
use super::upright::Upright;

/// Decodes a photo. An `Err` is final for these bytes: record it, do not retry.
///
/// Blocks for milliseconds, so call it where blocking is allowed.
pub fn decode(bytes: &[u8], limits: &PhotoLimits) -> Result<Upright, Refusal> {
    let (format, outline) = admit(bytes, limits)?;
    let upright = contained("the decoder", || match format {
        Format::Jpeg => jpeg::decode(bytes, limits, &outline),
        Format::Png | Format::Gif => raster::decode(format, bytes, limits),
    })?;
    if upright.stored_size() != (outline.width, outline.height) {
        return Err(Refusal::corrupt("it decodes to another size than its header states"));
    }
    Ok(upright)
}

/// Refuses everything that can be refused without decoding.
fn admit(bytes: &[u8], limits: &PhotoLimits) -> Result<(Format, Outline), Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(Refusal::TooLarge { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let format = sniff(bytes).ok_or_else(|| Refusal::NotAPhoto { found: name_of_other(bytes) })?;
    let outline = outline(format, bytes)?;
    limits.admit(&outline)?;
    if (outline.width, outline.height) == (1, 1) {
        return Err(Refusal::Placeholder { width: 1, height: 1 });
    }
    if !outline.complete {
        return Err(Refusal::Truncated);
    }
    Ok((format, outline))
}
