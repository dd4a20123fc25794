//! Decodes untrusted bytes to upright pixels, with the cheapest checks first: length, kind, headers, then pixels.

mod cursor;
mod gif;
mod jpeg;
mod png;
mod raster;

use super::extent::Extent;
use super::limits::PhotoLimits;
use super::reduction::Reduction;
use super::refusal::{Refusal, contained};
use super::sniff::{Format, name_of_other, sniff};
use super::upright::Upright;

/// Decodes a photo with all of its detail. An `Err` is final for these bytes: record it, do not retry.
///
/// Blocks for milliseconds, so call it where blocking is allowed.
pub fn decode(bytes: &[u8], limits: &PhotoLimits) -> Result<Upright, Refusal> {
    decode_for(bytes, limits, u32::MAX)
}

/// Decodes a photo with as much detail as a square of `side` pixels a side can show, and a resize filter needs. It accepts
/// and refuses what [`decode`] does, for the same reasons.
pub fn decode_for(bytes: &[u8], limits: &PhotoLimits, side: u32) -> Result<Upright, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(Refusal::TooLarge { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let format = sniff(bytes).ok_or_else(|| Refusal::NotAPhoto { found: name_of_other(bytes) })?;
    let (extent, upright) = contained("the decoder", || match format {
        Format::Jpeg => {
            let jpeg = jpeg::Jpeg::read(bytes)?;
            let extent = jpeg.extent();
            admit(&extent, limits)?;
            Ok((extent, jpeg.decode(Reduction::for_side(&extent, side))?))
        }
        Format::Png => {
            let outline = png::outline(bytes)?;
            admit(&outline.extent, limits)?;
            Ok((outline.extent, raster::decode_png(bytes, &outline, limits)?))
        }
        Format::Gif => {
            let frame = gif::first_frame(bytes)?;
            admit(&frame.extent, limits)?;
            Ok((frame.extent, raster::decode_gif(&frame, limits)?))
        }
    })?;
    if upright.stored_size() != (extent.width, extent.height) {
        return Err(Refusal::corrupt("it decodes to another size than its header states"));
    }
    Ok(upright)
}

/// Refuses what can be refused without decoding.
fn admit(extent: &Extent, limits: &PhotoLimits) -> Result<(), Refusal> {
    limits.admit(extent)?;
    match (extent.width, extent.height) {
        (1, 1) => Err(Refusal::Placeholder { width: 1, height: 1 }),
        _ => Ok(()),
    }
}
