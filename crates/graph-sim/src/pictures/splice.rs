//! Makes many different JPEG files of one picture at little cost.
//!
//! A base is encoded once with a restart marker after every row of blocks, so that its rows are independent of each
//! other. A variant re-encodes the first rows only, with a coloured band of its own, and copies the others.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::pixels::Rgb;

const QUALITY: u8 = 88;
/// Rows of pixels between two restart markers: two blocks, because colour is sampled at half the height.
const ROW: u32 = 16;
const BLOCKS: usize = 12;

/// A picture prepared for variants.
#[derive(Debug)]
pub(crate) struct SpliceBase {
    /// The first rows, which every variant changes.
    top: Rgb,
    head: Bytes,
    /// The entropy-coded rows below the top.
    rest: Vec<Bytes>,
}

impl SpliceBase {
    pub(crate) fn new(pixels: &Rgb) -> anyhow::Result<Self> {
        let height = (if pixels.height >= 240 { 2 * ROW } else { ROW }).min(pixels.height);
        let kept = (pixels.width * height * 3) as usize;
        let top = Rgb { width: pixels.width, height, data: pixels.data[..kept].to_vec() };
        let (head, mut rows) = taken_apart(encoded(pixels, true)?.into());
        let rest = rows.split_off((height.div_ceil(ROW) as usize).min(rows.len()));
        Ok(Self { top, head, rest })
    }

    /// The picture with a band of colours that follows from `variant`, and noise in the band unless it is zero.
    pub(crate) fn variant(&self, variant: u64, noise: u64) -> anyhow::Result<Vec<u8>> {
        let mut top = self.top.clone();
        banded(&mut top, variant);
        sprinkled(&mut top, noise);
        let (_, rows) = taken_apart(encoded(&top, true)?.into());
        let mut out = self.head.to_vec();
        for (number, row) in rows.iter().chain(&self.rest).enumerate() {
            if number > 0 {
                out.extend_from_slice(&[0xff, 0xd0 + ((number - 1) % 8) as u8]);
            }
            out.extend_from_slice(row);
        }
        out.extend_from_slice(&[0xff, 0xd9]);
        Ok(out)
    }
}

pub(crate) fn encoded(pixels: &Rgb, restarts: bool) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(pixels.data.len() / 8);
    let mut encoder = Encoder::new(&mut out, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    if restarts {
        encoder.set_restart_interval(pixels.width.div_ceil(ROW) as u16);
    }
    encoder.encode(&pixels.data, pixels.width as u16, pixels.height as u16, ColorType::Rgb)?;
    Ok(out)
}

/// Everything up to the entropy-coded data, and that data cut at the restart markers.
fn taken_apart(jpeg: Bytes) -> (Bytes, Vec<Bytes>) {
    let mut at = 2;
    while jpeg.get(at + 1).is_some_and(|marker| *marker != 0xda) {
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    }
    let start = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
    let (mut rows, mut from, mut look) = (Vec::new(), start, start);
    // In entropy-coded data 0xff is a marker unless a zero follows.
    while let Some(found) = jpeg[look..].iter().position(|byte| *byte == 0xff) {
        let found = look + found;
        match jpeg.get(found + 1) {
            Some(0xd0..=0xd7) => {
                rows.push(jpeg.slice(from..found));
                from = found + 2;
            }
            Some(0xd9) => {
                rows.push(jpeg.slice(from..found));
                break;
            }
            _ => {}
        }
        look = found + 2;
    }
    (jpeg.slice(..start), rows)
}

fn banded(top: &mut Rgb, variant: u64) {
    let mut dice = fastrand::Rng::with_seed(variant ^ 0x9e37_79b9_7f4a_7c15);
    let width = top.width as usize;
    let mut row = Vec::with_capacity(width * 3);
    for block in 0..BLOCKS {
        let colour = [dice.u8(..), dice.u8(..), dice.u8(..)];
        let pixels = width * (block + 1) / BLOCKS - width * block / BLOCKS;
        row.extend(colour.repeat(pixels));
    }
    for line in top.data.chunks_exact_mut(width * 3) {
        line.copy_from_slice(&row);
    }
}

/// Moves a few pixels by little, so that another encoding of the same picture has other bytes. Zero changes nothing.
pub(crate) fn sprinkled(pixels: &mut Rgb, noise: u64) {
    if noise == 0 {
        return;
    }
    let mut dice = fastrand::Rng::with_seed(noise);
    for _ in 0..48 {
        let at = dice.usize(..pixels.data.len());
        pixels.data[at] = if pixels.data[at] > 127 { pixels.data[at] - 12 } else { pixels.data[at] + 12 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::drawing::drawn;

    fn decoded(jpeg: &[u8]) -> image::RgbImage {
        image::load_from_memory(jpeg).unwrap().into_rgb8()
    }

    #[test]
    fn a_variant_decodes_and_differs_from_the_picture_only_in_its_band() {
        for edge in [9, 48, 96, 360, 648] {
            let pixels = crate::pictures::pixels::resized(&drawn(3), edge).unwrap();
            let plain = decoded(&encoded(&pixels, false).unwrap());
            let variant = decoded(&SpliceBase::new(&pixels).unwrap().variant(7, 0).unwrap());
            assert_eq!(variant.dimensions(), (edge, edge));
            let band = (if edge >= 240 { 32 } else { 16 }) * edge as usize * 3;
            let (plain, variant) = (plain.into_raw(), variant.into_raw());
            // Chroma is interpolated over the edge of the band.
            let margin = band + 2 * edge as usize * 3;
            assert!(plain.get(margin..).unwrap_or_default() == variant.get(margin..).unwrap_or_default(), "{edge}");
            assert!(plain[..band.min(plain.len())] != variant[..band.min(plain.len())], "{edge}");
        }
    }

    #[test]
    fn variants_and_noise_change_the_bytes_and_nothing_else_does() {
        let base = SpliceBase::new(&drawn(3)).unwrap();
        assert_eq!(base.variant(1, 0).unwrap(), base.variant(1, 0).unwrap());
        assert_ne!(base.variant(1, 0).unwrap(), base.variant(2, 0).unwrap());
        assert_ne!(base.variant(1, 0).unwrap(), base.variant(1, 5).unwrap());
    }
}
