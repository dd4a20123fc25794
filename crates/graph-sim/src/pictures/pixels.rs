//! Pixels: decoding a picture to an upright square, and resizing.

use std::fmt;
use std::io::Cursor;

use anyhow::Context as _;
use image::{DynamicImage, ImageDecoder as _, ImageReader};

/// Edge lengths that Microsoft 365 keeps.
pub(crate) const OFFICIAL_EDGES: [u32; 9] = [48, 64, 96, 120, 240, 360, 432, 504, LARGEST_EDGE];
pub(crate) const LARGEST_EDGE: u32 = 648;

/// Pixels, three bytes each.
#[derive(Clone)]
pub(crate) struct Rgb {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) data: Vec<u8>,
}

impl fmt::Debug for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rgb({}x{})", self.width, self.height)
    }
}

/// Official edge to keep for a picture of this edge; below the smallest the picture keeps its own.
pub(crate) fn largest_official(edge: u32) -> u32 {
    OFFICIAL_EDGES.into_iter().rev().find(|official| *official <= edge).unwrap_or(edge)
}

/// Upright, cropped to the center square, at most 648 pixels wide.
pub(crate) fn decoded_square(bytes: &[u8]) -> anyhow::Result<Rgb> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().context("reading the header")?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(12_000);
    limits.max_image_height = Some(12_000);
    limits.max_alloc = Some(256 << 20);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().context("not a picture")?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).context("not a complete picture")?;
    picture.apply_orientation(orientation);
    let edge = picture.width().min(picture.height());
    anyhow::ensure!(edge >= 8, "only {}x{} pixels", picture.width(), picture.height());
    let square = picture.crop_imm((picture.width() - edge) / 2, (picture.height() - edge) / 2, edge, edge).into_rgb8();
    let square = Rgb { width: edge, height: edge, data: square.into_raw() };
    if edge > LARGEST_EDGE { resized(&square, LARGEST_EDGE) } else { Ok(square) }
}

/// A square of this edge. Uses only methods that the image crate compiles itself: generic code would run unoptimized.
pub(crate) fn resized(pixels: &Rgb, edge: u32) -> anyhow::Result<Rgb> {
    if pixels.width == edge {
        return Ok(pixels.clone());
    }
    let picture = as_picture(pixels.clone())?;
    let picture = match edge < pixels.width {
        true => picture.thumbnail_exact(edge, edge),
        false => picture.resize_exact(edge, edge, image::imageops::FilterType::Triangle),
    };
    Ok(Rgb { width: edge, height: edge, data: picture.into_rgb8().into_raw() })
}

pub(crate) fn mirrored(pixels: Rgb) -> anyhow::Result<Rgb> {
    let (width, height) = (pixels.width, pixels.height);
    Ok(Rgb { data: as_picture(pixels)?.fliph().into_rgb8().into_raw(), width, height })
}

fn as_picture(pixels: Rgb) -> anyhow::Result<DynamicImage> {
    let picture = image::RgbImage::from_raw(pixels.width, pixels.height, pixels.data);
    Ok(DynamicImage::ImageRgb8(picture.context("the number of bytes does not match the size")?))
}
