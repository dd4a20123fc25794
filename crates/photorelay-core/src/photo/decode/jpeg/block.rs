//! Decodes one block of coefficients, in each of the ways in which a scan can hold it (ITU-T T.81, F.2 and G.2).

use super::bits::BitReader;
use super::frame::{JpegComponent, JpegFrame};
use super::huffman::{HuffmanSpec, HuffmanTable};
use super::segments::{JpegScan, ScanComponent};
use crate::photo::decode::cursor::ParseStop;

/// The position in a block, row by row, of each coefficient in the order of the file.
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// The quantisation of a component, row by row as coefficients are.
pub(super) fn quantisation(component: &JpegComponent) -> Result<[u16; 64], ParseStop> {
    let in_file = component.quantisation.ok_or(ParseStop::Wrong("a quantisation table is missing"))?;
    let mut quantisation = [0; 64];
    for (position, value) in ZIGZAG.into_iter().zip(in_file) {
        quantisation[usize::from(position)] = value;
    }
    Ok(quantisation)
}

/// The coefficients of one component, block by block.
#[derive(Debug, Default)]
pub(super) struct Coefficients {
    /// Blocks in a row.
    wide: usize,
    blocks: Vec<[i16; 64]>,
}

impl Coefficients {
    pub(super) fn new((wide, high): (usize, usize)) -> Self {
        Self { wide, blocks: vec![[0; 64]; wide * high] }
    }

    /// `None` if they are not kept.
    #[inline]
    pub(super) fn block_mut(&mut self, x: usize, y: usize) -> Option<&mut [i16; 64]> {
        self.blocks.get_mut(y * self.wide + x)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[[i16; 64]]> {
        self.blocks.chunks_exact(self.wide)
    }
}

#[derive(Debug, Clone, Copy)]
enum Coding {
    Sequential,
    FirstDc,
    FinerDc,
    FirstAc,
    FinerAc,
}

/// Decodes the blocks of one component in one scan.
pub(super) struct BlockDecoder {
    coding: Coding,
    first: usize,
    last: usize,
    low: u32,
    dc: Option<Box<HuffmanTable>>,
    ac: Option<Box<HuffmanTable>>,
    /// The first coefficient of the block before.
    predicted: i32,
    /// Blocks that follow without a further coefficient.
    ended: u32,
}

const NO_TABLE: ParseStop = ParseStop::Wrong("a Huffman table is missing");
const TOO_LONG: ParseStop = ParseStop::Wrong("a block has too many coefficients");

impl BlockDecoder {
    pub(super) fn new(frame: &JpegFrame, scan: &JpegScan<'_>, part: &ScanComponent<'_>) -> Result<Self, ParseStop> {
        let coding = match (frame.is_progressive, scan.first, scan.high) {
            (false, ..) => Coding::Sequential,
            (true, 0, 0) => Coding::FirstDc,
            (true, 0, _) => Coding::FinerDc,
            (true, _, 0) => Coding::FirstAc,
            (true, ..) => Coding::FinerAc,
        };
        let table = |spec: Option<HuffmanSpec<'_>>| HuffmanTable::new(&spec.ok_or(NO_TABLE)?).map(Box::new);
        let needs_dc = matches!(coding, Coding::Sequential | Coding::FirstDc);
        let needs_ac = matches!(coding, Coding::Sequential | Coding::FirstAc | Coding::FinerAc);
        Ok(Self {
            coding,
            first: scan.first,
            last: scan.last,
            low: scan.low,
            dc: needs_dc.then(|| table(part.dc)).transpose()?,
            ac: needs_ac.then(|| table(part.ac)).transpose()?,
            predicted: 0,
            ended: 0,
        })
    }

    pub(super) fn restart(&mut self) {
        (self.predicted, self.ended) = (0, 0);
    }

    pub(super) fn decode(&mut self, bits: &mut BitReader<'_>, block: &mut [i16; 64]) -> Result<(), ParseStop> {
        match self.coding {
            Coding::Sequential => self.sequential(bits, block),
            Coding::FirstDc => {
                block[0] = (self.next_dc(bits)? << self.low) as i16;
                Ok(())
            }
            Coding::FinerDc => {
                block[0] |= i16::from(bits.bit()?) << self.low;
                Ok(())
            }
            Coding::FirstAc => self.first_ac(bits, block),
            Coding::FinerAc => self.finer_ac(bits, block),
        }
    }

    fn next_dc(&mut self, bits: &mut BitReader<'_>) -> Result<i32, ParseStop> {
        let size = self.dc.as_ref().ok_or(NO_TABLE)?.decode(bits)?;
        if size > 15 {
            return Err(ParseStop::Wrong("a block has an impossible brightness"));
        }
        self.predicted = self.predicted.wrapping_add(bits.signed(size.into())?);
        Ok(self.predicted)
    }

    fn sequential(&mut self, bits: &mut BitReader<'_>, block: &mut [i16; 64]) -> Result<(), ParseStop> {
        block[0] = self.next_dc(bits)? as i16;
        let table = self.ac.as_ref().ok_or(NO_TABLE)?;
        let mut at = 1;
        while at < 64 {
            if let Some(short) = table.short_coefficient(bits)? {
                at += usize::from(short.run);
                let position = *ZIGZAG.get(at).ok_or(TOO_LONG)?;
                block[usize::from(position)] = short.value;
                at += 1;
                continue;
            }
            let symbol = table.decode(bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => return Ok(()),
                _ => {
                    at += run;
                    let position = *ZIGZAG.get(at).ok_or(TOO_LONG)?;
                    block[usize::from(position)] = bits.signed(size)? as i16;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// Reads how many blocks end here, this one included.
    fn end_of_blocks(&mut self, bits: &mut BitReader<'_>, run: usize) -> Result<(), ParseStop> {
        self.ended = (1 << run) + bits.take(run as u32)?;
        Ok(())
    }

    fn first_ac(&mut self, bits: &mut BitReader<'_>, block: &mut [i16; 64]) -> Result<(), ParseStop> {
        let mut at = self.first;
        while self.ended == 0 && at <= self.last {
            let symbol = self.ac.as_ref().ok_or(NO_TABLE)?.decode(bits)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => self.end_of_blocks(bits, run)?,
                _ => {
                    at += run;
                    if at > self.last {
                        return Err(TOO_LONG);
                    }
                    block[usize::from(ZIGZAG[at])] = (bits.signed(size)? << self.low) as i16;
                    at += 1;
                }
            }
        }
        self.ended = self.ended.saturating_sub(1);
        Ok(())
    }

    fn finer_ac(&mut self, bits: &mut BitReader<'_>, block: &mut [i16; 64]) -> Result<(), ParseStop> {
        let step = 1_i16 << self.low;
        let mut at = self.first;
        while self.ended == 0 && at <= self.last {
            let symbol = self.ac.as_ref().ok_or(NO_TABLE)?.decode(bits)?;
            let (mut run, size) = (usize::from(symbol >> 4), symbol & 15);
            if size == 0 && run < 15 {
                self.end_of_blocks(bits, run)?;
                break;
            }
            // A size other than one cannot be; like other decoders, read it as one.
            let new = match size {
                0 => 0,
                _ if bits.bit()? => step,
                _ => -step,
            };
            // Passes the coefficients that are known already, each with its next bit, and so many that stay zero.
            loop {
                if at > self.last {
                    if new != 0 {
                        return Err(TOO_LONG);
                    }
                    break;
                }
                let value = &mut block[usize::from(ZIGZAG[at])];
                at += 1;
                if *value != 0 {
                    refine(value, step, bits)?;
                } else if run > 0 {
                    run -= 1;
                } else {
                    *value = new;
                    break;
                }
            }
        }
        if self.ended > 0 {
            for position in ZIGZAG.get(at..=self.last).unwrap_or_default() {
                let value = &mut block[usize::from(*position)];
                if *value != 0 {
                    refine(value, step, bits)?;
                }
            }
            self.ended -= 1;
        }
        Ok(())
    }
}

/// Adds the next bit to a coefficient that is not zero, away from zero.
fn refine(value: &mut i16, step: i16, bits: &mut BitReader<'_>) -> Result<(), ParseStop> {
    if bits.bit()? && *value & step == 0 {
        *value = value.wrapping_add(if *value > 0 { step } else { -step });
    }
    Ok(())
}
