//! From coefficients to pixels: samples, brought to the size of the picture, with the components side by side.
//!
//! Memory is what limits a large photo. The coefficients of one component are kept at a time unless they are small, and
//! samples go straight to where their pixels belong.

use super::block::{self, Coefficients};
use super::frame::{JpegComponent, JpegFrame};
use super::idct;
use super::scan;
use super::segments::JpegFile;
use crate::photo::decode::cursor::ParseStop;

/// Up to here the coefficients of all components are kept, so that the scans are read only once.
const MAX_TOGETHER: usize = 16 << 20;

fn bytes_of_coefficients(frame: &JpegFrame) -> impl Iterator<Item = usize> {
    let bytes = |component| {
        let (wide, high) = frame.padded_blocks(component);
        wide * high * size_of::<[i16; 64]>()
    };
    frame.components.iter().map(bytes)
}

/// How often all scans are read.
pub(super) fn passes(frame: &JpegFrame) -> usize {
    let is_small = bytes_of_coefficients(frame).sum::<usize>() <= MAX_TOGETHER;
    if is_small { 1 } else { frame.components.len() }
}

/// The peak memory of [`pixels`].
pub(super) fn memory(frame: &JpegFrame) -> usize {
    let one = bytes_of_coefficients(frame).max().unwrap_or(0);
    let coefficients = if passes(frame) == 1 { bytes_of_coefficients(frame).sum() } else { one };
    let is_subsampled = |component: &&JpegComponent| !frame.is_full_size(component);
    let of_plane = |component: &JpegComponent| {
        let (width, height) = frame.samples(component);
        width * height
    };
    let plane = frame.components.iter().filter(is_subsampled).map(of_plane).max().unwrap_or(0);
    frame.width * frame.height * frame.components.len() + coefficients + plane
}

/// One byte a component and pixel, rows from the top, as the file encodes its colours.
pub(super) fn pixels(file: &JpegFile<'_>) -> Result<Vec<u8>, ParseStop> {
    let frame = &file.frame;
    let mut pixels = vec![0; frame.width * frame.height * frame.components.len()];
    let passes = passes(frame);
    for pass in 0..passes {
        let is_wanted = |index| passes == 1 || index == pass;
        let all = scan::coefficients(file, is_wanted)?;
        for (index, coefficients) in all.into_iter().enumerate().filter(|(index, _)| is_wanted(*index)) {
            place(frame, index, coefficients, &mut pixels)?;
        }
    }
    Ok(pixels)
}

/// Turns the coefficients of one component into its byte of each pixel.
fn place(frame: &JpegFrame, index: usize, coefficients: Coefficients, pixels: &mut [u8]) -> Result<(), ParseStop> {
    let component = &frame.components[index];
    let quantisation = block::quantisation(component)?;
    let step = frame.components.len();
    let lines = pixels.chunks_exact_mut(frame.width * step);
    if frame.is_full_size(component) {
        let mut lines = lines;
        for_each_line(frame.samples(component), &coefficients, &quantisation, |line| {
            let Some(pixels) = lines.next() else { return };
            for (pixel, sample) in pixels.iter_mut().skip(index).step_by(step).zip(line) {
                *pixel = *sample;
            }
        });
        return Ok(());
    }
    let (width, height) = frame.samples(component);
    let mut plane = Vec::with_capacity(width * height);
    for_each_line((width, height), &coefficients, &quantisation, |line| plane.extend_from_slice(line));
    drop(coefficients);
    let (across, down) = blending(frame, component, width);
    let mut blended = vec![0; width];
    for (y, pixels) in lines.enumerate() {
        let near = y * component.v / frame.v_max;
        let far = if down { neighbour(y, near, height) } else { near };
        blend_lines(&plane[near * width..], &plane[far * width..], &mut blended);
        for (x, pixel) in pixels.iter_mut().skip(index).step_by(step).enumerate() {
            let near = x * component.h / frame.h_max;
            let far = if across { neighbour(x, near, width) } else { near };
            *pixel = ((3 * blended[near] + blended[far] + 8) / 16) as u8;
        }
    }
    Ok(())
}

/// Whether pixels between two samples blend them, from left to right and from top to bottom.
///
/// These are the cases in which libjpeg, and so nearly every viewer, does it; elsewhere a sample is repeated.
fn blending(frame: &JpegFrame, component: &JpegComponent, width: usize) -> (bool, bool) {
    let is_half = |factor: usize, most: usize| most == 2 * factor;
    let (h, v) = (is_half(component.h, frame.h_max), is_half(component.v, frame.v_max));
    match (component.h == frame.h_max, component.v == frame.v_max) {
        (true, false) => (false, v),
        (false, true) => (h && width > 2, false),
        _ => (h && v && width > 2, h && v && width > 2),
    }
}

/// Three parts of the nearer line of samples and one of the farther, so four times as bright.
fn blend_lines(near: &[u8], far: &[u8], blended: &mut [u16]) {
    for ((blended, near), far) in blended.iter_mut().zip(near).zip(far) {
        *blended = 3 * u16::from(*near) + u16::from(*far);
    }
}

/// Of two samples beside a pixel, the farther one.
fn neighbour(pixel: usize, near: usize, count: usize) -> usize {
    if pixel.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(count - 1) }
}

/// Calls with each line of samples, without what fills up the last blocks.
fn for_each_line(
    (width, height): (usize, usize),
    coefficients: &Coefficients,
    quantisation: &[u16; 64],
    mut take: impl FnMut(&[u8]),
) {
    let stride = width.next_multiple_of(8);
    let mut band = vec![0; stride * 8];
    for (y, row) in coefficients.rows().enumerate() {
        for (x, block) in row.iter().take(stride / 8).enumerate() {
            let samples = idct::samples(block, quantisation);
            for (line, samples) in samples.iter().enumerate() {
                band[line * stride + x * 8..][..8].copy_from_slice(samples);
            }
        }
        for line in band.chunks_exact(stride).take(height.saturating_sub(y * 8)) {
            take(&line[..width]);
        }
    }
}
