//! Renditions: a photo as a small square JPEG that fits into a directory attribute.
//!
//! A rendition must never exceed its size limit. The same photo must always give the same bytes, because a rendition is
//! named by its digest.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use fast_image_resize::FilterType;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::refusal::{Refusal, contained};
use super::upright::Upright;
use crate::id::Digest;

/// The attribute and the limits of a rendition. Written as `name:side:max_bytes`, such as `thumbnailPhoto:96:10240`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RenditionSpec {
    /// The directory attribute, which is part of blob names.
    pub name: String,
    /// The pixels of each side; a smaller photo is not enlarged.
    pub side: u32,
    pub max_bytes: usize,
}

impl RenditionSpec {
    /// 96x96 in 10 KiB: what Outlook and Exchange expect of `thumbnailPhoto`.
    pub fn thumbnail_photo() -> Self {
        Self { name: "thumbnailPhoto".to_owned(), side: 96, max_bytes: 10_240 }
    }

    /// 648x648 in 100 KiB: the largest size that Microsoft 365 keeps.
    pub fn jpeg_photo() -> Self {
        Self { name: "jpegPhoto".to_owned(), side: 648, max_bytes: 102_400 }
    }
}

impl fmt::Display for RenditionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.name, self.side, self.max_bytes)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a rendition like thumbnailPhoto:96:10240: an attribute name of letters, digits and hyphens, \
     a side of 16 to 2048 pixels, and a limit of 1024 to 1048576 bytes"
)]
pub struct InvalidRenditionSpec;

impl FromStr for RenditionSpec {
    type Err = InvalidRenditionSpec;

    fn from_str(text: &str) -> Result<Self, InvalidRenditionSpec> {
        let mut parts = text.split(':');
        let (Some(name), Some(side), Some(max_bytes), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidRenditionSpec);
        };
        let spec = Self {
            name: name.to_owned(),
            side: side.parse().map_err(|_| InvalidRenditionSpec)?,
            max_bytes: max_bytes.parse().map_err(|_| InvalidRenditionSpec)?,
        };
        let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.len() <= 64
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !named || !(SMALLEST_SIDE..=2048).contains(&spec.side) || !(1024..=1 << 20).contains(&spec.max_bytes) {
            return Err(InvalidRenditionSpec);
        }
        Ok(spec)
    }
}

/// A JPEG that photorelay encoded within its limit.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendition {
    pub name: String,
    pub bytes: Bytes,
    pub sha256: Digest,
    pub width: u32,
    pub height: u32,
}

impl fmt::Debug for Rendition {
    /// Omits the bytes, which show the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendition")
            .field("name", &self.name)
            .field("bytes", &self.bytes.len())
            .field("sha256", &self.sha256)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish()
    }
}

impl Upright {
    /// Encodes the centre square of the photo at the highest quality that fits. An `Err` is final for this pair.
    pub fn render(&self, spec: &RenditionSpec) -> Result<Rendition, Refusal> {
        let (width, height) = (self.width(), self.height());
        let square = width.min(height);
        if square < SMALLEST_SIDE && square * SLIVER < width.max(height) {
            return Err(Refusal::TooNarrow { width, height });
        }
        let side = spec.side.min(width).min(height);
        let does_not_fit = || Refusal::DoesNotFit { rendition: spec.name.clone(), max_bytes: spec.max_bytes };
        let small_side = u16::try_from(side).map_err(|_| does_not_fit())?;
        let bytes = contained("making a rendition", || {
            encode_within(&self.square(side, FilterType::Lanczos3), small_side, spec.max_bytes)?
                .ok_or_else(does_not_fit)
        })?;
        Ok(Rendition {
            name: spec.name.clone(),
            sha256: Digest::of(&bytes),
            bytes: Bytes::from(bytes),
            width: side,
            height: side,
        })
    }
}

/// A photo whose sides differ more than so many times is not recognisable by a very small square in its middle. A
/// larger square shows at least what every directory and every viewer would show of the photo.
const SLIVER: u32 = 20;
/// No rendition with fewer pixels a side can be configured, because it could not be recognised.
const SMALLEST_SIDE: u32 = 16;

/// Above this quality a JPEG grows without looking better.
const BEST: u8 = 92;
/// Below this quality a face is no longer worth writing to a directory.
const WORST: u8 = 30;
/// How much the logarithm of the size grows with each step of quality, in a typical photo.
const GROWTH: f64 = 0.025;

/// Encodes at the highest quality that fits. Estimates it from the sizes so far, so that a few attempts are enough.
fn encode_within(rgb: &[u8], side: u16, max_bytes: usize) -> Result<Option<Vec<u8>>, Refusal> {
    let excess = |size: usize| (size as f64 / max_bytes as f64).ln();
    let first = encode(rgb, side, BEST)?;
    if first.len() <= max_bytes {
        return Ok(Some(first));
    }
    let mut too_high = (BEST, excess(first.len()));
    let mut fits: Option<(u8, f64, Vec<u8>)> = None;
    for attempt in 0.. {
        let low = fits.as_ref().map_or(WORST, |(quality, ..)| quality + 1);
        let high = too_high.0 - 1;
        if low > high {
            break;
        }
        let aim = match &fits {
            // Bisection always ends; estimating is faster while the estimates are good.
            _ if attempt >= 4 => f64::from(low + (high - low) / 2),
            None => f64::from(too_high.0) - (too_high.1 / GROWTH).ceil(),
            Some((quality, room, _)) => {
                f64::from(*quality) + f64::from(too_high.0 - quality) * -room / (too_high.1 - room)
            }
        };
        let quality = (aim as u8).clamp(low, high);
        let encoded = encode(rgb, side, quality)?;
        if encoded.len() <= max_bytes {
            fits = Some((quality, excess(encoded.len()), encoded));
        } else {
            too_high = (quality, excess(encoded.len()));
        }
    }
    Ok(fits.map(|(.., bytes)| bytes))
}

fn encode(rgb: &[u8], side: u16, quality: u8) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::with_capacity(16 << 10);
    let mut encoder = Encoder::new(&mut bytes, quality);
    // Full colour resolution: at this size, chroma subsampling is visible and saves little.
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder.encode(rgb, side, side, ColorType::Rgb).map_err(Refusal::corrupt)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendition_is_configured_by_name_side_and_limit() {
        assert_eq!("thumbnailPhoto:96:10240".parse(), Ok(RenditionSpec::thumbnail_photo()));
        assert_eq!(RenditionSpec::jpeg_photo().to_string().parse(), Ok(RenditionSpec::jpeg_photo()));
    }

    #[test]
    fn a_rendition_that_could_not_be_stored_or_seen_is_not_configured() {
        for text in [
            "",
            "thumbnailPhoto",
            "thumbnailPhoto:96",
            "a/b:96:10240",
            ":96:10240",
            "photo:0:10240",
            "photo:96:10",
            "photo:9999:10240",
            "photo:96:10240:1",
            "photo:96:-1",
        ] {
            assert_eq!(text.parse::<RenditionSpec>(), Err(InvalidRenditionSpec), "{text}");
        }
    }
}
