//! Huffman tables (ITU-T T.81, annexes C and F.2.2.3), and the usual ones that webcams leave out (annex K.3).

use super::bits::{BitReader, extended};
use crate::photo::decode::cursor::ParseStop;

const LOOKUP_BITS: u32 = 9;
/// So many bits are looked at for a whole coefficient: its code and its value.
const WHOLE_BITS: u32 = 10;

/// A coefficient whose code and value are so short that both are looked up at once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShortCoefficient {
    pub(super) value: i16,
    /// Zeros before it.
    pub(super) run: u8,
    /// Bits of code and value together; 0 if this is none.
    pub(super) length: u8,
}

/// A table as it stands in the file: the number of codes of each length from 1 to 16, and then their symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HuffmanSpec<'a> {
    pub(super) counts: [u8; 16],
    pub(super) symbols: &'a [u8],
}

impl HuffmanSpec<'_> {
    /// Whether a run of ones is no code, which the standard requires and nearly all files keep to.
    pub(super) fn leaves_ones_unused(&self) -> bool {
        let used: u32 = self.counts.iter().zip(1..).map(|(count, length)| u32::from(*count) << (16 - length)).sum();
        used < 1 << 16
    }
}

/// A table prepared for decoding.
pub(super) struct HuffmanTable {
    /// By the next nine bits: length and symbol, or 0 for a longer code.
    lookup: [u16; 1 << LOOKUP_BITS],
    /// For each length: the first code that is longer, aligned to 16 bits; and what to add to a code to find its symbol.
    ends: [u32; 17],
    offsets: [i32; 17],
    symbols: [u8; 256],
    /// By the next ten bits.
    short: [ShortCoefficient; 1 << WHOLE_BITS],
}

impl HuffmanTable {
    pub(super) fn new(spec: &HuffmanSpec<'_>) -> Result<Self, ParseStop> {
        let mut table = Self {
            lookup: [0; 1 << LOOKUP_BITS],
            ends: [0; 17],
            offsets: [0; 17],
            symbols: [0; 256],
            short: [ShortCoefficient::default(); 1 << WHOLE_BITS],
        };
        let wrong = ParseStop::Wrong("a Huffman table has more codes than there are");
        table.symbols.get_mut(..spec.symbols.len()).ok_or(wrong)?.copy_from_slice(spec.symbols);
        let (mut code, mut at) = (0_u32, 0_usize);
        for (length, count) in (1..=16_u32).zip(spec.counts) {
            table.offsets[length as usize] = at as i32 - code as i32;
            for _ in 0..count {
                let symbol = *spec.symbols.get(at).ok_or(wrong)?;
                if length <= LOOKUP_BITS && code < 1 << length {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    table.lookup[first..first + (1 << (LOOKUP_BITS - length))].fill(entry);
                }
                code += 1;
                at += 1;
            }
            if code > 1 << length {
                return Err(wrong);
            }
            table.ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        table.look_ahead();
        Ok(table)
    }

    /// Finds the coefficients that are known by the next ten bits, if this is a table of coefficients behind the first.
    fn look_ahead(&mut self) {
        for (next, short) in (0_u32..).zip(&mut self.short) {
            let entry = self.lookup[(next >> (WHOLE_BITS - LOOKUP_BITS)) as usize];
            let (length, symbol) = (u32::from(entry >> 8), entry as u8);
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            if length == 0 || size == 0 || length + size > WHOLE_BITS {
                continue;
            }
            let bits = next >> (WHOLE_BITS - length - size) & ((1 << size) - 1);
            let value = extended(bits, size) as i16;
            *short = ShortCoefficient { value, run, length: (length + size) as u8 };
        }
    }

    /// The next coefficient, if it is a short one.
    #[inline]
    pub(super) fn short_coefficient(&self, bits: &mut BitReader<'_>) -> Result<Option<ShortCoefficient>, ParseStop> {
        let short = self.short[(bits.peek16() >> (16 - WHOLE_BITS)) as usize];
        if short.length == 0 {
            return Ok(None);
        }
        bits.skip(short.length.into())?;
        Ok(Some(short))
    }

    /// The next symbol.
    #[inline]
    pub(super) fn decode(&self, bits: &mut BitReader<'_>) -> Result<u8, ParseStop> {
        let next = bits.peek16();
        let entry = self.lookup[(next >> (16 - LOOKUP_BITS)) as usize];
        if entry != 0 {
            bits.skip(u32::from(entry >> 8))?;
            return Ok(entry as u8);
        }
        self.decode_long(next, bits)
    }

    #[cold]
    fn decode_long(&self, next: u32, bits: &mut BitReader<'_>) -> Result<u8, ParseStop> {
        let Some(length) = (LOOKUP_BITS + 1..=16).find(|length| next < self.ends[*length as usize]) else {
            return Err(if bits.has_16() {
                ParseStop::Wrong("its compressed data holds a code that no table explains")
            } else {
                ParseStop::CutOff
            });
        };
        bits.skip(length)?;
        let at = (next >> (16 - length)) as i32 + self.offsets[length as usize];
        Ok(self.symbols[(at & 255) as usize])
    }
}

/// The tables for luminance and chrominance, which software without a table of its own uses.
pub(super) const USUAL_DC: [HuffmanSpec<'static>; 2] = [
    HuffmanSpec {
        counts: [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        symbols: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    },
    HuffmanSpec {
        counts: [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        symbols: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    },
];

pub(super) const USUAL_AC: [HuffmanSpec<'static>; 2] = [
    HuffmanSpec {
        counts: [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
        symbols: b"\
            \x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\
            \xb1\xc1\x15\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28\x29\x2a\x34\x35\
            \x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\
            \x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\
            \x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\
            \xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\
            \xf5\xf6\xf7\xf8\xf9\xfa",
    },
    HuffmanSpec {
        counts: [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
        symbols: b"\
            \x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\
            \xc1\x09\x23\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26\x27\x28\x29\x2a\
            \x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\
            \x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\
            \x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\
            \xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\
            \xf5\xf6\xf7\xf8\xf9\xfa",
    },
];
