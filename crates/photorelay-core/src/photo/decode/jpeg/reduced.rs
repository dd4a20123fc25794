//! A common colour JPEG (`plain.rs` says which), with or without restart markers, at a half, a quarter or an eighth of its
//! size: each block of 8x8 samples is transformed to 4x4, 2x2 or one, from the coefficients of the lowest frequencies. What
//! it shows is what the whole picture shows, made smaller.
//!
//! Every block must be there, as for a whole picture, and nothing of a block is kept but its samples. What fills up the
//! last blocks may show anything, so it is cut off before a filter looks at its neighbours.

use super::block;
use super::frame::{JpegComponent, JpegFrame};
use super::idct;
use super::scan;
use super::segments::JpegScan;
use crate::photo::decode::cursor::ParseStop;
use crate::photo::reduction::Reduction;
use crate::photo::upright::SamplePlane;

/// The samples of one component so far.
struct ReducedComponent {
    /// The samples of a block in a row.
    block: usize,
    /// Row by row, as the coefficients are.
    quantisation: [u16; 64],
    plane: SamplePlane,
}

/// Brightness and both colours, each with as many samples as it has of its own: they are small before they are joined.
pub(super) fn planes(
    frame: &JpegFrame,
    scan: &JpegScan<'_>,
    reduction: Reduction,
) -> Result<Vec<SamplePlane>, ParseStop> {
    let all = scan.components.iter().map(|part| &frame.components[part.index]);
    let mut all: Vec<ReducedComponent> =
        all.map(|component| ReducedComponent::new(frame, component, reduction)).collect::<Result<_, _>>()?;
    scan::for_each_block(frame, scan, |mut place| {
        let mut block = [0; 64];
        place.decode(&mut block)?;
        all[place.part].put(place.x, place.y, &block);
        Ok(())
    })?;
    let cut = |component: ReducedComponent| component.plane.cut_to((frame.width as u32, frame.height as u32));
    Ok(all.into_iter().map(cut).collect())
}

impl ReducedComponent {
    fn new(frame: &JpegFrame, component: &JpegComponent, reduction: Reduction) -> Result<Self, ParseStop> {
        let quantisation = block::quantisation(component)?;
        let factor = reduction.factor();
        let side = 8 / factor as usize;
        let (wide, high) = frame.padded_blocks(component);
        let (width, height) = (wide * side, high * side);
        let plane = SamplePlane {
            width: width as u32,
            height: height as u32,
            across: factor * (frame.h_max / component.h) as u32,
            down: factor * (frame.v_max / component.v) as u32,
            samples: vec![0; width * height],
        };
        Ok(Self { block: side, quantisation, plane })
    }

    fn put(&mut self, x: usize, y: usize, coefficients: &[i16; 64]) {
        let stride = self.plane.width as usize;
        let samples = &mut self.plane.samples[(y * stride + x) * self.block..];
        match self.block {
            4 => place(samples, stride, &idct::half(coefficients, &self.quantisation)),
            2 => place(samples, stride, &idct::quarter(coefficients, &self.quantisation)),
            _ => samples[0] = idct::mean(coefficients, &self.quantisation),
        }
    }
}

#[inline]
fn place<const SIDE: usize>(samples: &mut [u8], stride: usize, block: &[[u8; SIDE]; SIDE]) {
    for (line, block) in samples.chunks_mut(stride).zip(block) {
        line[..SIDE].copy_from_slice(block);
    }
}
