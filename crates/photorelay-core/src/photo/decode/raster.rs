//! Decodes PNG, and the first frame of a GIF, flattened onto white.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError};

use crate::photo::Format;
use crate::photo::colour::{Channels, ToSrgb};
use crate::photo::limits::PhotoLimits;
use crate::photo::refusal::Refusal;
use crate::photo::upright::{Pixels, Upright};

pub(super) fn decode(format: Format, bytes: &[u8], limits: &PhotoLimits) -> Result<Upright, Refusal> {
    let mut bounds = image::Limits::default();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    bounds.max_alloc = Some(limits.max_memory);
    let reader = Cursor::new(bytes);
    match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(reader).map_err(refusal)?;
            decoder.set_limits(bounds).map_err(refusal)?;
            finish(format, decoder)
        }
        _ => finish(format, PngDecoder::with_limits(reader, bounds).map_err(refusal)?),
    }
}

fn finish(format: Format, mut decoder: impl ImageDecoder) -> Result<Upright, Refusal> {
    let orientation: Option<Orientation> = decoder.orientation().ok();
    let profile = decoder.icc_profile().ok().flatten();
    let is_grey = !decoder.color_type().has_color();
    let image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    let (width, height) = (image.width(), image.height());
    let mut rgb = over_white(image);

    let mut to_srgb = None;
    if is_grey {
        let conversion = profile.and_then(|profile| ToSrgb::from_profile(&profile, Channels::Grey));
        if let Some(conversion) = conversion {
            let grey: Vec<u8> = rgb.iter().step_by(3).copied().collect();
            rgb = conversion.apply(&grey).unwrap_or(rgb);
        }
    } else {
        to_srgb = profile.and_then(|profile| ToSrgb::from_profile(&profile, Channels::Rgb));
    }
    Upright::new(format, Pixels { width, height, rgb }, orientation, to_srgb)
}

fn over_white(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let rgba = image.into_rgba8();
    let blend = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u16::from(channel), u16::from(alpha));
        ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    rgba.pixels()
        .flat_map(|pixel| {
            let [r, g, b, a] = pixel.0;
            [blend(r, a), blend(g, a), blend(b, a)]
        })
        .collect()
}

fn refusal(error: ImageError) -> Refusal {
    match &error {
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => Refusal::Truncated,
        _ => Refusal::corrupt(error),
    }
}
