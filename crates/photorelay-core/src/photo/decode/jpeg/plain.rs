//! The plain JPEG that nearly every photo is, decoded by `zune-jpeg`, which is faster than our own decoder.
//!
//! It has decoded unusual files to wrong pixels without an error more than once, so it gets nothing but files of a class
//! in which tests have compared its pixels with another decoder's, and of these only what decoding needs. What it
//! refuses is decoded again by our own, which knows the reason.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::colours::JpegColours;
use super::huffman::HuffmanSpec;
use super::segments::{JpegFile, JpegScan};
use crate::photo::refusal::{Refusal, contained};

/// One sequential scan of all components, grey or YCbCr in the common samplings.
pub(super) fn common_scan<'f, 'a>(file: &'f JpegFile<'a>, colours: JpegColours) -> Option<&'f JpegScan<'a>> {
    let frame = &file.frame;
    let [scan] = file.scans.as_slice() else { return None };
    let factors: Vec<(usize, usize)> = frame.components.iter().map(|component| (component.h, component.v)).collect();
    let has_common_sampling = match (colours, factors.as_slice()) {
        (JpegColours::Grey, [luma]) => *luma == (1, 1),
        (JpegColours::YCbCr, [luma, (1, 1), (1, 1)]) => matches!(luma, (1, 1) | (2, 1) | (2, 2)),
        _ => false,
    };
    let in_order = scan.components.iter().map(|part| part.index).eq(0..frame.components.len());
    // Without it, the end of the data could not be recognised.
    let is_sound = |spec: Option<HuffmanSpec<'_>>| spec.is_some_and(|spec| spec.leaves_ones_unused());
    let is_common = !frame.is_progressive
        && has_common_sampling
        && in_order
        && frame.width.min(frame.height) >= 16
        && scan.components.iter().all(|part| is_sound(part.dc) && is_sound(part.ac))
        && frame.components.iter().all(|one| one.quantisation.is_some_and(|table| table.iter().all(|v| *v <= 255)));
    is_common.then_some(scan)
}

/// The same without restart markers, which are left to our own decoder.
fn plain_scan<'f, 'a>(file: &'f JpegFile<'a>, colours: JpegColours) -> Option<&'f JpegScan<'a>> {
    common_scan(file, colours).filter(|scan| scan.restart == 0)
}

/// The pixels of a plain file, grey or RGB; `None` if our own decoder must look at it.
pub(super) fn decode(file: &JpegFile<'_>, colours: JpegColours) -> Option<Vec<u8>> {
    let scan = plain_scan(file, colours)?;
    let bytes = write(file, scan);
    let wanted = if colours == JpegColours::Grey { ColorSpace::Luma } else { ColorSpace::RGB };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(file.frame.width)
        .set_max_height(file.frame.height)
        .jpeg_set_out_colorspace(wanted);
    let read = || JpegDecoder::new_with_options(ZCursor::new(&bytes), options).decode().map_err(Refusal::corrupt);
    let pixels = contained("the decoder", read).ok()?;
    (pixels.len() == file.frame.width * file.frame.height * file.frame.components.len()).then_some(pixels)
}

/// Whether [`decode`] is tried.
pub(super) fn is_plain(file: &JpegFile<'_>, colours: JpegColours) -> bool {
    plain_scan(file, colours).is_some()
}

/// The file without anything that a decoder could misunderstand.
fn write(file: &JpegFile<'_>, scan: &JpegScan<'_>) -> Vec<u8> {
    let frame = &file.frame;
    let mut bytes = Vec::with_capacity(scan.data.len() + 2048);
    bytes.extend([0xff, 0xd8]);
    for (slot, table) in (0..).zip(frame.components.iter().filter_map(|component| component.quantisation)) {
        segment(&mut bytes, 0xdb, &[&[slot], table.map(|value| value as u8).as_slice()]);
    }
    for (slot, part) in (0..).zip(&scan.components) {
        for (class, spec) in [(0x00, part.dc), (0x10, part.ac)] {
            if let Some(spec) = spec {
                segment(&mut bytes, 0xc4, &[&[class | slot], &spec.counts, spec.symbols]);
            }
        }
    }
    let count = frame.components.len() as u8;
    let [h1, h0] = (frame.height as u16).to_be_bytes();
    let [w1, w0] = (frame.width as u16).to_be_bytes();
    let mut header = vec![8, h1, h0, w1, w0, count];
    let mut selectors = vec![count];
    for (slot, component) in (0..).zip(&frame.components) {
        header.extend([slot + 1, (component.h << 4 | component.v) as u8, slot]);
        selectors.extend([slot + 1, slot << 4 | slot]);
    }
    segment(&mut bytes, 0xc0, &[&header]);
    segment(&mut bytes, 0xda, &[&selectors, &[0, 63, 0]]);
    bytes.extend_from_slice(scan.data);
    // No code is all ones. A decoder that needs more data than there is comes upon these, and says so, where it would
    // otherwise fill up the picture.
    bytes.extend([0xff, 0x00].repeat(16));
    bytes.extend([0xff, 0xd9]);
    bytes
}

fn segment(bytes: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    bytes.extend([0xff, marker]);
    bytes.extend((length as u16).to_be_bytes());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
}
