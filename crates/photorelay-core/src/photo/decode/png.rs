//! The chunks of a PNG (W3C Portable Network Graphics, section 5): its size, its brightness, and whether it is cut off.
//!
//! Finds false headers before memory is spent on them. Whether all rows are there is for the decoder to say.

use super::cursor::{ByteCursor, ParseStop};
use crate::photo::extent::Extent;

/// What a PNG says about itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PngOutline<'a> {
    pub extent: Extent,
    /// The power of light that samples are, if it is another one than that of screens.
    pub gamma: Option<f64>,
    pub exif: Option<&'a [u8]>,
}

/// The power of light that samples are if they are meant for screens: writers of sRGB state it too, without its curve.
const SCREEN_GAMMA: f64 = 1.0 / 2.2;

pub(super) fn outline(bytes: &[u8]) -> Result<PngOutline<'_>, ParseStop> {
    let mut rest = ByteCursor(bytes);
    rest.take(8)?;
    let (mut extent, mut exif) = (None, None);
    let (mut gamma, mut has_profile, mut has_data) = (None, false, false);
    let mut per_pixel = 0;
    loop {
        match (chunk(&mut rest), extent) {
            (Ok((b"IHDR", data)), None) => {
                let (size, bytes) = header(data)?;
                (extent, per_pixel) = (Some(size), bytes);
            }
            (Ok(_), None) => return Err(ParseStop::Wrong("it does not start with its header")),
            (Ok((b"IHDR", _)), Some(_)) => return Err(ParseStop::Wrong("it describes its size twice")),
            (Ok((b"IEND", _)), _) => break,
            (Ok((b"IDAT", _)), _) => has_data = true,
            (Ok((b"gAMA", data)), _) if !has_data => gamma = data.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
            (Ok((b"iCCP" | b"sRGB", _)), _) => has_profile = true,
            (Ok((b"eXIf", data)), _) => exif = exif.or(Some(data)),
            (Ok(_), _) => {}
            // Nothing that the picture needs can be missing.
            (Err(is_data), Some(_)) if has_data && !is_data => break,
            (Err(_), _) => return Err(ParseStop::CutOff),
        }
    }
    let (width, height) = extent.ok_or(ParseStop::Wrong("it contains no picture"))?;
    if width == 0 || height == 0 {
        return Err(ParseStop::Wrong("a side has no pixels"));
    }
    let memory = (u64::from(width) * u64::from(height)).saturating_mul(per_pixel);
    let extent = Extent { width, height, memory };
    let gamma = gamma.filter(|gamma| *gamma > 0 && !has_profile).map(|gamma| f64::from(gamma) / 100_000.0);
    // As libpng does, differences that cannot be seen are left alone.
    let differs = |gamma: &f64| (gamma / SCREEN_GAMMA - 1.0).abs() >= 0.05;
    Ok(PngOutline { extent, gamma: gamma.filter(differs), exif })
}

/// The next chunk, or whether it is image data that is cut off.
fn chunk<'a>(rest: &mut ByteCursor<'a>) -> Result<(&'a [u8; 4], &'a [u8]), bool> {
    let mut whole = || {
        let length = u32::from_be_bytes(rest.array()?) as usize;
        let kind = rest.take(4)?.first_chunk().ok_or(ParseStop::CutOff)?;
        Ok((length, kind))
    };
    let (length, kind): (usize, &[u8; 4]) = whole().map_err(|_: ParseStop| false)?;
    let is_data = kind == b"IDAT";
    let data = rest.take(length).map_err(|_| is_data)?;
    rest.take(4).map_err(|_| is_data)?;
    Ok((kind, data))
}

/// The size, and the peak memory of decoding in bytes a pixel.
fn header(data: &[u8]) -> Result<((u32, u32), u64), ParseStop> {
    let &[w3, w2, w1, w0, h3, h2, h1, h0, depth, ..] = data else {
        return Err(ParseStop::Wrong("the header is too short"));
    };
    let size = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
    // Up to four channels, which become RGB in place, except if they are wider.
    Ok((size, if depth == 16 { 8 + 4 } else { 4 }))
}
