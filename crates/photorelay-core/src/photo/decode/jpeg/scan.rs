//! Decodes the scans of a JPEG to coefficients (ITU-T T.81, annexes F.2 and G.2), one bit at a time where it must be.
//!
//! Every block that the frame announces must be there; a file that ends early is an error however it ends.

use super::bits::BitReader;
use super::block::{BlockDecoder, Coefficients};
use super::frame::JpegFrame;
use super::segments::{JpegFile, JpegScan};
use crate::photo::decode::cursor::ParseStop;

/// The lowest bit that is known of each coefficient of each component.
struct Precision(Vec<[u32; 64]>);

const UNKNOWN: u32 = u32::MAX;

/// How many blocks all scans visit, which is what decoding them costs, whatever their size.
pub(super) fn visits(file: &JpegFile<'_>) -> u64 {
    file.scans.iter().map(|scan| visits_of(&file.frame, scan)).sum()
}

fn visits_of(frame: &JpegFrame, scan: &JpegScan<'_>) -> u64 {
    let (wide, high) = units(frame, scan);
    let each: usize = match scan.components.as_slice() {
        [_] => 1,
        several => several.iter().map(|part| frame.components[part.index].h * frame.components[part.index].v).sum(),
    };
    (wide * high * each) as u64
}

/// The coefficients of the wanted components; the others are left empty.
pub(super) fn coefficients(
    file: &JpegFile<'_>,
    is_wanted: impl Fn(usize) -> bool,
) -> Result<Vec<Coefficients>, ParseStop> {
    let frame = &file.frame;
    let mut precision = Precision(vec![[UNKNOWN; 64]; frame.components.len()]);
    let mut all: Vec<Coefficients> = frame
        .components
        .iter()
        .enumerate()
        .map(|(index, component)| match is_wanted(index) {
            true => Coefficients::new(frame.padded_blocks(component)),
            false => Coefficients::default(),
        })
        .collect();
    for scan in &file.scans {
        precision.add(frame, scan)?;
        // Only scans of one component can be left out as a whole: the others lie between wanted blocks.
        let may_skip = matches!(scan.components.as_slice(), [part] if !is_wanted(part.index));
        if !may_skip {
            decode(frame, scan, &mut all)?;
        }
    }
    precision.check()?;
    Ok(all)
}

impl Precision {
    /// Refuses a scan that no decoder understands (G.1.1.1.1), and notes what it adds.
    fn add(&mut self, frame: &JpegFrame, scan: &JpegScan<'_>) -> Result<(), ParseStop> {
        let (first, last) = if frame.is_progressive { (scan.first, scan.last) } else { (0, 63) };
        let is_sound = match (first, last) {
            (0, 0) => true,
            (0, _) => !frame.is_progressive,
            _ => first <= last && last < 64 && scan.components.len() == 1,
        };
        // A sequential scan has all bits, whatever it says here.
        let has_sound_bits = scan.low <= 13 && (scan.high == 0 || scan.high == scan.low + 1);
        if !is_sound || (frame.is_progressive && !has_sound_bits) {
            return Err(ParseStop::Wrong("a scan has impossible parameters"));
        }
        let (before, after) = match (frame.is_progressive, scan.high) {
            (true, 0) => (UNKNOWN, scan.low),
            (true, high) => (high, scan.low),
            (false, _) => (UNKNOWN, 0),
        };
        for part in &scan.components {
            let known = &mut self.0[part.index][first..=last];
            if known.iter().any(|low| *low != before) {
                return Err(ParseStop::Wrong("its scans do not follow each other"));
            }
            known.fill(after);
        }
        Ok(())
    }

    /// Viewers guess what is too coarse, each in its own way, so every bit must be there.
    fn check(&self) -> Result<(), ParseStop> {
        let is_complete = self.0.iter().flatten().all(|low| *low == 0);
        if is_complete { Ok(()) } else { Err(ParseStop::CutOff) }
    }
}

/// The size of the picture in the units of a scan.
fn units(frame: &JpegFrame, scan: &JpegScan<'_>) -> (usize, usize) {
    match scan.components.as_slice() {
        [part] => frame.blocks(&frame.components[part.index]),
        _ => frame.units(),
    }
}

fn decode(frame: &JpegFrame, scan: &JpegScan<'_>, all: &mut [Coefficients]) -> Result<(), ParseStop> {
    // The block of a component that is not wanted.
    let mut scratch = [0; 64];
    for_each_block(frame, scan, |mut place| {
        let block = all[place.component].block_mut(place.x, place.y);
        place.decode(block.unwrap_or(&mut scratch))
    })
}

/// The next block of a scan: of which component of the frame, where in it, and how it is decoded.
pub(super) struct BlockPlace<'p, 'd> {
    /// The number of its component in the scan.
    pub(super) part: usize,
    pub(super) component: usize,
    pub(super) x: usize,
    pub(super) y: usize,
    decoder: &'p mut BlockDecoder,
    bits: &'p mut BitReader<'d>,
}

impl BlockPlace<'_, '_> {
    pub(super) fn decode(&mut self, block: &mut [i16; 64]) -> Result<(), ParseStop> {
        self.decoder.decode(self.bits, block)
    }
}

/// Calls with every block of a scan, in the order of its data; each has to be decoded before the next.
pub(super) fn for_each_block<'d>(
    frame: &JpegFrame,
    scan: &JpegScan<'d>,
    mut take: impl FnMut(BlockPlace<'_, 'd>) -> Result<(), ParseStop>,
) -> Result<(), ParseStop> {
    let mut bits = BitReader::new(scan.data);
    let mut decoders =
        scan.components.iter().map(|part| BlockDecoder::new(frame, scan, part)).collect::<Result<Vec<_>, _>>()?;
    let (wide, high) = units(frame, scan);
    let is_alone = scan.components.len() == 1;
    let (mut until_restart, mut number) = (scan.restart, 0);
    for y in 0..high {
        for x in 0..wide {
            if scan.restart > 0 {
                if until_restart == 0 {
                    bits.restart(number)?;
                    decoders.iter_mut().for_each(BlockDecoder::restart);
                    (until_restart, number) = (scan.restart, (number + 1) % 8);
                }
                until_restart -= 1;
            }
            for (part, (decoder, of)) in decoders.iter_mut().zip(&scan.components).enumerate() {
                let component = &frame.components[of.index];
                let (h, v) = if is_alone { (1, 1) } else { (component.h, component.v) };
                for down in 0..v {
                    for right in 0..h {
                        let (x, y) = (x * h + right, y * v + down);
                        let (decoder, bits) = (&mut *decoder, &mut bits);
                        take(BlockPlace { part, component: of.index, x, y, decoder, bits })?;
                    }
                }
            }
        }
    }
    Ok(())
}
