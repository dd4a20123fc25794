//! Decodes JPEG strictly, with its orientation, its colour profile and its various colour encodings.

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::photo::Format;
use crate::photo::colour::{Channels, ToSrgb};
use crate::photo::limits::PhotoLimits;
use crate::photo::outline::Outline;
use crate::photo::refusal::Refusal;
use crate::photo::upright::{Pixels, Upright};

/// Ordinary progressive photos have about ten scans; each one costs another iteration over all pixels.
const MAX_SCANS: usize = 64;

pub(super) fn decode(bytes: &[u8], limits: &PhotoLimits, outline: &Outline) -> Result<Upright, Refusal> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(limits.max_side as usize)
        .set_max_height(limits.max_side as usize)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(refusal)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let profile = decoder.icc_profile();
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::RGB);

    let mut read_as = |colours| -> Result<Vec<u8>, Refusal> {
        decoder.set_options(options.jpeg_set_out_colorspace(colours));
        decoder.decode().map_err(refusal)
    };
    let to_srgb = |from| profile.as_deref().and_then(|profile| ToSrgb::from_profile(profile, from));
    let (rgb, to_srgb) = match stored {
        ColorSpace::CMYK | ColorSpace::YCCK => {
            let inks = as_paper(read_as(stored)?, stored, outline.adobe);
            (
                to_srgb(Channels::Cmyk)
                    .and_then(|conversion| conversion.apply(&as_ink(&inks)))
                    .unwrap_or_else(|| multiply(&inks)),
                None,
            )
        }
        ColorSpace::Luma => match to_srgb(Channels::Grey) {
            Some(conversion) => {
                let grey = read_as(ColorSpace::Luma)?;
                let rgb = conversion.apply(&grey).unwrap_or_else(|| grey.iter().flat_map(|y| [*y; 3]).collect());
                (rgb, None)
            }
            None => (read_as(ColorSpace::RGB)?, None),
        },
        _ => (read_as(ColorSpace::RGB)?, to_srgb(Channels::Rgb)),
    };
    Upright::new(Format::Jpeg, Pixels { width: outline.width, height: outline.height, rgb }, orientation, to_srgb)
}

fn refusal(error: DecodeErrors) -> Refusal {
    match error {
        DecodeErrors::ExhaustedData => Refusal::Truncated,
        other => Refusal::corrupt(format_args!("{other:?}")),
    }
}

/// Four bytes a pixel as reflected light (255 is no ink), whichever way the file stores them.
fn as_paper(mut samples: Vec<u8>, stored: ColorSpace, adobe: bool) -> Vec<u8> {
    let clamp = |value: f32| (value + 0.5).clamp(0.0, 255.0) as u8;
    for pixel in samples.chunks_exact_mut(4) {
        if stored == ColorSpace::YCCK {
            let (y, cb, cr) = (f32::from(pixel[0]), f32::from(pixel[1]) - 128.0, f32::from(pixel[2]) - 128.0);
            pixel[0] = 255 - clamp(y + 1.402 * cr);
            pixel[1] = 255 - clamp(y - 0.344_136 * cb - 0.714_136 * cr);
            pixel[2] = 255 - clamp(y + 1.772 * cb);
        } else if !adobe {
            pixel.iter_mut().for_each(|ink| *ink = 255 - *ink);
        }
    }
    samples
}

fn as_ink(paper: &[u8]) -> Vec<u8> {
    paper.iter().map(|light| 255 - light).collect()
}

/// Converts CMYK without a profile: each colour ink reduces the light, and black reduces it once more.
fn multiply(paper: &[u8]) -> Vec<u8> {
    let dim = |light: u8, black: u8| ((u16::from(light) * u16::from(black) + 127) / 255) as u8;
    paper.chunks_exact(4).flat_map(|p| [dim(p[0], p[3]), dim(p[1], p[3]), dim(p[2], p[3])]).collect()
}
