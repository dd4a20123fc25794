//! A decoded photo, presented upright and in sRGB.
//!
//! Rotation and most colour conversions are deferred until the photo is small, where they cost nothing: this type returns
//! only squares of a few pixels, and cropping and scaling work on the decoder's own buffer without a copy.

use std::fmt;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;

use super::colour::{ToSrgb, from_ycbcr};
use super::refusal::Refusal;
use super::sniff::Format;

/// What was decoded, rows from the top.
pub(super) enum Pixels {
    /// Three bytes a pixel.
    Rgb(Vec<u8>),
    /// Brightness, blue and red of a JPEG in a reduced size.
    Planes(Vec<SamplePlane>),
}

/// One byte a sample. The last sample of a row or column may stand for less than the others.
pub(super) struct SamplePlane {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Stored pixels that one sample stands for, in a row and in a column.
    pub(super) across: u32,
    pub(super) down: u32,
    pub(super) samples: Vec<u8>,
}

impl SamplePlane {
    /// Without the samples that stand for nothing of a photo of this size.
    pub(super) fn cut_to(mut self, stored: (u32, u32)) -> Self {
        let (width, height) =
            (stored.0.div_ceil(self.across).min(self.width), stored.1.div_ceil(self.down).min(self.height));
        let (stride, kept) = (self.width as usize, width as usize);
        for row in 0..height as usize {
            self.samples.copy_within(row * stride..row * stride + kept, row * kept);
        }
        self.samples.truncate(kept * height as usize);
        Self { width, height, ..self }
    }
}

/// A decoded photo. See [`super::decode()`] and [`super::decode_for()`]; what the latter returns shows no larger squares
/// well than it was asked for.
pub struct Upright {
    format: Format,
    /// The size as the file states it, whatever was decoded of it.
    stored: (u32, u32),
    pixels: Pixels,
    orientation: Orientation,
    to_srgb: Option<ToSrgb>,
}

impl fmt::Debug for Upright {
    /// Omits the pixels, which show the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upright")
            .field("format", &self.format)
            .field("width", &self.width())
            .field("height", &self.height())
            .finish_non_exhaustive()
    }
}

impl Upright {
    pub(super) fn new(
        format: Format,
        stored: (u32, u32),
        mut pixels: Pixels,
        orientation: Option<Orientation>,
        mut to_srgb: Option<ToSrgb>,
    ) -> Result<Self, Refusal> {
        let area = |width: u32, height: u32| u64::from(width) * u64::from(height);
        let covers = |plane: &SamplePlane| {
            area(plane.width, plane.height) == plane.samples.len() as u64
                && u64::from(plane.width) * u64::from(plane.across) >= u64::from(stored.0)
                && u64::from(plane.height) * u64::from(plane.down) >= u64::from(stored.1)
        };
        let is_whole = match &pixels {
            Pixels::Rgb(rgb) => area(stored.0, stored.1) * 3 == rgb.len() as u64,
            Pixels::Planes(planes) => planes.len() == 3 && planes.iter().all(covers),
        };
        if !is_whole || area(stored.0, stored.1) == 0 {
            return Err(Refusal::corrupt("the decoder returned an unexpected number of pixels"));
        }
        if let Pixels::Rgb(rgb) = &mut pixels
            && let Some(steep) = to_srgb.take_if(|conversion| conversion.is_steep())
            && !steep.apply_in_place(rgb)
        {
            return Err(Refusal::corrupt("its colours cannot be converted"));
        }
        Ok(Self { format, stored, pixels, orientation: orientation.unwrap_or(Orientation::NoTransforms), to_srgb })
    }

    /// The width in pixels, once upright.
    pub fn width(&self) -> u32 {
        if self.lies_on_its_side() { self.stored.1 } else { self.stored.0 }
    }

    /// The height in pixels, once upright.
    pub fn height(&self) -> u32 {
        if self.lies_on_its_side() { self.stored.0 } else { self.stored.1 }
    }

    /// The actual kind of the bytes.
    pub fn content_type(&self) -> &'static str {
        self.format.content_type()
    }

    pub(super) fn stored_size(&self) -> (u32, u32) {
        self.stored
    }

    fn lies_on_its_side(&self) -> bool {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        matches!(self.orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
    }

    /// Whether the stored columns, and the stored rows, run backwards once the photo is upright.
    fn is_reversed(&self) -> (bool, bool) {
        use Orientation::{FlipHorizontal, FlipVertical, Rotate90, Rotate180, Rotate270, Rotate270FlipH};
        (
            matches!(self.orientation, FlipHorizontal | Rotate180 | Rotate270 | Rotate270FlipH),
            matches!(self.orientation, FlipVertical | Rotate180 | Rotate90 | Rotate270FlipH),
        )
    }

    /// The largest centre square, scaled to this side, upright, in sRGB, three bytes a pixel.
    pub(super) fn square(&self, side: u32, filter: FilterType) -> Vec<u8> {
        let (width, height) = self.stored;
        let cut = width.min(height);
        // An odd pixel is cut off on the side that is right or below once the photo is upright.
        let (mirrored, upside_down) = self.is_reversed();
        let (left, top) = ((width - cut + u32::from(mirrored)) / 2, (height - cut + u32::from(upside_down)) / 2);
        let small = match &self.pixels {
            // Typed: without a pixel type this compiles the code for all thirteen of them, three megabytes.
            Pixels::Rgb(rgb) => resized::<U8x3>(rgb, self.stored, [left, top, cut, cut].map(f64::from), side, filter),
            Pixels::Planes(planes) => {
                let small = |plane: &SamplePlane, filter| {
                    let (across, down) = (f64::from(plane.across), f64::from(plane.down));
                    let [x, y, cut] = [left, top, cut].map(f64::from);
                    let square = [x / across, y / down, cut / across, cut / down];
                    resized::<U8>(&plane.samples, (plane.width, plane.height), square, side, filter)
                };
                let y = small(&planes[0], filter);
                // The eye sees colour less sharply, and this filter costs a third.
                let [cb, cr] = [1, 2].map(|at| small(&planes[at], FilterType::CatmullRom));
                y.into_iter().zip(cb).zip(cr).flat_map(|((y, cb), cr)| from_ycbcr([y, cb, cr])).collect()
            }
        };
        let small = self.to_srgb.as_ref().and_then(|conversion| conversion.apply(&small)).unwrap_or(small);
        turn(small, side as usize, self.orientation)
    }
}

/// The part at `left, top, width, height`, scaled to a square of this side.
fn resized<P: PixelTrait>(
    pixels: &[u8],
    (width, height): (u32, u32),
    [left, top, wide, high]: [f64; 4],
    side: u32,
    filter: FilterType,
) -> Vec<u8> {
    let source = TypedImageRef::<P>::from_buffer(width, height, pixels);
    let source = source.expect("the number of pixels was checked by `new`");
    let mut small = vec![0; (side * side) as usize * P::size()];
    let mut view = TypedImage::<P>::from_buffer(side, side, &mut small).expect("made for this size");
    let resize = ResizeAlg::Convolution(filter);
    let options = ResizeOptions::new().resize_alg(resize).crop(left, top, wide, high).use_alpha(false);
    Resizer::new().resize_typed(&source, &mut view, &options).expect("the square lies within the photo");
    small
}

/// Rotates a square upright.
fn turn(square: Vec<u8>, side: usize, orientation: Orientation) -> Vec<u8> {
    let last = side - 1;
    // The stored position of the pixel that belongs in column x and row y.
    let source = |x: usize, y: usize| match orientation {
        Orientation::NoTransforms => (x, y),
        Orientation::FlipHorizontal => (last - x, y),
        Orientation::Rotate180 => (last - x, last - y),
        Orientation::FlipVertical => (x, last - y),
        Orientation::Rotate90FlipH => (y, x),
        Orientation::Rotate90 => (y, last - x),
        Orientation::Rotate270FlipH => (last - y, last - x),
        Orientation::Rotate270 => (last - y, x),
    };
    if orientation == Orientation::NoTransforms {
        return square;
    }
    let mut turned = Vec::with_capacity(square.len());
    for y in 0..side {
        for x in 0..side {
            let (sx, sy) = source(x, y);
            let at = (sy * side + sx) * 3;
            turned.extend_from_slice(&square[at..at + 3]);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The letters of the EXIF table: where the first row and the first column of the stored picture belong.
    #[test]
    fn each_orientation_is_undone_as_the_image_crate_does_it() {
        let stored: Vec<u8> = (0..27).collect();
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut expected = image::DynamicImage::from(image::RgbImage::from_raw(3, 3, stored.clone()).unwrap());
            expected.apply_orientation(orientation);
            assert_eq!(turn(stored.clone(), 3, orientation), expected.into_bytes(), "orientation {exif}");
        }
    }
}
