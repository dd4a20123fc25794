//! Decodes JPEG. The segments are always read by us; plain files are then decoded by a fast decoder, everything else, and
//! what is wanted in a reduced size, by our own, which keeps to the letter of the standard and knows when data is missing.

mod bits;
mod block;
mod colours;
mod frame;
mod huffman;
mod idct;
mod plain;
mod planes;
mod reduced;
mod scan;
mod segments;

use colours::JpegColours;
use segments::JpegFile;

use crate::photo::colour::{Channels, ToSrgb};
use crate::photo::extent::Extent;
use crate::photo::orientation::orientation;
use crate::photo::reduction::Reduction;
use crate::photo::refusal::Refusal;
use crate::photo::sniff::Format;
use crate::photo::upright::{Pixels, SamplePlane, Upright};

/// Blocks that the scans of one photo may visit. A progressive photo of 24 megapixels with ten scans visits twelve
/// million, a few times over if its components are decoded one by one.
const MAX_VISITS: u64 = 64_000_000;

/// A JPEG whose segments have been read.
pub(super) struct Jpeg<'a> {
    file: JpegFile<'a>,
    colours: JpegColours,
}

impl<'a> Jpeg<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let file = segments::parse(bytes)?;
        let colours = JpegColours::of(&file);
        Ok(Self { file, colours })
    }

    pub(super) fn extent(&self) -> Extent {
        let frame = &self.file.frame;
        let pixels = frame.width as u64 * frame.height as u64;
        // What comes out of a grey photo is grey and then RGB.
        let memory = match self.colours {
            JpegColours::Grey => (pixels * 4).max(planes::memory(frame) as u64),
            _ if plain::is_plain(&self.file, self.colours) => pixels * 3,
            _ => planes::memory(frame) as u64,
        };
        Extent { width: frame.width as u32, height: frame.height as u32, memory }
    }

    /// With so much less detail at most.
    pub(super) fn decode(self, at_most: Reduction) -> Result<Upright, Refusal> {
        let Self { file, colours } = self;
        let visits = scan::visits(&file) * planes::passes(&file.frame) as u64;
        if visits > MAX_VISITS {
            return Err(Refusal::TooComplex { scans: file.scans.len(), visits, limit: MAX_VISITS });
        }
        let (width, height) = (file.frame.width as u32, file.frame.height as u32);
        let upright = |pixels, to_srgb| {
            Upright::new(Format::Jpeg, (width, height), pixels, file.exif.and_then(orientation), to_srgb)
        };
        let to_srgb = |from| file.profile.as_deref().and_then(|profile| ToSrgb::from_profile(profile, from));
        let is_rgb = matches!(colours, JpegColours::Rgb | JpegColours::YCbCr);
        let rgb_to_srgb = is_rgb.then(|| to_srgb(Channels::Rgb)).flatten();
        // The samples of planes are blended before they are colours.
        let may_blend = !rgb_to_srgb.as_ref().is_some_and(ToSrgb::is_steep);
        if may_blend && let Some(planes) = reduced(&file, colours, at_most) {
            return upright(Pixels::Planes(planes), rgb_to_srgb);
        }
        let pixels = match plain::decode(&file, colours) {
            Some(pixels) => pixels,
            None => {
                let mut pixels = planes::pixels(&file)?;
                colours::convert(&mut pixels, colours);
                pixels
            }
        };
        let (rgb, to_srgb) = match colours {
            JpegColours::Rgb | JpegColours::YCbCr => (pixels, rgb_to_srgb),
            JpegColours::Grey => {
                let converted = to_srgb(Channels::Grey).and_then(|conversion| conversion.apply(&pixels));
                (converted.unwrap_or_else(|| pixels.iter().flat_map(|y| [*y; 3]).collect()), None)
            }
            JpegColours::Cmyk | JpegColours::Ycck => {
                (colours::without_inks(pixels, to_srgb(Channels::Cmyk).as_ref()), None)
            }
        };
        upright(Pixels::Rgb(rgb), to_srgb)
    }
}

/// `None` if it must be decoded as a whole: it is small or unusual, or in some way damaged.
fn reduced(file: &JpegFile<'_>, colours: JpegColours, reduction: Reduction) -> Option<Vec<SamplePlane>> {
    if reduction == Reduction::None || colours != JpegColours::YCbCr {
        return None;
    }
    reduced::planes(&file.frame, plain::common_scan(file, colours)?, reduction).ok()
}
