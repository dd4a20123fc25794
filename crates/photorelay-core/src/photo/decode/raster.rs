//! Decodes PNG, and the first frame of a GIF, flattened onto white.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, ImageError};

use super::gif::FirstFrame;
use super::png::PngOutline;
use crate::photo::colour::{Channels, ToSrgb, from_light};
use crate::photo::limits::PhotoLimits;
use crate::photo::orientation::orientation;
use crate::photo::refusal::Refusal;
use crate::photo::sniff::Format;
use crate::photo::upright::{Pixels, Upright};

/// Printers' profiles, which are the largest, have less than three megabytes.
const MAX_PROFILE_BYTES: u64 = 4 << 20;

pub(super) fn decode_png(bytes: &[u8], outline: &PngOutline<'_>, limits: &PhotoLimits) -> Result<Upright, Refusal> {
    // It keeps these bounds for what it unpacks beside the pixels, and leaves out a profile that exceeds them.
    let mut besides = bounds(limits);
    besides.max_alloc = Some(MAX_PROFILE_BYTES);
    let mut decoder = PngDecoder::with_limits(Cursor::new(bytes), besides).map_err(refusal)?;
    decoder.set_limits(bounds(limits)).map_err(refusal)?;
    finish(Format::Png, decoder, outline.gamma, outline.exif)
}

pub(super) fn decode_gif(frame: &FirstFrame, limits: &PhotoLimits) -> Result<Upright, Refusal> {
    let mut decoder = GifDecoder::new(Cursor::new(&frame.bytes)).map_err(refusal)?;
    decoder.set_limits(bounds(limits)).map_err(refusal)?;
    finish(Format::Gif, decoder, None, None)
}

fn bounds(limits: &PhotoLimits) -> image::Limits {
    let mut bounds = image::Limits::default();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    bounds.max_alloc = Some(limits.max_memory);
    bounds
}

fn finish(
    format: Format,
    mut decoder: impl ImageDecoder,
    gamma: Option<f64>,
    exif: Option<&[u8]>,
) -> Result<Upright, Refusal> {
    let profile = decoder.icc_profile().ok().flatten();
    let is_grey = !decoder.color_type().has_color();
    let mut image = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    let (width, height) = (image.width(), image.height());
    if let Some(gamma) = gamma {
        brighten(&mut image, gamma);
    }
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
    Upright::new(format, (width, height), Pixels::Rgb(rgb), exif.and_then(orientation), to_srgb)
}

/// Brings colours that are this power of light to sRGB, in the precision of the file, and leaves transparency alone.
fn brighten(image: &mut DynamicImage, gamma: f64) {
    let (channels, has_alpha) = (usize::from(image.color().channel_count()), image.color().has_alpha());
    let colours = channels - usize::from(has_alpha);
    let sample = |value: u16, most: u16| {
        let (value, most) = (f64::from(value), f64::from(most));
        (from_light((value / most).powf(1.0 / gamma)) * most + 0.5) as u16
    };
    let bytes = || (0..=255).map(|value| sample(value, 255) as u8).collect::<Vec<_>>();
    let words = || (0..=u16::MAX).map(|value| sample(value, u16::MAX)).collect::<Vec<_>>();
    match image {
        DynamicImage::ImageLuma8(image) => replace(image, channels, colours, &bytes()),
        DynamicImage::ImageLumaA8(image) => replace(image, channels, colours, &bytes()),
        DynamicImage::ImageRgb8(image) => replace(image, channels, colours, &bytes()),
        DynamicImage::ImageRgba8(image) => replace(image, channels, colours, &bytes()),
        DynamicImage::ImageLuma16(image) => replace(image, channels, colours, &words()),
        DynamicImage::ImageLumaA16(image) => replace(image, channels, colours, &words()),
        DynamicImage::ImageRgb16(image) => replace(image, channels, colours, &words()),
        DynamicImage::ImageRgba16(image) => replace(image, channels, colours, &words()),
        // PNG has no other samples.
        _ => {}
    }
}

fn replace<T: Copy + Into<usize>>(samples: &mut [T], channels: usize, colours: usize, table: &[T]) {
    for sample in samples.chunks_exact_mut(channels).flat_map(|pixel| &mut pixel[..colours]) {
        *sample = table[(*sample).into()];
    }
}

/// RGB, in place because two copies of a large photo are too much.
fn over_white(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let mut pixels = image.into_rgba8().into_raw();
    let blend = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u16::from(channel), u16::from(alpha));
        ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let count = pixels.len() / 4;
    for at in 0..count {
        let [r, g, b, a] = [0, 1, 2, 3].map(|channel| pixels[at * 4 + channel]);
        pixels[at * 3..at * 3 + 3].copy_from_slice(&[blend(r, a), blend(g, a), blend(b, a)]);
    }
    pixels.truncate(count * 3);
    pixels
}

fn refusal(error: ImageError) -> Refusal {
    match &error {
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => Refusal::Truncated,
        _ => Refusal::corrupt(error),
    }
}
